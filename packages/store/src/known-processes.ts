import { z } from 'zod';

import { addMs, ProcessRow, type Clock, type Timestamp } from '@caloron/types';

import { parseColumn, parseRow } from './json.ts';
import type { Database } from './sql.ts';

/** An agent may still say its last words this long after its process is settled. */
const TOKEN_GRACE_MS = 3_600_000;
/** Processes kept at hand; live agents of one machine are fewer. */
const MAX_KNOWN = 1000;

const Stored = z.strictObject({ row: z.string(), settled_at: z.string().nullable() });
const Version = z.strictObject({ data_version: z.number() });

interface Known {
  readonly row: ProcessRow;
  readonly settled_at: Timestamp | null;
}

/**
 * Processes as last read, by id and by the hash of their agent's token: every request of an agent asks for both. What this connection changes it forgets; what
 * another changed is noticed once per turn of the event loop. The rows are frozen. A hash nobody has is never kept.
 */
export class KnownProcesses {
  readonly #by_id = new Map<string, Known>();
  readonly #by_token = new Map<string, Known>();
  #version = 0;
  #looked = false;
  readonly #clock: Clock;
  readonly #select_id;
  readonly #select_token;
  readonly #select_version;

  constructor({ db }: Database, clock: Clock) {
    this.#clock = clock;
    this.#select_id = db.prepare('SELECT row, settled_at FROM processes WHERE process_id = ?');
    this.#select_token = db.prepare(
      'SELECT row, settled_at FROM agent_tokens JOIN processes USING (process_id) WHERE token_hash = ?',
    );
    this.#select_version = db.prepare('PRAGMA data_version');
  }

  /** The process of this id. Throws STORE_ROW_INVALID. */
  get(process_id: string): ProcessRow | undefined {
    this.#look();
    const known = this.#by_id.get(process_id) ?? this.#read(this.#select_id.get(process_id));
    if (known !== undefined) this.#by_id.set(process_id, known);
    return known?.row;
  }

  /** The process whose agent's token hashes to this, until an hour after its end. Throws STORE_ROW_INVALID. */
  byTokenHash(token_hash: string): ProcessRow | undefined {
    this.#look();
    const known = this.#by_token.get(token_hash) ?? this.#read(this.#select_token.get(token_hash));
    if (known === undefined) return undefined;
    this.#by_token.set(token_hash, known);
    this.#by_id.set(known.row.process_id, known);
    const { row, settled_at } = known;
    if (settled_at !== null && settled_at <= addMs(this.#clock.now(), -TOKEN_GRACE_MS)) return undefined;
    return row;
  }

  /** Must be told of each change this connection makes: nothing read before it is given out again. */
  forget(): void {
    this.#by_id.clear();
    this.#by_token.clear();
  }

  #read(found: unknown): Known | undefined {
    if (found === undefined) return undefined;
    if (this.#by_id.size >= MAX_KNOWN || this.#by_token.size >= MAX_KNOWN) this.forget();
    const { row: text, settled_at } = parseRow(Stored, found, 'processes', '');
    const row = parseColumn(ProcessRow, text, 'processes', '');
    if (row.exit !== null) Object.freeze(row.exit);
    return { row: Object.freeze(row), settled_at };
  }

  /** Other connections' commits change the version, our own do not. */
  #look(): void {
    if (this.#looked) return;
    const { data_version } = Version.parse(this.#select_version.get());
    if (data_version !== this.#version) this.forget();
    this.#version = data_version;
    this.#looked = true;
    setImmediate(() => (this.#looked = false)).unref();
  }
}
