import BetterSqlite3 from 'better-sqlite3';
import { codeOf } from '@caloron/noether/errors';

import { StoreError } from './errors.ts';

/** SQLite's own name for what went wrong; undefined for anything SQLite did not throw. */
export function sqliteCode(error: unknown): string | undefined {
  return error instanceof BetterSqlite3.SqliteError ? error.code : undefined;
}

/** True for every kind of "locked by another": SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_BUSY_RECOVERY. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_BUSY') === true || codeOf(error) === 'STORE_BUSY';
}

/** Whether a disk has no room: for the database, or for the index beside its log (SHMSIZE: it could not be enlarged). Source: rescode.html. */
export function isFull(code: string): boolean {
  return code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE';
}

/** SQLite's error as a StoreError; everything else as it is. */
export function translate(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  if (code.startsWith('SQLITE_BUSY'))
    return new StoreError('STORE_BUSY', { path, waited_ms: 0 }, { cause: error });
  if (isFull(code)) return new StoreError('STORE_FULL', { path }, { cause: error });
  // Damage does not pass, and nothing but a copy has what was lost.
  const hint = `put ${path} back from a copy, or move it away with its -wal and -shm: a new one is made, and knows nothing`;
  return new StoreError(
    'STORE_FAILED',
    { path, sqlite_code: code, reason: error.message },
    { cause: error, ...(code.startsWith('SQLITE_CORRUPT') && { hint }) },
  );
}
