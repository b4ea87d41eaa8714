import { join } from 'node:path';

import { keys } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Store } from './api.ts';
import { openStore } from './store.ts';
import { memoryStore, processRow, T0, tempDir, type testClock, uuid } from './testing/fixtures.ts';

let store: Store;
let clock: ReturnType<typeof testClock>;
beforeEach(() => {
  ({ store, clock } = memoryStore());
});
afterEach(() => store.close());

const ada = { sprint_id: 's1', agent_id: 'ada', process_id: 'p1' };
const silent = { status: null, tokens_used: null, progress_at: null, next_by: null };
const started = { pid: 42, start_ticks: '99', pgid: 42 };
const exit = () => ({ code: 1, signal: null, at: clock.now(), known: true });
const second = processRow({ process_id: 'p2', action_id: 'e'.repeat(32), attempt: 2, mode: 'resume' });

describe('processes', () => {
  it('are known before they run, once per action', async () => {
    await store.processes.begin(processRow(), 'h1');

    const again = store.processes.begin(processRow({ process_id: 'p2' }), 'h2');

    await expect(again).rejects.toMatchObject({
      code: 'PROCESS_EXISTS',
      details: { action_id: 'f'.repeat(32), process_id: 'p1' },
    });
    expect(store.processes.get('p1')).toEqual(processRow());
    expect(store.processes.byAction('f'.repeat(32))).toEqual(processRow());
    expect(store.processes.get('p2')).toBeUndefined();
    expect(store.processes.byTokenHash('h2')).toBeUndefined();
  });

  it('refuse a damaged row and an unknown process', async () => {
    await expect(store.processes.begin(processRow({ task_id: '../x' }), 'h')).rejects.toMatchObject({
      code: 'STORE_ROW_INVALID',
    });
    await expect(store.processes.running('p9', started)).rejects.toMatchObject({ code: 'PROCESS_UNKNOWN' });
    await expect(store.processes.settle('p9', exit(), 'exited')).rejects.toMatchObject({
      code: 'PROCESS_UNKNOWN',
    });
  });

  it('have used what their beats told, a name cut amid a letter made whole', async () => {
    await store.processes.begin(processRow(), 'h1');
    const used = { output: 2, model: 'half \ud83d', input: 1, cache_write: 0, cache_read: 4 };
    await store.processes.beat(ada, { ...silent, tokens_used: 7, usage: [used] }, clock.now());

    expect(store.processes.agents('s1')).toMatchObject([{ usage: [{ ...used, model: 'half \ufffd' }] }]);
    await store.processes.beat(
      ada,
      { ...silent, tokens_used: 8, usage: [{ ...used, model: 'whole \\ud83d 😀', output: 3 }] },
      clock.now(),
    );
    expect(store.processes.agents('s1')).toMatchObject([
      { usage: [{ model: 'whole \\ud83d 😀', output: 3 }] },
    ]);
  });

  it('were last seen at their beat or their start, and not at all once replaced', async () => {
    const [first, next] = [processRow(), second];
    await store.processes.begin(first, 'h1');
    const started_at = clock.now();
    expect(store.processes.seenAt(first)).toBe(started_at);

    clock.advance(60_000);
    await store.processes.beat(ada, silent, clock.now());
    expect(store.processes.seenAt(first)).toBe(clock.now());
    expect(store.processes.seenAt(first)).not.toBe(started_at);

    await store.processes.begin(next, 'h2');
    expect(store.processes.seenAt(first)).toBeUndefined();
    expect(store.processes.seenAt(next)).toBe(clock.now());
  });

  it('are open until they are settled, and settled once', async () => {
    await store.processes.begin(processRow(), 'h1');
    await store.processes.running('p1', started);
    expect(store.processes.open()).toMatchObject([{ process_id: 'p1', state: 'running', pid: 42 }]);

    await store.processes.settle('p1', exit(), 'exited');
    await store.processes.settle('p1', { ...exit(), code: null, known: false }, 'lost');
    await store.processes.running('p1', started);

    expect(store.processes.open()).toEqual([]);
    expect(store.processes.get('p1')).toMatchObject({ state: 'exited', exit: { code: 1 } });
    expect(store.events.read({ after: 0, kinds: ['agent_*'] })).toMatchObject([
      {
        kind: 'agent_exited',
        event_id: 'agent_exited:p1',
        sprint_id: 's1',
        target: 't1',
        payload: { process_id: 'p1', task_id: 't1', role: 'author', exit: { code: 1 }, trusted: true },
      },
    ]);
  });

  it('are to pause for the first reason given, until they end', async () => {
    await store.processes.begin(processRow(), 'h1');
    await store.processes.pause('p1', 'budget: one');
    await store.processes.pause('p1', 'budget: two');
    expect(store.processes.get('p1')?.pause).toBe('budget: one');

    await store.processes.begin(second, 'h2');
    await store.processes.settle('p2', exit(), 'exited');
    await store.processes.pause('p2', 'late');
    expect(store.processes.get('p2')?.pause).toBeUndefined();
    await expect(store.processes.pause('p9', 'none')).rejects.toMatchObject({ code: 'PROCESS_UNKNOWN' });
  });

  it('are listed by sprint, and the newest is found by task and role', async () => {
    await store.processes.begin(processRow(), 'h1');
    await store.processes.begin(second, 'h2');
    await store.processes.begin(
      processRow({ process_id: 'p3', action_id: 'd'.repeat(32), sprint_id: 's2', role: 'reviewer' }),
      'h3',
    );

    expect(store.processes.list('s1').map(({ process_id }) => process_id)).toEqual(['p1', 'p2']);
    expect(store.processes.list()).toHaveLength(3);
    expect(store.processes.latest('s1', 't1', 'author')?.process_id).toBe('p2');
    expect(store.processes.latest('s1', 't1', 'reviewer')).toBeUndefined();
  });

  it('are found by their token until an hour after their end', async () => {
    await store.processes.begin(processRow(), 'h1');
    expect(store.processes.byTokenHash('h1')?.process_id).toBe('p1');
    expect(store.processes.byTokenHash('')).toBeUndefined();

    await store.processes.settle('p1', exit(), 'exited');
    clock.advance(3_599_999);
    expect(store.processes.byTokenHash('h1')?.process_id).toBe('p1');
    clock.advance(1);
    expect(store.processes.byTokenHash('h1')).toBeUndefined();
  });
});

