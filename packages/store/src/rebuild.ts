import { canonicalJson, sha256Hex, type Json } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';

import type { KvRebuild } from './api.ts';
import { StoreError } from './errors.ts';
import { parseColumn, parseRow, storedValue } from './json.ts';
import { applyPatch, Patch } from './patch.ts';
import type { Database } from './sql.ts';

/** Rows read between two pauses. */
const CHUNK = 500;

const LogRow = z.strictObject({
  seq: z.number(),
  kind: z.enum(['kv.put', 'kv.delete']),
  payload: z.string(),
});
const Place = { namespace: z.string(), key: z.string(), rev: z.number() };
const Change = z.union([
  z.strictObject({ ...Place, value: z.custom<Json>((value) => value !== undefined) }),
  z.strictObject({ ...Place, patch: Patch, sha256: z.string() }),
  z.strictObject(Place),
]);
const KvRow = z.strictObject({
  namespace: z.string(),
  key: z.string(),
  value: z.string().nullable(),
  rev: z.number(),
  seq: z.number(),
});
type KvRow = z.infer<typeof KvRow>;

function patched(before: KvRow | undefined, patch: Patch, sha256: string, key: string): string {
  try {
    const text = canonicalJson(applyPatch(storedValue(before?.value ?? 'null', key), patch));
    if (sha256Hex(text) !== sha256) throw new Error('the log gives other bytes than were written');
    return text;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      'STORE_VALUE_INVALID',
      { key, issues: [`the log cannot be replayed: ${messageOf(error)}`] },
      { cause: error },
    );
  }
}

/** The row a log entry leaves behind. */
function step(rows: Map<string, KvRow>, found: unknown): number {
  const { seq, payload } = parseRow(LogRow, found, 'events', '');
  const change = parseColumn(Change, payload, 'events', seq);
  const { namespace, key, rev } = change;
  const id = `${namespace}\0${key}`;
  const value =
    'patch' in change
      ? patched(rows.get(id), change.patch, change.sha256, key)
      : 'value' in change
        ? canonicalJson(change.value)
        : null;
  rows.set(id, { namespace, key, value, rev, seq });
  return seq;
}

function same(a: KvRow | undefined, b: KvRow): boolean {
  return a !== undefined && a.value === b.value && a.rev === b.rev && a.seq === b.seq;
}

/** Replays the log and repairs the kv rows that differ from it; reads in chunks with pauses and writes once. */
export async function rebuildKv(
  database: Database,
  { check_only = false }: { readonly check_only?: boolean } = {},
): Promise<KvRebuild> {
  const { db } = database;
  const entries = db.prepare(
    "SELECT seq, kind, payload FROM events WHERE kind IN ('kv.put', 'kv.delete') AND seq > ? ORDER BY seq LIMIT ?",
  );
  const rows = new Map<string, KvRow>();
  let after = 0;
  const advance = (limit: number): number => {
    const found = entries.all(after, limit);
    for (const entry of found) after = step(rows, entry);
    return found.length;
  };
  while (advance(CHUNK) === CHUNK) await setImmediate();

  const compare = (repair: (row: KvRow) => void, drop: (row: KvRow) => void): KvRebuild => {
    // What was written while this one read.
    advance(-1);
    const stored = new Map(
      db
        .prepare('SELECT namespace, key, value, rev, seq FROM kv')
        .all()
        .map((row) => {
          const parsed = parseRow(KvRow, row, 'kv', '');
          return [`${parsed.namespace}\0${parsed.key}`, parsed];
        }),
    );
    const wrong = [...rows.values()].filter((row) => !same(stored.get(`${row.namespace}\0${row.key}`), row));
    const extra = [...stored.values()].filter((row) => !rows.has(`${row.namespace}\0${row.key}`));
    for (const row of wrong) repair(row);
    for (const row of extra) drop(row);
    return { rows: rows.size, differing: [...wrong, ...extra].map(({ key }) => key).toSorted() };
  };

  if (check_only)
    return database.read(() =>
      compare(
        () => undefined,
        () => undefined,
      ),
    );
  const put = db.prepare(
    'INSERT OR REPLACE INTO kv (namespace, key, value, rev, seq) VALUES (?, ?, ?, ?, ?)',
  );
  const remove = db.prepare('DELETE FROM kv WHERE namespace = ? AND key = ?');
  return database.write(() =>
    compare(
      ({ namespace, key, value, rev, seq }) => void put.run(namespace, key, value, rev, seq),
      ({ namespace, key }) => void remove.run(namespace, key),
    ),
  );
}
