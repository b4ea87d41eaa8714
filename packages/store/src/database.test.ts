import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase } from './database.ts';
import type { StoreError } from './errors.ts';
import type { Database, Migration } from './sql.ts';
import { tempDir } from './testing/fixtures.ts';

const migrations: readonly Migration[] = [
  { name: 'one', sql: 'CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT) STRICT' },
];

let { dir, remove } = tempDir();
let open: Database[] = [];
beforeEach(() => {
  ({ dir, remove } = tempDir());
  open = [];
});
afterEach(() => {
  for (const database of open) database.close();
  remove();
});

function database(name = 'a.db', steps = migrations, options = {}): Database {
  const made = openDatabase(join(dir, name), steps, options);
  open.push(made);
  return made;
}

function thrown(fn: () => unknown): StoreError {
  try {
    fn();
  } catch (error) {
    return error as StoreError;
  }
  throw new Error('nothing was thrown');
}

describe('openDatabase', () => {
  it('makes missing directories and a file that is its owner’s alone', () => {
    const made = database('deep/er/a.db');

    expect(statSync(made.path).mode & 0o777).toBe(0o600);
    expect(made.db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(made.db.prepare('PRAGMA foreign_keys').get()).toEqual({ foreign_keys: 1 });
    expect(made.db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(made.db.prepare('PRAGMA busy_timeout').get()).toEqual({ timeout: 20 });
  });

  it('applies each migration once and the later ones later', () => {
    database().db.exec("INSERT INTO t (text) VALUES ('kept')");

    const newer = database('a.db', [
      ...migrations,
      { name: 'two', sql: 'ALTER TABLE t ADD COLUMN more TEXT' },
    ]);

    expect(newer.db.prepare('SELECT text, more FROM t').all()).toEqual([{ text: 'kept', more: null }]);
  });

  it('leaves nothing of a migration that fails', () => {
    const broken = [...migrations, { name: 'two', sql: 'CREATE TABLE u (n INTEGER); SELECT * FROM absent' }];

    expect(thrown(() => database('a.db', broken)).code).toBe('STORE_OPEN_FAILED');
    expect(database().db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([
      { name: 'migrations' },
      { name: 't' },
    ]);
  });

  it('refuses a database that newer code wrote', () => {
    database('a.db', [...migrations, { name: 'two', sql: 'SELECT 1' }]);

    const error = thrown(() => database());

    expect(error).toMatchObject({ code: 'STORE_NEWER', details: { version: 2, known: 1 } });
  });

  it.each([
    ['a directory', (path: string) => mkdirSync(path), /not a file/],
    [
      'text',
      (path: string) =>
        writeFileSync(path, 'not a database at all, but long enough to have a header '.repeat(20)),
      /not a SQLite database/,
    ],
    [
      'another program’s database',
      (path: string) => openDatabase(path, [{ name: 'forge', sql: 'CREATE TABLE f (n INTEGER)' }]).close(),
      /another program/,
    ],
  ])('refuses %s', (_what, make, reason) => {
    const path = join(dir, 'x.db');
    make(path);

    const error = thrown(() => database('x.db'));

    expect(error).toMatchObject({ code: 'STORE_OPEN_FAILED', details: { path } });
    expect(error.message).toMatch(reason);
    expect(error.hint).toMatch(/CALORON_DB/);
  });

  it('says of a damaged file what it takes to go on', () => {
    const made = database();
    const insert = made.db.prepare('INSERT INTO t (text) VALUES (?)');
    for (let n = 0; n < 400; n++) insert.run('x'.repeat(100));
    made.close();
    const bytes = readFileSync(made.path);
    writeFileSync(made.path, bytes.fill(65, 8_192, bytes.length));

    const damaged = database();
    expect(thrown(() => damaged.db.prepare('SELECT count(*), max(text) FROM t').get())).toMatchObject({
      code: 'STORE_FAILED',
      hint: expect.stringContaining('from a copy') as string,
    });
  });

  it('refuses a path below a file', () => {
    writeFileSync(join(dir, 'file'), '');

    expect(thrown(() => database('file/a.db'))).toMatchObject({ code: 'STORE_OPEN_FAILED' });
  });

  it('names a file it may not write', () => {
    database('r.db').close();
    chmodSync(dir, 0o755);
    chmodSync(join(dir, 'r.db'), 0o444);
    const script = `
      process.setgid(65534); process.setuid(65534);
      const { openDatabase } = await import(${JSON.stringify(new URL('./database.ts', import.meta.url).href)});
      try { openDatabase(${JSON.stringify(join(dir, 'r.db'))}, []); process.stdout.write('opened'); } catch (error) { process.stdout.write(error.code); }`;
    const asRoot = process.getuid?.() === 0;
    const source = asRoot ? script : script.replace(/process\.set\S+ process\.set\S+/, '');

    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
      encoding: 'utf8',
    });

    expect([stdout, stderr]).toEqual(['STORE_OPEN_FAILED', '']);
  });

  it('keeps memory databases apart', () => {
    const [a, b] = [openDatabase(':memory:', migrations), openDatabase(':memory:', migrations)];
    open.push(a, b);

    a.db.exec('INSERT INTO t (text) VALUES (1)');

    expect(b.db.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 });
  });
});