describe('a process at hand', () => {
  it('is what another connection made of it, a turn of the event loop later', async () => {
    const { dir, remove } = tempDir();
    const stores = [0, 1].map(() => openStore(join(dir, 'a.db'), { clock, uuid }));
    const shell = stores[0]!.processes;
    const other = stores[1]!.processes;
    await shell.begin(processRow(), 'h1');
    expect(shell.byTokenHash('h1')?.state).toBe('spawning');
    expect(shell.byTokenHash('h2')).toBeUndefined();

    await other.settle('p1', { ...exit(), at: T0 }, 'exited');
    await other.begin(second, 'h2');
    await new Promise(setImmediate);

    expect(shell.get('p1')?.state).toBe('exited');
    expect(shell.byTokenHash('h1')?.state).toBe('exited');
    expect(shell.byTokenHash('h2')?.process_id).toBe('p2');
    clock.advance(3_600_000);
    expect(shell.byTokenHash('h1')).toBeUndefined();
    for (const each of stores) each.close();
    remove();
  });

  it('is settled at once for the connection that settled it', async () => {
    await store.processes.begin(processRow(), 'h1');
    expect(store.processes.byTokenHash('h1')).toBe(store.processes.get('p1'));

    const settling = store.processes.settle('p1', exit(), 'lost');
    expect(store.processes.get('p1')?.state).toBe('spawning');
    await settling;

    expect(store.processes.get('p1')?.state).toBe('lost');
    expect(store.processes.byTokenHash('h1')?.state).toBe('lost');
  });

  it('cannot be changed by who looks at it', async () => {
    await store.processes.begin(processRow(), 'h1');
    await store.processes.settle('p1', exit(), 'exited');
    const row = store.processes.get('p1');

    expect(Object.isFrozen(row)).toBe(true);
    expect(Object.isFrozen(row?.exit)).toBe(true);
  });
});

