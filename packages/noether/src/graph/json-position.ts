/** Where a JSON text stops being JSON. */
export interface JsonFault {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  readonly expected: string;
}

// eslint-disable-next-line no-control-regex -- JSON forbids these characters in strings.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/uy;
const SPACE = /[ \t\n\r]*/uy;

/** A fault at an offset, thrown inside the scanner only. */
class Stop extends Error {
  readonly offset: number;
  readonly expected: string;

  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

/** The first fault of a text that is no JSON; null when it is JSON. JSON.parse gives no reliable place. */
export function findJsonFault(text: string): JsonFault | null {
  try {
    const end = space(text, value(text, space(text, 0)));
    if (end < text.length) throw new Stop(end, 'the end of the text');
    return null;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const before = text.slice(0, error.offset).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1, expected: error.expected };
  }
}

function match(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

function space(text: string, at: number): number {
  return match(SPACE, text, at) ?? at;
}

function value(text: string, at: number): number {
  if (text[at] === '{') return items(text, at, '}', member);
  if (text[at] === '[') return items(text, at, ']', value);
  const end = match(STRING, text, at) ?? match(SCALAR, text, at);
  if (end === null) throw new Stop(at, 'a value');
  return end;
}

function member(text: string, at: number): number {
  const key = match(STRING, text, at);
  if (key === null) throw new Stop(at, 'a key in double quotes');
  const colon = space(text, key);
  if (text[colon] !== ':') throw new Stop(colon, '`:` after the key');
  return value(text, space(text, colon + 1));
}

function items(text: string, at: number, close: string, item: (text: string, at: number) => number): number {
  let next = space(text, at + 1);
  if (text[next] === close) return next + 1;
  for (;;) {
    next = space(text, item(text, next));
    if (text[next] === close) return next + 1;
    if (text[next] !== ',') throw new Stop(next, `\`,\` or \`${close}\``);
    next = space(text, next + 1);
  }
}
