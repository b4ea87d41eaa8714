import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase } from './database.ts';
import type { Database } from './sql.ts';
import { openStore } from './store.ts';
import { endChildren, startChild } from './testing/children.ts';
import { tempDir, testClock, uuid } from './testing/fixtures.ts';

const migrations = [
  {
    name: 'one',
    sql: `CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT UNIQUE) STRICT;
      CREATE TABLE of_t (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED) STRICT`,
  },
];

let { dir, remove } = tempDir();
let open: Database[] = [];
beforeEach(() => {
  ({ dir, remove } = tempDir());
  open = [];
});
afterEach(async () => {
  await endChildren();
  for (const database of open) database.close();
  remove();
});

function database(name = 'a.db', options = {}): Database {
  const made = openDatabase(join(dir, name), migrations, options);
  open.push(made);
  return made;
}

function rows({ db }: Database): readonly string[] {
  return db
    .prepare('SELECT text FROM t ORDER BY n')
    .all()
    .map((row) => (row as { text: string }).text);
}

function inserter({ db, write }: Database): (text: string) => Promise<string> {
  const insert = db.prepare('INSERT INTO t (text) VALUES (?)');
  return (text) =>
    write(() => {
      insert.run(text);
      return text;
    });
}

const settled = (writes: readonly Promise<unknown>[]) =>
  Promise.all(
    writes.map((each) =>
      each.then(
        (value) => ({ value }),
        (error: { code?: string }) => ({ code: error.code }),
      ),
    ),
  );

describe('writes of one turn', () => {
  it('are on disk together before the first of them is answered', async () => {
    const [writer, reader] = [database(), database()];
    const insert = inserter(writer);
    const texts = Array.from({ length: 50 }, (_, n) => `row ${n}`);
    await insert('warm');
    const seen: number[] = [];

    await Promise.all(texts.map((text) => insert(text).then(() => seen.push(rows(reader).length))));

    // Of a machine that stands still for some milliseconds a group may be cut short, never an answer be early.
    expect(seen.every((count, n) => count >= n + 2)).toBe(true);
    expect(new Set(seen).size).toBeLessThan(10);
  });

  it('wait for those that arrive meanwhile, but not for a stream without end', async () => {
    const [writer, reader] = [database(), database()];
    const insert = inserter(writer);
    /** Writes two rows a turn until the one before the second pair is answered: whether that pair was on disk with it, and after how many turns. */
    const round = async (name: string): Promise<{ readonly together: boolean; readonly turns: number }> => {
      let turns = 0;
      let stop = false;
      const arrive = (): void => {
        if (stop) return;
        turns += 1;
        void insert(`${name} ${turns}`);
        void insert(`${name} ${turns} again`);
        setImmediate(arrive);
      };
      arrive();
      await insert(`${name} first`);
      stop = true;
      return { together: rows(reader).includes(`${name} 2 again`), turns };
    };

    // A machine that stands still for some milliseconds cuts a group short: not three times in a row.
    const rounds = [await round('a'), await round('b'), await round('c')];

    expect(rounds.some(({ together }) => together)).toBe(true);
    for (const { turns } of rounds) expect(turns).toBeLessThan(10);
  });

  it('have their own outcomes, in order, whichever of them fail and however', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('good', 'good', 'throws', 'refused', 'late', 'promise'), {
          minLength: 1,
          maxLength: 40,
        }),
        async (kinds) => {
          const made = openDatabase(':memory:', migrations);
          const insert = made.db.prepare('INSERT INTO t (text) VALUES (?)');
          const outcomes = await settled(
            kinds.map((kind, n) =>
              made.write((): unknown => {
                insert.run(`${kind} ${n}`);
                if (kind === 'throws') throw Object.assign(new Error('no'), { code: `NO_${n}` });
                if (kind === 'refused') insert.run(`${kind} ${n}`);
                // Only the commit finds that there is no such row.
                if (kind === 'late') made.db.exec('INSERT INTO of_t (n) VALUES (999)');
                return kind === 'promise' ? Promise.resolve() : n;
              }),
            ),
          );
          const kept = rows(made);
          made.close();

          expect(kept).toEqual(kinds.flatMap((kind, n) => (kind === 'good' ? [`good ${n}`] : [])));
          expect(outcomes).toEqual(
            kinds.map((kind, n) => {
              if (kind === 'good') return { value: n };
              if (kind === 'throws') return { code: `NO_${n}` };
              return { code: kind === 'promise' ? undefined : 'STORE_FAILED' };
            }),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are each told that the disk is full, and those that fit are kept', async () => {
    const full = database();
    full.db.exec('PRAGMA max_page_count = 12');
    const insert = inserter(full);
    const texts = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? `${n}` : `${n}`.repeat(100_000)));

    const outcomes = await settled(texts.map((text) => insert(text)));

    expect(outcomes).toEqual(
      texts.map((text, n) => (n % 2 === 0 ? { value: text } : { code: 'STORE_FULL' })),
    );
    expect(rows(full)).toEqual(['0', '2', '4', '6']);
  });

  it('are each told that others hold the database, by their own deadlines', async () => {
    const [holder, waiter] = [database(), database()];
    holder.db.exec('BEGIN IMMEDIATE');
    const patient = waiter.write(() => 'patient');

    const hasty = await settled([40, 80].map((deadline_ms) => waiter.write(() => 'hasty', { deadline_ms })));
    holder.db.exec('COMMIT');

    expect(hasty).toEqual([{ code: 'STORE_BUSY' }, { code: 'STORE_BUSY' }]);
    expect(await patient).toBe('patient');
  });

  it('are written when the database closes before their turn', async () => {
    const closing = database();
    const insert = inserter(closing);
    const writes = ['a', 'b', 'c'].map((text) => insert(text));

    closing.close();

    expect(await Promise.all(writes)).toEqual(['a', 'b', 'c']);
    expect(rows(database())).toEqual(['a', 'b', 'c']);
  });

  it('are refused when the database closes and others hold it', async () => {
    const [holder, closing] = [database(), database()];
    holder.db.exec('BEGIN IMMEDIATE');
    const writes = settled([inserter(closing)('a'), inserter(closing)('b')]);

    closing.close();

    expect(await writes).toEqual([{ code: 'STORE_BUSY' }, { code: 'STORE_BUSY' }]);
    holder.db.exec('COMMIT');
    expect(rows(holder)).toEqual([]);
  });
});

describe('a process killed amid its writes', () => {
  it('has every acknowledged beat of every agent in the database', async () => {
    const file = join(dir, 'a.db');
    const child = startChild('./beater.ts', [file, '16']);
    await child.printed('agent-15 20');
    child.process.kill('SIGKILL');
    await child.ended;

    const acknowledged = new Map<string, number>();
    for (const line of child.lines) {
      const [agent_id = '', tokens = '0'] = line.split(' ');
      expect(Number(tokens)).toBe((acknowledged.get(agent_id) ?? 0) + 1);
      acknowledged.set(agent_id, Number(tokens));
    }
    const store = openStore(file, { clock: testClock(), uuid });
    const kept = store.processes.agents('s1');
    store.close();

    expect(acknowledged.size).toBe(16);
    for (const { agent_id, tokens_used } of kept) {
      expect(tokens_used).toBeGreaterThanOrEqual(acknowledged.get(agent_id) ?? 0);
      // At most the one that was not answered yet is ahead.
      expect(tokens_used).toBeLessThanOrEqual((acknowledged.get(agent_id) ?? 0) + 1);
    }
  });
});
