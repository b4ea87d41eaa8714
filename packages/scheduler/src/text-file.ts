import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

/** The text of a file, without a byte order mark; `0` is standard input. Throws what reading throws, and an Error that says so for bytes that are no UTF-8. */
export function readTextFile(file: string | 0): string {
  const bytes = readFileSync(file);
  // Read leniently, what is no character would turn into U+FFFD, and a value into another.
  if (!isUtf8(bytes)) throw new Error('it is not UTF-8 text');
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
