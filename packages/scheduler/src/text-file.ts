import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';

/** What the caller of this process has opened for it, as `<(…)` of a shell does: it ends when its writer does. */
const OPENED = /^\/(?:dev|proc\/self)\/(?:fd\/|stdin$)/u;

/**
 * The text of a file, without a byte order mark; `0` is standard input. Throws what reading throws, and an Error that says so for bytes
 * that are no UTF-8, and for a pipe or a device, which would be waited for, or read, for ever.
 */
export function readTextFile(file: string | 0): string {
  const bytes = file === 0 || OPENED.test(file) ? readFileSync(file) : bytesOf(file);
  // Read leniently, what is no character would turn into U+FFFD, and a value into another.
  if (!isUtf8(bytes)) throw new Error('it is not UTF-8 text');
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function bytesOf(file: string): Buffer {
  // A pipe without a writer is opened at once instead of when one comes.
  const opened = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const other = kindOf(fstatSync(opened));
    if (other !== null) throw new Error(`it is ${other}, not a file`);
    return readFileSync(opened);
  } finally {
    closeSync(opened);
  }
}

/** What there is in place of a file; null for a file, and for a directory, which says so when it is read. */
function kindOf(stats: Stats): string | null {
  if (stats.isFile() || stats.isDirectory()) return null;
  return stats.isFIFO() ? 'a pipe' : 'a device';
}
