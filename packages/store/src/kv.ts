import { sha256Hex } from '@caloron/noether';
import type { Clock, KvPlace, KvRead, KvWrite } from '@caloron/types';
import { z } from 'zod';

import { StoreError } from './errors.ts';
import { parseRow, storedText, storedValue } from './json.ts';
import type { Log } from './log.ts';
import { diff, type Patch } from './patch.ts';
import type { Database } from './sql.ts';
import { isVirtualKey, type VirtualKeys } from './virtual-keys.ts';

const MAX_KEY = 512;
const MAX_NAMESPACE = 128;
/** Half a surrogate pair: no UTF-8 text has one. */
const HALF_PAIR = /\p{Surrogate}/u;
/** Smaller values are logged whole. */
const PATCH_FROM_CHARS = 4096;
/** Every so many revisions the whole value is logged, so that a rebuild reads few patches. */
const SNAPSHOT_EVERY = 50;

const Row = z.strictObject({ value: z.string().nullable(), rev: z.number() });
const Rev = Row.pick({ rev: true });
const Key = z.strictObject({ key: z.string() });

/** Who writes, for the log. */
export interface Writer {
  readonly run_id: string | null;
  readonly actor: string | null;
}

/** One row's place; Caloron's own rows are in the empty namespace. */
interface Place {
  readonly namespace: string;
  readonly key: string;
}

/** The kv rows of the empty namespace, as other tables use them inside their transactions. */
export interface KvTable {
  /** The stored text and revision; undefined when absent. */
  row(key: string): { readonly text: string; readonly rev: number } | undefined;
  /** The revision alone, without reading the value; undefined when absent. */
  rev(key: string): number | undefined;
  /** Writes and logs inside `write`; equal bytes write nothing. */
  put(key: string, value: unknown, writer: Writer): { readonly rev: number; readonly changed: boolean };
  /** Deletes and logs inside `write`. */
  remove(key: string, writer: Writer): boolean;
  /** The capabilities; `fence` is asked first in every write. */
  open(writer: Writer, fence: () => void): KvRead & KvWrite;
}

/** The sprint a key belongs to; null for `caloron:active_sprint` and other programs' keys. */
function sprintOf({ namespace, key }: Place): string | null {
  return namespace === '' ? (/^caloron:([a-z0-9_-]{1,64}):/.exec(key)?.[1] ?? null) : null;
}

/** Tells one row's changes from all others'; a colon in a namespace is escaped. */
function eventId({ namespace, key }: Place, rev: number): string {
  return namespace === '' ? `kv:${key}:${rev}` : `kv@${encodeURIComponent(namespace)}:${key}:${rev}`;
}

function checkedNamespace({ namespace = '' }: KvPlace): string {
  // The rebuild tells rows apart by namespace, NUL, key.
  if (namespace.length > MAX_NAMESPACE || HALF_PAIR.test(namespace) || namespace.includes('\0'))
    throw new StoreError('STORE_KEY_INVALID', { key: namespace });
  return namespace;
}

function checkKey({ namespace, key }: Place): void {
  if (key === '' || key.length > MAX_KEY || HALF_PAIR.test(key))
    throw new StoreError('STORE_KEY_INVALID', { key });
  if (namespace === '' && isVirtualKey(key)) throw new StoreError('STORE_KEY_VIRTUAL', { key });
}

