import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Bytes after which a log file is rotated. */
export const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

/** Rotated files kept beside the current one: `{file}.1` is the newest. */
export const LOG_KEPT = 3;

/** An agent's output on disk. */
export interface LogFile {
  write(text: string): void;
  close(): void;
}

/** Opens a log to append to (0600), rotated at `limit` bytes. Writes are synchronous: what a dying process said is there. */
export function openLog(file: string, limit = LOG_LIMIT_BYTES): LogFile {
  mkdirSync(dirname(file), { recursive: true });
  let fd: number | undefined = openSync(file, 'a', 0o600);
  let size = fstatSync(fd).size;

  return {
    write(text) {
      if (fd === undefined || text === '') return;
      const bytes = Buffer.from(text, 'utf8');
      if (size > 0 && size + bytes.length > limit) {
        closeSync(fd);
        rotate(file);
        fd = openSync(file, 'a', 0o600);
        size = 0;
      }
      writeSync(fd, bytes);
      size += bytes.length;
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function rotate(file: string): void {
  for (let n = LOG_KEPT - 1; n >= 0; n -= 1) {
    try {
      renameSync(n === 0 ? file : `${file}.${n}`, `${file}.${n + 1}`);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
}
