const PLAIN = /^[\w@%+=:,./-]+$/u;

/** A text as one word of a command a person can paste into a shell: as it is where that will do, else in single quotes. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
