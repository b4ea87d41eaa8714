import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { isRetryable, messageOf } from '@caloron/noether/errors';

import { StoreError } from './errors.ts';
import type { Database, SqlValue, Statement } from './sql.ts';

/** Rows are written together when so many wait, */
const BATCH = 200;
/** or so many characters of them, */
const BATCH_CHARACTERS = 1_048_576;
/** or after so long, ms; a run that ends does not wait for it. */
const DELAY_MS = 25;
/** How long the end of a run waits for a database that others hold; the closing of the store waits less, as it blocks the process. */
const DEADLINE_MS = 15_000;
const CLOSE_DEADLINE_MS = 1000;
const CLOSE_PAUSE_MS = 10;
const MAX_PAUSE_MS = 160;
/** Rows and characters kept while the database cannot be written; the oldest give way. */
const MAX_WAITING = 20_000;
const MAX_WAITING_CHARACTERS = 67_108_864;

/** One statement to run in the next batch. */
export interface WaitingRow {
  readonly statement: Statement;
  readonly parameters: readonly SqlValue[];
}

/** Told when rows of traces could not be written: facts first, then a sentence. */
export type TraceWarning = (facts: Readonly<Record<string, unknown>>, message: string) => void;

function charactersOf({ parameters }: WaitingRow): number {
  let sum = 0;
  for (const value of parameters) sum += typeof value === 'string' ? value.length : 8;
  return sum;
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Rows that may wait a little and are written in one transaction, over a connection whose commits need not survive a power cut. */
export class TraceBuffer {
  #waiting: WaitingRow[] = [];
  #characters = 0;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> | undefined;
  #soon: Promise<void> | undefined;
  #closed = false;
  readonly #database: Database;
  readonly #warn: TraceWarning;

  constructor(database: Database, warn: TraceWarning) {
    this.#database = database;
    this.#warn = warn;
  }

  /** Takes a row; writes what waits when it is enough. Throws STORE_CLOSED. */
  add(row: WaitingRow): void {
    if (this.#closed) throw new StoreError('STORE_CLOSED', { path: this.#database.path });
    this.#waiting.push(row);
    this.#characters += charactersOf(row);
    if (this.#waiting.length >= BATCH || this.#characters >= BATCH_CHARACTERS) this.#flushLater();
    this.#trim();
    if (this.#waiting.length > 0)
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#flushLater();
      }, DELAY_MS).unref();
  }

  /** Writes what waits if the database is free. Who only looks is not told that it is not: the next flush tells. */
  drain(): void {
    try {
      this.#drain();
    } catch {
      // The rows wait on.
    }
  }

  /** The same at the end of this turn of the event loop: runs that begin together share a transaction. */
  soon(): Promise<void> {
    return (this.#soon ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#soon = undefined;
        this.drain();
        resolve();
      });
    }));
  }

  /** Writes what waits, however long others hold the database. Throws STORE_BUSY after the deadline, or STORE_FULL; the rows then wait for the next try. */
  async flush(): Promise<void> {
    while (!this.#drain())
      await (this.#trying ??= this.#drained().finally(() => {
        this.#trying = undefined;
      }));
  }

  /** Writes what waits and takes no more; blocks for up to a second. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    const deadline = performance.now() + CLOSE_DEADLINE_MS;
    try {
      while (!this.#drain() && performance.now() < deadline) pause(CLOSE_PAUSE_MS);
    } catch (error) {
      this.#lost(this.#waiting.length, error);
      return;
    }
    if (this.#waiting.length > 0) this.#lost(this.#waiting.length, this.#busy(CLOSE_DEADLINE_MS));
  }

  /** True when nothing waits any more, false while others hold the database. */
  #drain(): boolean {
    const rows = this.#waiting;
    if (rows.length === 0) return true;
    try {
      if (!this.#write(rows)) return false;
    } catch (error) {
      if (isRetryable(error)) throw error;
      // A row that can never be written takes no other with it.
      for (const row of rows) this.#writeAlone(row);
    }
    this.#waiting = [];
    this.#characters = 0;
    return true;
  }

  #write(rows: readonly WaitingRow[]): boolean {
    const written = this.#database.tryWrite(() => {
      for (const { statement, parameters } of rows) statement.run(...parameters);
    });
    return written !== undefined;
  }

  #writeAlone(row: WaitingRow): void {
    try {
      if (!this.#write([row])) this.#lost(1, this.#busy(0));
    } catch (error) {
      this.#lost(1, error);
    }
  }

  async #drained(): Promise<void> {
    const asked_at = performance.now();
    for (let cap = 10; ; cap = Math.min(cap * 2, MAX_PAUSE_MS)) {
      await sleep(randomInt(5, cap));
      if (this.#drain()) return;
      const waited_ms = Math.round(performance.now() - asked_at);
      if (waited_ms >= DEADLINE_MS || this.#closed) throw this.#busy(waited_ms);
    }
  }

  /** Nobody waits for this one: what it meets is told. */
  #flushLater(): void {
    if (this.#trying !== undefined) return;
    this.flush().catch((error: unknown) => {
      const facts = { rows: this.#waiting.length, path: this.#database.path, reason: messageOf(error) };
      this.#warn(facts, 'a trace waits to be written');
    });
  }

  #trim(): void {
    if (this.#waiting.length <= MAX_WAITING && this.#characters <= MAX_WAITING_CHARACTERS) return;
    const dropped = this.#waiting.splice(0, Math.ceil(this.#waiting.length / 2));
    this.#characters = this.#waiting.reduce((sum, row) => sum + charactersOf(row), 0);
    this.#lost(dropped.length, this.#busy(DEADLINE_MS));
  }

  #busy(waited_ms: number): StoreError {
    return new StoreError('STORE_BUSY', { path: this.#database.path, waited_ms });
  }

  #lost(rows: number, error: unknown): void {
    const facts = { rows, path: this.#database.path, reason: messageOf(error) };
    this.#warn(facts, 'rows of a trace were lost');
  }
}