/** The patch from one stored text to the next; undefined when the whole value is as good. */
function patchOf(before: string | null, after: string, rev: number, key: string): Patch | undefined {
  if (before === null || after.length < PATCH_FROM_CHARS || rev % SNAPSHOT_EVERY === 0) return undefined;
  try {
    const patch = diff(storedValue(before, key), storedValue(after, key));
    return patch !== undefined && JSON.stringify(patch).length < after.length / 2 ? patch : undefined;
  } catch (error) {
    // A damaged value cannot be the base of a patch; the whole new one heals it.
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}

/** The key-value table: a projection of the log. */
export function createKv(database: Database, log: Log, virtual: VirtualKeys, clock: Clock): KvTable {
  const { db } = database;
  const select = db.prepare('SELECT value, rev FROM kv WHERE namespace = ? AND key = ?');
  const revision = db.prepare("SELECT rev FROM kv WHERE namespace = '' AND key = ? AND value IS NOT NULL");
  const upsert = db.prepare(
    `INSERT INTO kv (namespace, key, value, rev, seq) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, rev = excluded.rev, seq = excluded.seq`,
  );
  const from = db.prepare(
    'SELECT key FROM kv WHERE namespace = ? AND key >= ? AND value IS NOT NULL ORDER BY key',
  );
  const addSprint = db.prepare(
    'INSERT INTO sprints (sprint_id, at) SELECT :sprint_id, :at WHERE NOT EXISTS (SELECT 1 FROM sprints WHERE sprint_id = :sprint_id)',
  );

  const stored = ({ namespace, key }: Place) => {
    const found = select.get(namespace, key);
    return found === undefined ? undefined : parseRow(Row, found, 'kv', key);
  };
  const row = (at: Place) => {
    const found = stored(at);
    return found === undefined || found.value === null ? undefined : { text: found.value, rev: found.rev };
  };
  const record = (at: Place, rev: number, kind: 'kv.put' | 'kv.delete', payload: object, writer: Writer) =>
    log.add({
      event_id: eventId(at, rev),
      kind,
      sprint_id: sprintOf(at),
      target: at.key,
      ...writer,
      payload: { ...at, rev, ...payload },
    }).seq;

  const put = (at: Place, value: unknown, writer: Writer): ReturnType<KvTable['put']> => {
    checkKey(at);
    const { namespace, key } = at;
    const text = storedText(value, key);
    const before = stored(at);
    if (before?.value === text) return { rev: before.rev, changed: false };

    const rev = (before?.rev ?? 0) + 1;
    const patch = patchOf(before?.value ?? null, text, rev, key);
    const change =
      patch === undefined ? { value: storedValue(text, key) } : { patch, sha256: sha256Hex(text) };
    upsert.run(namespace, key, text, rev, record(at, rev, 'kv.put', change, writer));
    const sprint = sprintOf(at);
    if (sprint !== null && key === `caloron:${sprint}:state`)
      addSprint.run({ sprint_id: sprint, at: clock.now() });
    return { rev, changed: true };
  };
  const remove = (at: Place, writer: Writer): boolean => {
    checkKey(at);
    const before = stored(at);
    if (before === undefined || before.value === null) return false;
    const rev = before.rev + 1;
    upsert.run(at.namespace, at.key, null, rev, record(at, rev, 'kv.delete', {}, writer));
    return true;
  };

  const keysFrom = (namespace: string, prefix: string): string[] => {
    const found: string[] = [];
    for (const item of from.iterate(namespace, prefix)) {
      const { key } = Key.parse(item);
      if (!key.startsWith(prefix)) break;
      found.push(key);
    }
    return found;
  };
  const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

  return {
    row: (key) => row({ namespace: '', key }),
    rev: (key) => {
      const found = revision.get(key);
      return found === undefined ? undefined : parseRow(Rev, found, 'kv', key).rev;
    },
    put: (key, value, writer) => put({ namespace: '', key }, value, writer),
    remove: (key, writer) => remove({ namespace: '', key }, writer),
    open: (writer, fence) => ({
      get: async (key, place = {}) =>
        database.read(() => {
          const namespace = checkedNamespace(place);
          if (namespace === '' && isVirtualKey(key)) return virtual.get(key);
          const found = row({ namespace, key });
          return found === undefined ? undefined : { value: storedValue(found.text, key), rev: found.rev };
        }),
      list: async (prefix, place = {}) =>
        database.read(() => {
          const namespace = checkedNamespace(place);
          const computed = namespace === '' ? virtual.keys().filter((key) => key.startsWith(prefix)) : [];
          const found = keysFrom(namespace, prefix);
          return computed.length === 0 ? found : [...found, ...computed].toSorted(byBytes);
        }),
      put: (key, value, { expect_rev, ...place } = {}) =>
        database.write(() => {
          fence();
          const at = { namespace: checkedNamespace(place), key };
          const actual = row(at)?.rev ?? 0;
          if (expect_rev !== undefined && expect_rev !== actual)
            throw new StoreError('STORE_CONFLICT', { key, expected: expect_rev, actual });
          return { rev: put(at, value, writer).rev };
        }),
      delete: (key, place = {}) =>
        database.write(() => {
          fence();
          return remove({ namespace: checkedNamespace(place), key }, writer);
        }),
    }),
  };
}
