import { randomInt } from 'node:crypto';

import type BetterSqlite3 from 'better-sqlite3';

import { StoreError } from './errors.ts';
import { isBusy, translate } from './sqlite-errors.ts';

/** Writes of one transaction: others wait for the lock meanwhile, and it is held no longer than they have patience. */
const MAX_WRITES = 256;
const MAX_MS = 5;
/** Turns of the event loop a group is gathered over while each brings more: a commit costs as much as reading dozens of requests. */
const MAX_TURNS = 4;
/** A pause after a refused try is drawn from [5, cap); the cap doubles up to this, ms. */
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 160;
/** How long closing waits for a database that others hold: it blocks the process. */
const CLOSE_DEADLINE_MS = 1000;
const CLOSE_PAUSE_MS = 10;

/** One write that waits. */
interface Waiting {
  /** Runs inside a transaction; gives what answers the caller once that is committed. */
  readonly run: () => () => void;
  readonly refuse: (error: unknown) => void;
  readonly asked_at: number;
  readonly deadline_ms: number;
}

/** What became of a try: its first writes are on disk; others hold the lock; nothing was kept and the next try takes so many; its only write failed. */
type Tried =
  | { readonly kind: 'committed'; readonly answers: readonly (() => void)[] }
  | { readonly kind: 'busy' }
  | { readonly kind: 'apart'; readonly size: number }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * Group commit: the writes of one turn of the event loop, or of a few while they keep arriving, share a transaction, and each is answered after its commit
 * with its own outcome. One that fails takes no other with it: the group is rolled back and tried again in parts, down to the failing write alone. Writes run
 * in the order they were asked for.
 */
export class GroupCommit {
  #waiting: Waiting[] = [];
  #planned = false;
  #size = MAX_WRITES;
  #pause_ms = FIRST_PAUSE_MS;
  readonly #db: BetterSqlite3.Database;
  readonly #path: string;

  constructor(db: BetterSqlite3.Database, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /** What `fn` gave, once it is on disk. `fn` is synchronous and may run more than once. Throws STORE_BUSY after `deadline_ms`, STORE_FULL, STORE_CLOSED. */
  write<T>(fn: () => T, deadline_ms: number): Promise<T> {
    return new Promise<T>((resolve, refuse) => {
      const run = (): (() => void) => {
        const value = fn();
        if (value instanceof Promise)
          throw new TypeError('a transaction is synchronous: its function must not return a promise');
        return () => resolve(value);
      };
      this.#waiting.push({ run, refuse, asked_at: performance.now(), deadline_ms });
      this.#plan();
    });
  }

  /** Writes what waits; blocks for up to a second while others hold the database, then refuses the rest. */
  close(): void {
    const deadline = performance.now() + CLOSE_DEADLINE_MS;
    while (this.#waiting.length > 0 && this.#db.open) {
      if (this.#next()) continue;
      if (performance.now() >= deadline) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CLOSE_PAUSE_MS);
    }
    for (const { refuse, asked_at } of this.#waiting.splice(0))
      refuse(this.#db.open ? this.#busy(asked_at) : new StoreError('STORE_CLOSED', { path: this.#path }));
  }

  /** Timers and sockets have their turn before the next try: what arrives until then joins it. */
  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#gather(this.#waiting.length, 1);
  }

  #gather(seen: number, turn: number): void {
    setImmediate(() => {
      const more = this.#waiting.length;
      if (more > seen && turn < MAX_TURNS && more < this.#size) this.#gather(more, turn + 1);
      else this.#flush();
    });
  }

  #flush(): void {
    this.#planned = false;
    if (this.#waiting.length === 0) return;
    if (!this.#db.open) {
      this.close();
      return;
    }
    if (this.#next()) {
      this.#pause_ms = FIRST_PAUSE_MS;
      if (this.#waiting.length > 0) this.#plan();
      return;
    }
    this.#planned = true;
    setTimeout(() => this.#flush(), randomInt(5, this.#pause_ms));
    this.#pause_ms = Math.min(this.#pause_ms * 2, MAX_PAUSE_MS);
  }

  /** One try of the oldest writes; false when others hold the database. Who waited too long is refused then. */
  #next(): boolean {
    const group = this.#waiting.slice(0, this.#size);
    const tried = attempt(this.#db, group);
    if (tried.kind === 'busy') {
      const now = performance.now();
      const late = group.filter(({ asked_at, deadline_ms }) => now - asked_at >= deadline_ms);
      this.#waiting = this.#waiting.filter((each) => !late.includes(each));
      for (const { refuse, asked_at } of late) refuse(this.#busy(asked_at));
      return this.#waiting.length === 0;
    }
    if (tried.kind === 'apart') {
      this.#size = tried.size;
      return true;
    }
    this.#size = MAX_WRITES;
    if (tried.kind === 'failed') this.#waiting.shift()?.refuse(translate(tried.error, this.#path));
    else {
      this.#waiting.splice(0, tried.answers.length);
      for (const answer of tried.answers) answer();
    }
    return true;
  }

  #busy(asked_at: number): StoreError {
    return new StoreError('STORE_BUSY', {
      path: this.#path,
      waited_ms: Math.round(performance.now() - asked_at),
    });
  }
}

/** Where not even this is possible, the next BEGIN is refused and says so to its caller. */
function rollBack(db: BetterSqlite3.Database): void {
  try {
    if (db.inTransaction) db.exec('ROLLBACK');
  } catch {
    // The error that led here is the one to tell.
  }
}

/** Runs writes in one BEGIN IMMEDIATE transaction, as many as its time allows. */
function attempt(db: BetterSqlite3.Database, group: readonly Waiting[]): Tried {
  const answers: (() => void)[] = [];
  try {
    db.exec('BEGIN IMMEDIATE');
    const until = performance.now() + MAX_MS;
    for (const { run } of group) {
      answers.push(run());
      if (performance.now() >= until) break;
    }
  } catch (error) {
    rollBack(db);
    if (isBusy(error)) return { kind: 'busy' };
    // The ones before it go first; then it is tried alone.
    return group.length === 1
      ? { kind: 'failed', error }
      : { kind: 'apart', size: Math.max(answers.length, 1) };
  }
  try {
    db.exec('COMMIT');
    return { kind: 'committed', answers };
  } catch (error) {
    rollBack(db);
    if (isBusy(error)) return { kind: 'busy' };
    // Half of them may fit a disk that is full for all.
    return group.length === 1
      ? { kind: 'failed', error }
      : { kind: 'apart', size: Math.ceil(answers.length / 2) };
  }
}