describe('write', () => {
  it('leaves nothing behind when its function throws', async () => {
    const { db, write } = database();

    const failed = write(() => {
      db.exec("INSERT INTO t (text) VALUES ('lost')");
      throw new Error('no');
    });

    await expect(failed).rejects.toThrow('no');
    expect(db.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 });
  });

  it('refuses a function that answers later, and keeps nothing of it', async () => {
    const { db, write } = database();

    await expect(write(async () => db.exec("INSERT INTO t (text) VALUES ('lost')"))).rejects.toThrow(
      TypeError,
    );
    expect(db.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 });
  });

  it('runs in the order of the calls', async () => {
    const { write } = database();
    const order: number[] = [];

    await Promise.all([1, 2, 3, 4].map((n) => write(() => order.push(n))));

    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('waits for another connection without blocking the process, then goes on', async () => {
    const [holder, waiter] = [database(), database()];
    holder.db.exec('BEGIN IMMEDIATE');
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks === 4) holder.db.exec('COMMIT');
    }, 5);

    const writing = waiter.write(() => waiter.db.exec("INSERT INTO t (text) VALUES ('in')"));
    await writing;
    clearInterval(timer);

    expect(ticks).toBeGreaterThan(3);
    expect(holder.db.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 1 });
  });

  it('gives up with STORE_BUSY, which may be tried again, and serves the next one', async () => {
    const [holder, waiter] = [database(), database('a.db', migrations, { deadline_ms: 60 })];
    holder.db.exec('BEGIN IMMEDIATE');

    await expect(waiter.write(() => undefined)).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
    });
    holder.db.exec('COMMIT');

    expect(await waiter.write(() => 'served')).toBe('served');
  });

  it('says STORE_FULL when the disk is full, and keeps nothing', async () => {
    const { db, write } = database();
    db.exec('PRAGMA max_page_count = 10');

    const full = write(() => {
      for (let i = 0; i < 100; i += 1) db.prepare('INSERT INTO t (text) VALUES (?)').run('x'.repeat(4000));
    });

    await expect(full).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
    expect(db.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 });
    expect(await write(() => 'goes on')).toBe('goes on');
  });

  it('says STORE_CLOSED after close', async () => {
    const { db, write, read, close } = database();
    const select = db.prepare('SELECT 1');
    close();

    await expect(write(() => undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    expect(thrown(() => read(() => 1)).code).toBe('STORE_CLOSED');
    expect(thrown(() => select.get()).code).toBe('STORE_CLOSED');
  });
});
