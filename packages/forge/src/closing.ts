/** An issue a text says it closes. `repo` is owner/name in lower case; null is the text's own repository. */
export interface ClosingReference {
  readonly repo: string | null;
  readonly number: number;
}

/** GitHub's nine closing words, an optional colon, and `#1`, `owner/repo#1` or an issue's address. */
const CLOSING =
  /(?<![\w-])(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:(?:([\w.-]+\/[\w.-]+))?#(\d+)|(https?:\/\/\S+?\/issues\/\d+))(?!\w)/gi;

/** The issues a pull request's text or a commit's message closes. Code is not read. `base_url` is where this forge answers. */
export function closingReferences(text: string, base_url: string): readonly ClosingReference[] {
  const prose = text.replaceAll(/^(```|~~~).*?^\1/gms, '').replaceAll(/`[^`\n]*`/g, '');
  const found = new Map<string, ClosingReference>();
  for (const match of prose.matchAll(CLOSING)) {
    const reference = match[3] === undefined ? shortReference(match) : addressReference(match[3], base_url);
    if (reference !== undefined) found.set(`${reference.repo ?? ''}#${reference.number}`, reference);
  }
  return [...found.values()];
}

function shortReference(match: RegExpMatchArray): ClosingReference {
  return { repo: match[1]?.toLowerCase() ?? null, number: Number(match[2]) };
}

/** An address counts when it is of this forge: its page or its API. */
function addressReference(address: string, base_url: string): ClosingReference | undefined {
  if (!URL.canParse(address)) return undefined;
  const { origin, pathname } = new URL(address);
  const own = new URL(base_url);
  const loopback = origin === `${own.protocol}//localhost:${own.port}`;
  if (origin !== own.origin && !loopback) return undefined;
  const match = /^\/(?:ui\/|repos\/)?([\w.-]+\/[\w.-]+)\/issues\/(\d+)$/.exec(pathname);
  return match === null ? undefined : { repo: (match[1] ?? '').toLowerCase(), number: Number(match[2]) };
}
