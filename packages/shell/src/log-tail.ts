import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** How much of a file's end is read at most, in bytes. */
const TAIL_BYTES = 1024 * 1024;

/** The last `lines` lines of a file, at most 1 MiB of it; empty when there is none. Symbolic links are not followed. */
export function lastLines(file: string, lines: number): string {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Not written yet, or not a plain file: there is nothing to show.
    return '';
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) return '';
    const length = Math.min(stat.size, TAIL_BYTES);
    const bytes = Buffer.alloc(length);
    const read = readSync(handle, bytes, 0, length, stat.size - length);
    const text = bytes.toString('utf8', 0, read);
    const ended = text.endsWith('\n') ? text.slice(0, -1) : text;
    return ended === '' ? '' : `${ended.split('\n').slice(-lines).join('\n')}\n`;
  } finally {
    closeSync(handle);
  }
}