describe('agents', () => {
  const info = () => store.processes.agents('s1')[0];

  it('are spawning, working, blocked when they say so, and finished', async () => {
    await store.processes.begin(processRow(), 'h1');
    expect(info()).toMatchObject({ status: 'spawning', alive: true, pid: null, task_started_at: T0 });

    await store.processes.running('p1', started);
    expect(info()).toMatchObject({ status: 'working', alive: true, pid: 42 });

    await store.processes.beat(ada, { ...silent, status: 'blocked' }, T0);
    expect(info()).toMatchObject({ status: 'blocked', alive: true });

    await store.processes.settle('p1', exit(), 'lost');
    expect(info()).toMatchObject({ status: 'finished', alive: false, exit: { code: 1 } });
  });

  it('keep their newest progress and their highest count of tokens', async () => {
    await store.processes.begin(processRow(), 'h1');
    const later = '2026-04-14T09:00:00.000Z';

    await store.processes.beat(ada, { ...silent, progress_at: later, tokens_used: 9, next_by: later }, T0);
    await store.processes.beat(ada, { ...silent, progress_at: T0, tokens_used: 3 }, later);

    expect(info()).toMatchObject({
      last_heartbeat_at: later,
      last_progress_at: later,
      tokens_used: 9,
      next_by: null,
    });
  });

  it('O6 keep the furthest of what was used: a beat told twice, one out of order and one without it change nothing', async () => {
    const used = (output: number) => [{ model: 'm', input: 0, output, cache_read: 0, cache_write: 0 }];
    const beat = (output: number) =>
      store.processes.beat(ada, { ...silent, tokens_used: output, usage: used(output) }, T0);
    await store.processes.begin(processRow(), 'h1');
    expect(info()?.usage).toBeUndefined();

    for (const output of [10, 30, 30, 20]) await beat(output);
    await store.processes.beat(ada, { ...silent, tokens_used: 30 }, T0);
    expect(info()).toMatchObject({ tokens_used: 30, usage: used(30) });

    await store.processes.settle('p1', exit(), 'exited');
    await beat(25);
    const log = store.events.read({ after: 0, sprint_id: 's1' });
    expect(log).toMatchObject([{ payload: { type: 'agent_exited', usage: used(30) } }]);
    expect(info()?.usage).toEqual(used(30));

    await store.processes.begin(second, 'h2');
    expect(info()).toMatchObject({ tokens_used: 0 });
    expect(info()?.usage).toBeUndefined();
  });

  it('do not take the beat of a process that was replaced', async () => {
    await store.processes.begin(processRow(), 'h1');
    await store.processes.beat(ada, { ...silent, tokens_used: 5 }, T0);
    clock.advance(1000);
    await store.processes.begin(second, 'h2');

    expect(await store.processes.beat(ada, { ...silent, tokens_used: 7 }, clock.now())).toBe(true);

    expect(info()).toMatchObject({
      process_id: 'p2',
      task_started_at: clock.now(),
      last_heartbeat_at: null,
      tokens_used: 0,
    });
    expect(await store.processes.beat({ ...ada, process_id: null }, silent, clock.now())).toBe(true);
    expect(info()?.last_heartbeat_at).toBe(clock.now());
  });

  it('that were never spawned in the sprint have no heart', async () => {
    await store.processes.begin(processRow(), 'h1');

    expect(await store.processes.beat({ ...ada, agent_id: 'bob' }, silent, T0)).toBe(false);
    expect(await store.processes.beat({ ...ada, sprint_id: 's2' }, silent, T0)).toBe(false);
  });

  it('show in kv with a revision that grows with each change', async () => {
    const revs: number[] = [];
    const look = async () => revs.push((await store.kv.get(keys.agents('s1')))?.rev ?? 0);
    await look();
    await store.processes.begin(processRow(), 'h1').then(look);
    await store.processes.running('p1', started).then(look);
    await store.processes.beat(ada, silent, T0).then(look);
    await store.processes.settle('p1', exit(), 'exited').then(look);

    expect(revs).toEqual([0, 2, 3, 4, 5]);
    expect(await store.kv.get(keys.agentPid('s1', 'bob'))).toBeUndefined();
    await expect(store.kv.delete(keys.agentPid('s1', 'ada'))).rejects.toMatchObject({
      code: 'STORE_KEY_VIRTUAL',
    });
  });

  it('keep an agent called constructor', async () => {
    await store.processes.begin(processRow({ agent_id: 'constructor' }), 'h1');

    const found = await store.kv.get(keys.agents('s1'));

    expect(Object.keys(found?.value as object)).toEqual(['constructor']);
  });
});
