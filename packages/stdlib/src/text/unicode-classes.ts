/** What `\d`, `\w` and `\s` stand for in Unicode, as the inside of a character class (UTS 18, Annex C). */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ['d', String.raw`\p{Nd}`],
  ['w', String.raw`\p{L}\p{M}\p{Nl}\p{Nd}\p{Pc}`],
  ['s', String.raw`\t-\r\x{85}\p{Z}`],
]);

/**
 * A pattern whose `\d`, `\w`, `\s` know all of Unicode, as in the original; the engine's own know ASCII. So do `\b` and, within a
 * character class, `\D`, `\W`, `\S`: they stay as they are.
 */
export function withUnicodeClasses(pattern: string): string {
  let written = '';
  for (let at = 0; at < pattern.length;) {
    const part =
      pattern.charAt(at) === '[' ? classAt(pattern, at) : (escapeAt(pattern, at) ?? pattern.charAt(at));
    written += part.startsWith('[') ? insideClass(part) : outsideClass(part);
    at += part.length;
  }
  return written;
}

/** A backslash with what it escapes; a quoted run as a whole. Null where there is none. */
function escapeAt(pattern: string, at: number): string | null {
  if (pattern.charAt(at) !== '\\') return null;
  if (pattern.charAt(at + 1) !== 'Q') return pattern.slice(at, at + 2);
  const end = pattern.indexOf(String.raw`\E`, at);
  return pattern.slice(at, end === -1 ? undefined : end + 2);
}

/** A character class from its bracket to its end, or to the end of a pattern that does not close it. */
function classAt(pattern: string, start: number): string {
  let at = start + 1;
  if (pattern.charAt(at) === '^') at += 1;
  // A closing bracket that comes first is a character like others.
  if (pattern.charAt(at) === ']') at += 1;
  while (at < pattern.length && pattern.charAt(at) !== ']') {
    const named = pattern.startsWith('[:', at) ? pattern.indexOf(':]', at) : -1;
    at = named === -1 ? at + (escapeAt(pattern, at) ?? pattern.charAt(at)).length : named + 2;
  }
  return pattern.slice(start, at + 1);
}

function insideClass(text: string): string {
  return text.replace(/\\([\s\S])/gu, (whole, letter: string) => CLASSES.get(letter) ?? whole);
}

function outsideClass(text: string): string {
  const letter = text.length === 2 && text.startsWith('\\') ? text.charAt(1) : '';
  const plain = CLASSES.get(letter);
  if (plain !== undefined) return `[${plain}]`;
  const opposite = letter === letter.toUpperCase() ? CLASSES.get(letter.toLowerCase()) : undefined;
  return opposite === undefined ? text : `[^${opposite}]`;
}
