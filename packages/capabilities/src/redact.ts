/** What stands where a secret was. */
const REDACTED = '[redacted]';

/** Shorter texts are no secrets: hiding them would tear words apart and hide nothing. */
const MIN_SECRET = 6;

/** The longest piece without white space that is held back until it is whole; a JSON Web Token of usual size fits. */
const HELD_CHARACTERS = 8192;

/** Credentials that are told by their shape, as their issuers document it: GitHub, GitLab, Anthropic, OpenAI, Slack, AWS, Google, npm, JSON Web Tokens. */
const SHAPES = [
  /\bgh[opsru]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bglpat-[\w-]{20,}/g,
  /\bsk-[A-Za-z0-9][\w-]{19,}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\bAIza[\w-]{35}/g,
  /\bnpm_[A-Za-z0-9]{36}/g,
  /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/g,
];

const PEM_BEGIN = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;
const PEM_END = /-----END [A-Z0-9 ]*PRIVATE KEY-----/;

/** Hides credentials in what an agent says: those it is told of by value, and those known by their shape. */
export interface Redactor {
  /** Takes note of a value; of none with less than 6 characters. */
  readonly learn: (secret: string) => void;
  /** A whole text without credentials. */
  readonly text: (text: string) => string;
  /** A value with every text in it, keys left alone. */
  readonly value: <T>(value: T) => T;
  /** Hands on a text that comes in pieces, without credentials that lie across two of them: an unfinished word waits. `end` hands on the rest. */
  readonly stream: (write: (text: string) => void) => { write(text: string): void; end(): void };
}

/** Makes a redactor that knows `secrets`. */
export function createRedactor(secrets: readonly string[] = []): Redactor {
  const known = new Set<string>();
  const learn = (secret: string): void => {
    if (secret.length < MIN_SECRET) return;
    const in_json = JSON.stringify(secret).slice(1, -1);
    const in_base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '');
    for (const spelling of [secret, in_json, encodeURIComponent(secret), in_base64]) known.add(spelling);
  };
  secrets.forEach(learn);
  const words = (text: string): string => {
    let shown = text;
    // Longest first: one secret may begin like another.
    for (const secret of [...known].toSorted((a, b) => b.length - a.length))
      shown = shown.replaceAll(secret, REDACTED);
    for (const shape of SHAPES) shown = shown.replaceAll(shape, REDACTED);
    return shown;
  };
  const text = (whole: string): string => {
    const keys = createKeyHider();
    return words(keys(whole));
  };
  const value = <T>(given: T): T => {
    if (typeof given === 'string') return text(given) as T;
    if (Array.isArray(given)) return given.map((item: unknown) => value(item)) as T;
    if (typeof given !== 'object' || given === null) return given;
    return Object.fromEntries(Object.entries(given).map(([key, item]) => [key, value(item as unknown)])) as T;
  };
  return { learn, text, value, stream: (write) => redactedStream(words, write) };
}

function redactedStream(
  words: (text: string) => string,
  write: (text: string) => void,
): { write(text: string): void; end(): void } {
  const keys = createKeyHider();
  let held = '';
  const hand = (text: string): void => {
    const shown = words(keys(text));
    if (shown !== '') write(shown);
  };
  return {
    write(text) {
      const all = held + text;
      const cut = Math.max(unfinished(all), all.length - HELD_CHARACTERS);
      held = all.slice(cut);
      hand(all.slice(0, cut));
    },
    end() {
      hand(held);
      held = '';
    },
  };
}

/** Where the unfinished end of a text begins: its last word, or a line that may become the mark of a private key. */
function unfinished(text: string): number {
  const line = text.lastIndexOf('\n') + 1;
  const mark = text.indexOf('-----', line);
  const word = text.search(/\S*$/);
  return mark < 0 ? word : Math.min(word, mark);
}

/** Leaves out what stands between the marks of a private key, also when these come in different pieces. */
function createKeyHider(): (text: string) => string {
  let inside = false;
  return (text) => {
    let shown = '';
    let rest = text;
    for (;;) {
      const found = (inside ? PEM_END : PEM_BEGIN).exec(rest);
      if (found === null) return inside ? shown : shown + rest;
      if (!inside) shown += rest.slice(0, found.index) + REDACTED;
      rest = rest.slice(found.index + found[0].length);
      inside = !inside;
    }
  };
}
