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

/**
 * Opens a log to append to (0600), rotated at `limit` bytes. Writes are synchronous: what a dying process said is there. A disk that takes
 * nothing stops no agent: what was lost is counted, and told once the disk takes it again.
 */
export function openLog(file: string, limit = LOG_LIMIT_BYTES): LogFile {
  mkdirSync(dirname(file), { recursive: true });
  let fd: number | undefined = openSync(file, 'a', 0o600);
  let size = fstatSync(fd).size;
  let lost = 0;
  let closed = false;

  function append(bytes: Buffer): void {
    if (fd !== undefined && size > 0 && size + bytes.length > limit) {
      closeSync(fd);
      fd = undefined;
      rotate(file);
    }
    if (fd === undefined) {
      fd = openSync(file, 'a', 0o600);
      size = fstatSync(fd).size;
    }
    size += writeSync(fd, bytes);
  }

  return {
    write(text) {
      if (closed || text === '') return;
      try {
        if (lost > 0)
          append(Buffer.from(`\n[caloron] the disk did not take ${lost} bytes of output\n`, 'utf8'));
        lost = 0;
        append(Buffer.from(text, 'utf8'));
      } catch {
        // There is nowhere to say it: the log is what failed.
        lost += Buffer.byteLength(text, 'utf8');
      }
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
      closed = true;
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
