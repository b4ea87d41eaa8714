/** What a Markdown text says to people: without fenced code, code spans and hidden comments. Linear in its length, as strangers write it. */
export function prose(markdown: string): string {
  return withoutSpans(withoutComments(withoutFences(markdown)));
}

/** Fences open with at least three of a character at a line's start and close with at least as many; one left open goes to the end. */
function withoutFences(text: string): string {
  const kept: string[] = [];
  let open: string | null = null;
  for (const line of text.split('\n')) {
    const fence: string | undefined = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (open === null && fence === undefined) kept.push(line);
    if (open === null) open = fence ?? null;
    else if (fence?.startsWith(open) === true) open = null;
  }
  return kept.join('\n');
}

function withoutComments(text: string): string {
  const kept: string[] = [];
  let at = 0;
  for (let start = text.indexOf('<!--'); start !== -1; start = text.indexOf('<!--', at)) {
    kept.push(text.slice(at, start));
    const end = text.indexOf('-->', start + 4);
    if (end === -1) return kept.join(' ');
    at = end + 3;
  }
  return [...kept, text.slice(at)].join(' ');
}

/** A code span ends at the next run of exactly as many backticks; a run without such a one is text. */
function withoutSpans(text: string): string {
  const runs = [...text.matchAll(/`+/g)];
  const nextOfLength = new Map<number, number>();
  const closing = runs.map(() => -1);
  for (let i = runs.length - 1; i >= 0; i -= 1) {
    const length = runs[i]?.[0].length ?? 0;
    closing[i] = nextOfLength.get(length) ?? -1;
    nextOfLength.set(length, i);
  }
  const kept: string[] = [];
  let at = 0;
  for (let i = 0; i < runs.length; i += 1) {
    const end = closing[i] ?? -1;
    const [from, to] = [runs[i], runs[end]];
    if (from === undefined || to === undefined) continue;
    kept.push(text.slice(at, from.index));
    at = to.index + to[0].length;
    i = end;
  }
  return [...kept, text.slice(at)].join(' ');
}
