import { z } from 'zod';

import { StoreError } from './errors.ts';
import type { Migration, Sql } from './sql.ts';

const Applied = z.array(z.strictObject({ version: z.number(), name: z.string() }));
const Tables = z.strictObject({ own: z.number(), all: z.number() });

/** How many steps the database has had. Throws STORE_OPEN_FAILED for another program's database, STORE_NEWER for a newer one. */
function applied(db: Sql, path: string, migrations: readonly Migration[]): number {
  // One statement: another process may be creating the tables at this moment.
  const tables = Tables.parse(
    db
      .prepare(
        "SELECT count(*) FILTER (WHERE name = 'migrations') AS own, count(*) AS \"all\" FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
      )
      .get(),
  );
  if (tables.all === 0) return 0;
  if (tables.own === 0)
    throw new StoreError('STORE_OPEN_FAILED', { path, reason: 'it holds the tables of another program' });

  const rows = Applied.safeParse(db.prepare('SELECT version, name FROM migrations ORDER BY version').all());
  const steps = rows.success ? rows.data : [];
  const foreign = steps.some(({ name }, i) => migrations[i] !== undefined && migrations[i].name !== name);
  if (!rows.success || foreign)
    throw new StoreError('STORE_OPEN_FAILED', { path, reason: 'it holds the tables of another program' });
  if (steps.length > migrations.length) {
    throw new StoreError('STORE_NEWER', { path, version: steps.length, known: migrations.length });
  }
  return steps.length;
}

/** Brings the schema up to date; several processes may do so at once. `immediate` runs a function in one BEGIN IMMEDIATE transaction. */
export function migrate(
  db: Sql,
  path: string,
  migrations: readonly Migration[],
  immediate: (fn: () => void) => void,
): void {
  if (applied(db, path, migrations) === migrations.length) return;

  immediate(() => {
    // Another process may have migrated while this one waited for the lock.
    const from = applied(db, path, migrations);
    db.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT');
    const record = db.prepare('INSERT INTO migrations (version, name) VALUES (?, ?)');
    for (const [i, { name, sql, seed }] of migrations.entries()) {
      if (i < from) continue;
      db.exec(sql);
      seed?.(db);
      record.run(i + 1, name);
    }
  });
}
