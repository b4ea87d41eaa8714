import { randomInt } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import BetterSqlite3 from 'better-sqlite3';
import { codeOf, messageOf } from '@caloron/noether/errors';

import { StoreError } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { migrate } from './migrate.ts';
import type { Database, DatabaseOptions, Migration, Sql, Statement } from './sql.ts';
import { isBusy, isFull, sqliteCode, translate } from './sqlite-errors.ts';

/** SQLite waits synchronously: a longer wait would freeze the process. */
const BUSY_MS = 20;
/** While a database is opened nothing else runs in the process yet: it may wait. */
const OPEN_BUSY_MS = 2000;
const OPEN_DEADLINE_MS = 15_000;
const DEADLINE_MS = 15_000;

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Creates the file as its owner's alone: the log tells what people and agents wrote. */
function createFile(path: string): void {
  if (path === ':memory:' || existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

function connect(path: string): BetterSqlite3.Database {
  try {
    createFile(path);
    if (path !== ':memory:' && !statSync(path).isFile()) throw new Error('it is not a file');
    return new BetterSqlite3(path, { timeout: OPEN_BUSY_MS });
  } catch (error) {
    throw new StoreError('STORE_OPEN_FAILED', { path, reason: messageOf(error) }, { cause: error });
  }
}

/** Runs one call of SQLite: its errors leave as StoreErrors. */
function guarded<T>(db: BetterSqlite3.Database, path: string, call: () => T): T {
  if (!db.open) throw new StoreError('STORE_CLOSED', { path });
  try {
    return call();
  } catch (error) {
    throw translate(error, path);
  }
}

/** The connection as the store's rooms and siblings see it. */
function sqlOf(db: BetterSqlite3.Database, path: string): Sql {
  const prepare = (source: string): Statement => {
    // Compiled when it is first used: a command uses a few of the store's statements.
    let compiled: BetterSqlite3.Statement | undefined;
    const use = <T>(call: (statement: BetterSqlite3.Statement) => T): T =>
      guarded(db, path, () => call((compiled ??= db.prepare(source))));
    return {
      run: (...parameters) => use((statement) => statement.run(...parameters)),
      get: (...parameters) => use((statement) => statement.get(...parameters)),
      all: (...parameters) => use((statement) => statement.all(...parameters)),
      iterate: (...parameters) => use((statement) => statement.iterate(...parameters)),
    };
  };
  return { prepare, exec: (source) => guarded(db, path, () => db.exec(source)) };
}

function setUp(
  db: BetterSqlite3.Database,
  path: string,
  migrations: readonly Migration[],
  options: DatabaseOptions,
): void {
  const deadline = performance.now() + OPEN_DEADLINE_MS;
  for (;;) {
    try {
      const mode = db.pragma('journal_mode = WAL', { simple: true });
      if (mode !== 'wal' && path !== ':memory:')
        throw new StoreError('STORE_OPEN_FAILED', {
          path,
          reason: `its file system has no write-ahead log (${String(mode)})`,
        });
      db.pragma('foreign_keys = ON');
      // Else a row replaced by INSERT OR REPLACE would slip past the triggers that guard the log.
      db.pragma('recursive_triggers = ON');
      db.pragma(`synchronous = ${options.synchronous ?? 'FULL'}`);
      db.pragma('journal_size_limit = 67108864');
      migrate(sqlOf(db, path), path, migrations, (fn) => db.transaction(fn).immediate());
      db.pragma(`busy_timeout = ${BUSY_MS}`);
      return;
    } catch (error) {
      // Two processes that switch a new file to WAL at once are refused without waiting.
      if (!isBusy(error) || performance.now() > deadline) throw error;
      sleepSync(randomInt(5, 50));
    }
  }
}

function openingError(thrown: unknown, path: string): unknown {
  const error = codeOf(thrown) === 'STORE_FAILED' && thrown instanceof Error ? thrown.cause : thrown;
  const code = sqliteCode(error);
  if (code === undefined) return error;
  if (isFull(code) || code.startsWith('SQLITE_BUSY')) return translate(error, path);
  const reason = code === 'SQLITE_NOTADB' ? 'it is not a SQLite database' : `${messageOf(error)} (${code})`;
  return new StoreError('STORE_OPEN_FAILED', { path, reason }, { cause: error });
}

/** One try of a transaction: its value, or undefined when another process holds the lock. */
function attempt<T>(db: BetterSqlite3.Database, fn: () => T): { readonly value: T } | undefined {
  try {
    db.exec('BEGIN IMMEDIATE');
    const value = fn();
    if (value instanceof Promise)
      throw new TypeError('a transaction is synchronous: its function must not return a promise');
    db.exec('COMMIT');
    return { value };
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    if (isBusy(error)) return undefined;
    throw error;
  }
}

/** Opens or creates a database and brings its schema up to date: the only door to SQLite. Throws STORE_OPEN_FAILED, STORE_NEWER, STORE_FULL, STORE_BUSY. `:memory:` is a fresh one. */
export function openDatabase(
  path: string,
  migrations: readonly Migration[],
  options: DatabaseOptions = {},
): Database {
  const db = connect(path);
  try {
    setUp(db, path, migrations, options);
  } catch (error) {
    db.close();
    throw openingError(error, path);
  }

  const group = new GroupCommit(db, path);
  const read = <T>(fn: () => T): T => {
    return db.inTransaction ? fn() : guarded(db, path, () => db.transaction(fn).deferred());
  };
  const write = <T>(fn: () => T, { deadline_ms = options.deadline_ms ?? DEADLINE_MS } = {}): Promise<T> =>
    group.write(fn, deadline_ms);
  const tryWrite = <T>(fn: () => T): { readonly value: T } | undefined => {
    if (!db.open) throw new StoreError('STORE_CLOSED', { path });
    try {
      // Inside another transaction of this connection is not the moment.
      return db.inTransaction ? undefined : attempt(db, fn);
    } catch (error) {
      throw translate(error, path);
    }
  };
  const close = (): void => {
    group.close();
    db.close();
  };
  return { path, db: sqlOf(db, path), read, write, tryWrite, close };
}
