import { openDatabase, type Database } from '@caloron/store';
import { codeOf, messageOf } from '@caloron/noether/errors';
import path from 'node:path';
import type { z } from 'zod';
import { LocalForgeError } from './errors.ts';
import { migrations } from './migrations.ts';

/** What SQLite takes as a parameter here. */
export type SqlValue = string | number | null;

/** The forge's database: rows are checked on the way out; writes are atomic and wait for a busy file without blocking. */
export interface Sql {
  /** The first row, or undefined. */
  one<T>(row: z.ZodType<T>, sql: string, ...values: readonly SqlValue[]): T | undefined;
  all<T>(row: z.ZodType<T>, sql: string, ...values: readonly SqlValue[]): T[];
  /** Runs one statement; gives the id of an inserted row and the number of changed ones. */
  run(sql: string, ...values: readonly SqlValue[]): { readonly id: number; readonly changes: number };
  /** Runs `work` in one transaction. `work` is synchronous; when it throws nothing is kept. */
  write<T>(work: () => T): Promise<T>;
  close(): void;
}

/** Opens or creates the forge's database in a data directory. Throws LOCAL_FORGE_DATA_DAMAGED when it is no such file. */
export function openSql(data: string): Sql {
  const opened = openOrRefuse(path.join(data, 'forge.db'), data, migrations);
  const prepared = new Map<string, ReturnType<typeof opened.db.prepare>>();
  const prepare = (sql: string): ReturnType<typeof opened.db.prepare> => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const fresh = opened.db.prepare(sql);
    prepared.set(sql, fresh);
    return fresh;
  };
  return {
    one: (row, sql, ...values) => {
      const found = prepare(sql).get(...values);
      return found === undefined ? undefined : row.parse(found);
    },
    all: (row, sql, ...values) =>
      prepare(sql)
        .all(...values)
        .map((found) => row.parse(found)),
    run: (sql, ...values) => {
      const { lastInsertRowid, changes } = prepare(sql).run(...values);
      return { id: Number(lastInsertRowid), changes };
    },
    write: (work) => opened.write(work),
    close: () => opened.close(),
  };
}

/**
 * Holds the data directory for one server: an open write transaction on a file of its own, which the system ends with the
 * process, however it dies. Throws LOCAL_FORGE_DATA_IN_USE.
 */
export function holdData(data: string): { release(): void } {
  const lock = openOrRefuse(path.join(data, 'lock.db'), data, []);
  try {
    lock.db.exec('BEGIN IMMEDIATE');
  } catch (error) {
    lock.close();
    throw new LocalForgeError(
      'LOCAL_FORGE_DATA_IN_USE',
      { data },
      { cause: error, hint: 'stop it first, or name another directory with --data' },
    );
  }
  return { release: () => lock.close() };
}

function openOrRefuse(file: string, data: string, steps: typeof migrations): Database {
  try {
    return openDatabase(file, steps);
  } catch (error) {
    const hint =
      codeOf(error) === 'STORE_NEWER'
        ? 'run the caloron-forge that wrote it'
        : 'restore the directory from a copy, or name an empty one with --data';
    throw new LocalForgeError(
      'LOCAL_FORGE_DATA_DAMAGED',
      { data, reason: messageOf(error) },
      { cause: error, hint },
    );
  }
}
