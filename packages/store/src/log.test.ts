import type { Event } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Store } from './api.ts';
import { openDatabase } from './database.ts';
import { migrationsFor } from './schema.ts';
import type { Database } from './sql.ts';
import { memoryStore, T0, uuid } from './testing/fixtures.ts';

let store: Store;
beforeEach(() => {
  ({ store } = memoryStore());
});
afterEach(() => store.close());

function command(event_id: string): Event {
  return {
    type: 'human_command',
    event_id,
    created_at: T0,
    actor: 'rob',
    trusted: true,
    task_id: 't1',
    word: 'resolved',
  };
}

describe('events', () => {
  let database: Database;
  beforeEach(() => {
    database = openDatabase(':memory:', migrationsFor(uuid));
    database.db.exec(
      "INSERT INTO events (event_id, at, kind, version, lamport, payload) VALUES ('e', 'now', 'config.x', 1, 1, '{}')",
    );
  });
  afterEach(() => database.close());

  it.each([
    "UPDATE events SET payload = '[]'",
    'DELETE FROM events',
    "INSERT OR REPLACE INTO events (seq, event_id, at, kind, version, lamport, payload) VALUES (1, 'e', 'now', 'forged', 1, 1, '{}')",
  ])('are append-only: %s', (sql) => {
    expect(() => database.db.exec(sql)).toThrow(/append-only/);
    expect(database.db.prepare('SELECT kind, payload FROM events').all()).toEqual([
      { kind: 'config.x', payload: '{}' },
    ]);
  });
});

describe('the log', () => {
  it('appends an event_id once per sprint', async () => {
    const first = await store.events.appendEvent('s1', command('c1'));
    const again = await store.events.appendEvent('s1', command('c1'));
    const other = await store.events.appendEvent('s2', command('c1'));

    expect([first, again, other]).toEqual([
      { appended: true, seq: 1 },
      { appended: false, seq: 1 },
      { appended: true, seq: 2 },
    ]);
    expect(store.events.lastSeq()).toBe(2);
  });

  it('counts what a batch appended and keeps no half of one that fails', async () => {
    const row = { kind: 'sprint.started', sprint_id: null, payload: {} };

    const made = await store.events.append([
      { ...row, event_id: 'a' },
      { ...row, event_id: 'a' },
      { ...row, event_id: 'b' },
    ]);
    const failed = store.events.append([
      { ...row, event_id: 'c' },
      { ...row, event_id: 'd', payload: undefined },
    ]);

    expect(made).toEqual({ appended: 2, last_seq: 2 });
    await expect(failed).rejects.toMatchObject({ code: 'STORE_VALUE_INVALID' });
    expect(store.events.lastSeq()).toBe(2);
  });

  it('reads by place, kind, prefix of kind, sprint and number', async () => {
    const kinds = ['sprint.started', 'sprint.stuck', 'sprints', 'run.ended'];
    await store.events.append(
      kinds.map((kind, i) => ({ event_id: kind, kind, sprint_id: i % 2 === 0 ? 's1' : null, payload: i })),
    );
    const read = (query: Omit<Parameters<typeof store.events.read>[0], 'after'> & { after?: number }) =>
      store.events.read({ after: 0, ...query }).map(({ kind }) => kind);

    expect(read({})).toEqual(kinds);
    expect(read({ kinds: ['sprint.*', 'run.ended'] })).toEqual([
      'sprint.started',
      'sprint.stuck',
      'run.ended',
    ]);
    expect(read({ kinds: [] })).toEqual([]);
    expect(read({ sprint_id: 's1' })).toEqual(['sprint.started', 'sprints']);
    expect(read({ after: 1, limit: 2 })).toEqual(['sprint.stuck', 'sprints']);
    expect(store.events.read({ after: 3 })).toEqual([
      {
        seq: 4,
        event_id: 'run.ended',
        at: T0,
        kind: 'run.ended',
        version: 1,
        run_id: null,
        actor: null,
        sprint_id: null,
        target: null,
        causation_id: null,
        correlation_id: null,
        lamport: 4,
        payload: 3,
      },
    ]);
  });

  it('refuses a row that a sprint would read as an event but is none', async () => {
    const failed = store.events.append([
      { event_id: 'x', kind: 'human_command', sprint_id: 's1', payload: { word: 'please' } },
    ]);

    await expect(failed).rejects.toMatchObject({ code: 'STORE_ROW_INVALID' });
  });

  it('gives a sprint its own events after its cursor and the newest seq of all', async () => {
    await store.events.appendEvent('s1', command('c1'));
    await store.events.appendEvent('s2', command('c2'));
    await store.events.append([{ event_id: 'n', kind: 'sprint.stuck', sprint_id: 's1', payload: {} }]);
    await store.events.appendEvent('s1', command('c3'));
    await store.kv.put('k', 1);

    const news = await store.forRun({ run_id: 'r', lease: null }).log.since({ sprint_id: 's1', after: 1 });

    expect(news).toEqual({ events: [{ seq: 4, event: command('c3') }], last_seq: 5 });
  });
});
