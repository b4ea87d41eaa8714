import type { Event } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunStore, Store } from './api.ts';
import {
  actionOf,
  commitOf,
  cursors,
  memoryStore,
  SHA,
  sprintState,
  T0,
  type testClock,
} from './testing/fixtures.ts';

let store: Store;
let clock: ReturnType<typeof testClock>;
let run: RunStore;
beforeEach(() => {
  ({ store, clock } = memoryStore());
  run = store.forRun({ run_id: 'r1', lease: null });
});
afterEach(() => store.close());

const merged: Event = {
  type: 'pr_merged',
  event_id: 'pr_merged:7',
  created_at: T0,
  actor: 'rob',
  trusted: true,
  pr_number: 7,
  merge_sha: SHA,
};

describe('commit', () => {
  it('D1 writes state, cursors, poll time, events, actions, announcements and keys together', async () => {
    const change = commitOf({
      cursors: { v: 1, log_seq: 0, forge: { issues: { updated_at: T0, etag: null } } },
      last_poll: T0,
      events: [merged],
      actions: [actionOf(1), actionOf(2)],
      announce: [{ kind: 'sprint.started', payload: { goal: 'x' } }],
      puts: { 'caloron:active_sprint': { sprint_id: 's1' } },
    });

    expect(await run.state.commit(change)).toEqual({ changed: true, rev: 1 });

    expect(await run.state.load('s1')).toEqual({
      state: change.state,
      rev: 1,
      cursors: change.cursors,
      last_poll: T0,
    });
    expect(await run.log.seen('s1', ['pr_merged:7', 'other'])).toEqual(['pr_merged:7']);
    expect(
      store.outboxRows('s1').map(({ status, next_at, attempts }) => ({ status, next_at, attempts })),
    ).toEqual([
      { status: 'pending', next_at: T0, attempts: 0 },
      { status: 'pending', next_at: T0, attempts: 0 },
    ]);
    expect(await run.kv.get('caloron:active_sprint')).toMatchObject({ value: { sprint_id: 's1' } });
    const kinds = store.events.read({ after: 0 }).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind !== 'kv.put')).toEqual([
      'pr_merged',
      'outbox.intended',
      'outbox.intended',
      'sprint.started',
    ]);
    expect(store.events.read({ after: 0 }).every(({ run_id }) => run_id === 'r1')).toBe(true);
  });

  it('logs what does not count once, with its reason and its task', async () => {
    const ignored = [
      { id: 'pull request #4 draft', reason: 'it is a draft', task_id: 't1' },
      { id: 'issue at 1', reason: 'it cannot be read' },
    ];
    await run.state.commit(commitOf({ ignored }));

    const again = await run.state.commit({ ...commitOf({ ignored }), expect_rev: 1 });

    expect(again.changed).toBe(false);
    const rows = store.events.read({ after: 0, kinds: ['forge.ignored'] });
    expect(rows.map(({ payload }) => payload)).toEqual([
      { ...ignored[0], task_id: 't1' },
      { ...ignored[1], task_id: null },
    ]);
  });

  it('writes nothing the second time', async () => {
    const change = commitOf({
      last_poll: T0,
      events: [merged],
      actions: [actionOf(1)],
      announce: [{ kind: 'sprint.stuck', payload: {} }],
      puts: { k: 1 },
    });
    await run.state.commit(change);
    const before = store.events.lastSeq();

    expect(await run.state.commit({ ...change, expect_rev: 1 })).toEqual({ changed: false, rev: 1 });
    expect(store.events.lastSeq()).toBe(before);
  });

  it('takes a log cursor that passed only rows no sprint reads for no change', async () => {
    await run.state.commit(commitOf());
    const idle = store.events.lastSeq();

    expect(
      await run.state.commit(commitOf({ expect_rev: 1, cursors: { ...cursors, log_seq: idle } })),
    ).toEqual({ changed: false, rev: 1 });

    const { seq } = await store.events.appendEvent('s1', {
      type: 'human_command',
      event_id: 'c',
      created_at: T0,
      actor: null,
      trusted: true,
      task_id: 't1',
      word: 'resolved',
    });
    expect(
      await run.state.commit(commitOf({ expect_rev: 1, cursors: { ...cursors, log_seq: seq } })),
    ).toEqual({ changed: true, rev: 1 });
    expect((await run.state.load('s1')).cursors.log_seq).toBe(seq);
  });

  it('refuses a stale revision with both revisions and writes nothing of the change', async () => {
    await run.state.commit(commitOf());
    await run.state.commit(commitOf({ expect_rev: 1, state: sprintState('s1', 'b') }));
    const before = store.events.lastSeq();

    const stale = run.state.commit(
      commitOf({ expect_rev: 1, state: sprintState('s1', 'c'), events: [merged], actions: [actionOf(1)] }),
    );

    await expect(stale).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
      details: { key: 'caloron:s1:state', expected: 1, actual: 2 },
    });
    await expect(run.state.commit(commitOf())).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
      details: { expected: 0, actual: 2 },
    });
    expect(store.events.lastSeq()).toBe(before);
    expect(store.outboxRows('s1')).toEqual([]);
  });

  it('D1 refuses a run that lost its lease and writes nothing', async () => {
    const lease = (await store.leases.acquire('tick:s1', 'r2', 1000))!;
    const late = store.forRun({ run_id: 'r2', lease });
    clock.advance(1000);
    await store.leases.acquire('tick:s1', 'r3', 1000);

    await expect(late.state.commit(commitOf())).rejects.toMatchObject({
      code: 'STORE_FENCED',
      details: { lease: 'tick:s1', fence: 1, actual: 2 },
    });
    expect(await run.state.exists('s1')).toBe(false);
  });

  it('rolls everything back when the last part is refused', async () => {
    const failed = run.state.commit(commitOf({ events: [merged], puts: { 'caloron:s1:agents': {} } }));

    await expect(failed).rejects.toMatchObject({ code: 'STORE_KEY_VIRTUAL' });
    expect(store.events.lastSeq()).toBe(0);
    expect(store.sprints()).toEqual([]);
    expect(await run.log.seen('s1', ['pr_merged:7'])).toEqual([]);
  });

  it.each([
    ['a state of another shape', { state: { ...sprintState(), status: 'paused' as 'active' } }],
    ['a state of another sprint', { state: sprintState('s2') }],
    ['an action of another sprint', { actions: [actionOf(1, 's2')] }],
  ])('refuses %s', async (_what, change) => {
    await expect(run.state.commit(commitOf(change))).rejects.toMatchObject({ code: 'STORE_VALUE_INVALID' });
    expect(store.events.lastSeq()).toBe(0);
  });

  it('leaves an action that is there already as it is', async () => {
    await run.state.commit(commitOf({ actions: [actionOf(1)] }));
    await run.outbox.start(actionOf(1).action_id);

    await run.state.commit(commitOf({ expect_rev: 1, actions: [{ ...actionOf(1), cause: 'other' }] }));

    expect(store.outboxRows('s1')).toMatchObject([
      { status: 'running', attempts: 1, action: { cause: 'kickoff' } },
    ]);
  });

  it('announces the same thing again only when the state has changed', async () => {
    const announce = [{ kind: 'sprint.stuck' as const, payload: { t1: 'agent_busy' } }];
    await run.state.commit(commitOf({ announce }));
    await run.state.commit(commitOf({ expect_rev: 1, announce }));
    await run.state.commit(commitOf({ expect_rev: 1, announce, state: sprintState('s1', 'b') }));

    expect(store.events.read({ after: 0, kinds: ['sprint.*'] })).toHaveLength(2);
  });

  it('keeps tasks whose ids look like integers or __proto__', async () => {
    const state = sprintState();
    const tasks = JSON.parse('{"10":1,"9":2,"__proto__":3}') as object;

    await store.kv.put('tasks', { ...state, tasks });

    expect(JSON.stringify((await store.kv.get('tasks'))?.value)).toContain('"__proto__":3');
  });
});

describe('load', () => {
  it('names an unknown sprint, the known ones and the next command', async () => {
    await run.state.commit(commitOf());
    await run.state.commit(commitOf({ sprint_id: 's2', state: sprintState('s2') }));

    const failed = run.state.load('s3');

    await expect(failed).rejects.toMatchObject({
      code: 'SPRINT_UNKNOWN',
      details: { sprint_id: 's3', known: ['s2', 's1'] },
      hint: expect.stringContaining('caloron kickoff'),
    });
    await expect(
      run.state.commit(commitOf({ sprint_id: 's3', state: sprintState('s3'), expect_rev: 1 })),
    ).rejects.toMatchObject({ code: 'SPRINT_UNKNOWN' });
    expect(store.sprints()).toEqual(['s2', 's1']);
    expect([await run.state.exists('s2'), await run.state.exists('s3')]).toEqual([true, false]);
  });

  it('takes missing cursors for damage, not for the beginning', async () => {
    await run.state.commit(commitOf());
    await store.kv.delete('caloron:s1:cursors');

    await expect(run.state.load('s1')).rejects.toMatchObject({
      code: 'STORE_VALUE_INVALID',
      details: { key: 'caloron:s1:cursors' },
    });
  });
});
