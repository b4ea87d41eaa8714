/** What SQLite stores: text, numbers, bytes and null. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** A prepared statement; parameters are positional, or one object for named ones. Rows are unknown until a schema has parsed them. */
export interface Statement {
  run(...parameters: readonly (SqlValue | Readonly<Record<string, SqlValue>>)[]): {
    readonly changes: number;
    readonly lastInsertRowid: number | bigint;
  };
  get(...parameters: readonly (SqlValue | Readonly<Record<string, SqlValue>>)[]): unknown;
  all(...parameters: readonly (SqlValue | Readonly<Record<string, SqlValue>>)[]): unknown[];
  iterate(
    ...parameters: readonly (SqlValue | Readonly<Record<string, SqlValue>>)[]
  ): IterableIterator<unknown>;
}

/** The part of a SQLite connection that siblings use. Statements outside `write` see the newest commit. */
export interface Sql {
  prepare(source: string): Statement;
  exec(source: string): unknown;
}

/** One step of a schema, applied once, in order. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** Rows the step brings; runs after `sql` in the same transaction. */
  readonly seed?: (db: Sql) => void;
}

/** How a database is opened. */
export interface DatabaseOptions {
  /** FULL survives a power cut; NORMAL may lose the last commits then, never the file. Default FULL. */
  readonly synchronous?: 'FULL' | 'NORMAL';
  /** How long `write` tries while other processes hold the lock. Default 15,000. */
  readonly deadline_ms?: number;
}

/** An open database. */
export interface Database {
  readonly path: string;
  readonly db: Sql;
  /** Runs `fn` in one read transaction: all its statements see the same commit. */
  readonly read: <T>(fn: () => T) => T;
  /**
   * Runs `fn` in a BEGIN IMMEDIATE transaction: all of it or nothing. The writes of one turn of the event loop, or of a few while they keep arriving, share
   * one; each is answered after the commit with its own outcome, and one that fails takes no other with it: `fn` is synchronous and may run again. Waits
   * without blocking the process while others hold the lock; STORE_BUSY after the deadline. Writes of one connection run in the order they were asked for.
   */
  readonly write: <T>(fn: () => T, options?: { readonly deadline_ms?: number }) => Promise<T>;
  /** One try of `write` at once: its value, or undefined when another process holds the lock. Blocks for up to 20 ms. */
  readonly tryWrite: <T>(fn: () => T) => { readonly value: T } | undefined;
  /** Writes what waits, then closes. Blocks for up to a second while others hold the database; what could not be written is refused with STORE_BUSY. */
  readonly close: () => void;
}
