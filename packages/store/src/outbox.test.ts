import { join } from 'node:path';

import { addMs } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunStore, Store } from './api.ts';
import { openStore } from './store.ts';
import { actionOf, commitOf, memoryStore, T0, tempDir, type testClock, uuid } from './testing/fixtures.ts';

let store: Store;
let clock: ReturnType<typeof testClock>;
let run: RunStore;
beforeEach(async () => {
  ({ store, clock } = memoryStore());
  run = store.forRun({ run_id: 'r1', lease: null });
  await run.state.commit(commitOf({ actions: [actionOf(1), actionOf(2)] }));
});
afterEach(() => store.close());

const one = actionOf(1).action_id;
const two = actionOf(2).action_id;
const error = { code: 'FORGE_UNAVAILABLE', message: 'down', retryable: true };

async function leased(holder: string): Promise<RunStore> {
  const lease = (await store.leases.acquire('tick:s1', holder, 30_000))!;
  return store.forRun({ run_id: holder, lease });
}
const due = async (of: RunStore, limit = 10) =>
  (await of.outbox.due({ sprint_id: 's1', now: clock.now(), limit })).map(({ action_id, interrupted }) => ({
    action_id,
    interrupted,
  }));

describe('outbox', () => {
  it('gives pending rows oldest first, up to the limit', async () => {
    expect(await due(run)).toEqual([
      { action_id: one, interrupted: false },
      { action_id: two, interrupted: false },
    ]);
    expect(await due(run, 1)).toHaveLength(1);
  });

  it('lets one of two runs start a row', async () => {
    const other = store.forRun({ run_id: 'r2', lease: null });

    expect(await Promise.all([run.outbox.start(one), other.outbox.start(one)])).toEqual([true, false]);
    expect(await due(run)).toEqual([{ action_id: two, interrupted: false }]);
    expect(store.outboxRows('s1')[0]).toMatchObject({ status: 'running', attempts: 1 });
  });

  it('makes a failed row due again at its time, and says when', async () => {
    await run.outbox.start(one);
    await run.outbox.fail(one, error, addMs(T0, 5000));
    await run.outbox.start(two);
    await run.outbox.succeed(two, {});

    expect(await due(run)).toEqual([]);
    expect(await run.outbox.nextDue('s1')).toBe(addMs(T0, 5000));
    clock.advance(5000);
    expect(await due(run)).toEqual([{ action_id: one, interrupted: false }]);
    expect(await run.outbox.start(one)).toBe(true);
    expect(await run.outbox.nextDue('s1')).toBeNull();
  });

  it('appends one event for each outcome, final when the action is dead', async () => {
    await run.outbox.start(one);
    await run.outbox.fail(one, error, T0);
    await run.outbox.start(one);
    await run.outbox.fail(one, error, null);
    await run.outbox.start(two);
    await run.outbox.succeed(two, { issue_number: 3, already: true });

    const { events } = await run.log.since({ sprint_id: 's1', after: 0 });

    expect(events.map(({ event }) => event)).toMatchObject([
      {
        type: 'action_failed',
        event_id: `action_failed:${one}:1`,
        final: false,
        error,
        action: actionOf(1),
        actor: 'caloron',
        trusted: true,
        created_at: T0,
      },
      { type: 'action_failed', event_id: `action_failed:${one}:2`, final: true },
      {
        type: 'action_succeeded',
        event_id: `action_succeeded:${two}`,
        result: { issue_number: 3, already: true },
      },
    ]);
    expect(store.events.read({ after: 0, kinds: ['outbox.*'] }).map(({ kind }) => kind)).toEqual([
      'outbox.intended',
      'outbox.intended',
      'outbox.started',
      'outbox.failed',
      'outbox.started',
      'outbox.dead',
      'outbox.started',
      'outbox.done',
    ]);
    expect(await run.outbox.start(one)).toBe(false);
    expect(await due(run)).toEqual([]);
  });

  it('D13 puts a row back for want of room as often as it takes: no attempt is counted, and each reason told once', async () => {
    const full = { code: 'CAPACITY_HOST', message: '4 of 4 run', retryable: true };
    const low = { code: 'CAPACITY_MEMORY', message: '3 MiB are left', retryable: true };
    for (const wanted of [...Array.from({ length: 20 }, () => full), low, low, full]) {
      clock.advance(1000);
      expect(await run.outbox.start(one)).toBe(true);
      await run.outbox.postpone(one, wanted, clock.now());
    }

    expect(store.outboxRows('s1')[0]).toMatchObject({ status: 'failed', attempts: 0, error: full });
    expect(await due(run)).toContainEqual({ action_id: one, interrupted: false });
    const { events } = await run.log.since({ sprint_id: 's1', after: 0 });
    expect(events.map(({ event }) => event)).toMatchObject([
      { type: 'action_failed', final: false, error: full },
      { type: 'action_failed', final: false, error: low },
      { type: 'action_failed', final: false, error: full },
    ]);
    expect(store.events.read({ after: 0, kinds: ['outbox.started'] })).toHaveLength(1);

    await run.outbox.start(one);
    await run.outbox.fail(one, error, T0);
    expect(store.outboxRows('s1')[0]).toMatchObject({ attempts: 1 });
    await expect(run.outbox.postpone(one, full, T0)).rejects.toMatchObject({ code: 'ACTION_NOT_RUNNING' });
  });

  it('takes a second report of the same outcome for none', async () => {
    await run.outbox.start(one);
    await run.outbox.succeed(one, { issue_number: 3 });
    await run.outbox.start(two);
    await run.outbox.fail(two, error, null);
    const before = store.events.lastSeq();

    await run.outbox.succeed(one, { issue_number: 4 });
    await run.outbox.fail(two, error, null);

    expect(store.events.lastSeq()).toBe(before);
    expect(store.outboxRows('s1')[0]?.result).toEqual({ issue_number: 3 });
  });

  it('refuses an outcome of an action that was not started, is settled otherwise, or is unknown', async () => {
    await expect(run.outbox.succeed(one, {})).rejects.toMatchObject({
      code: 'ACTION_NOT_RUNNING',
      details: { status: 'pending' },
    });
    await run.outbox.start(one);
    await run.outbox.succeed(one, {});
    await expect(run.outbox.fail(one, error, null)).rejects.toMatchObject({
      code: 'ACTION_NOT_RUNNING',
      details: { status: 'done' },
    });
    await expect(run.outbox.start('0'.repeat(32))).rejects.toMatchObject({ code: 'ACTION_UNKNOWN' });
  });

  it('refuses to settle what another run holds', async () => {
    const other = store.forRun({ run_id: 'r2', lease: null });
    await run.outbox.start(one);

    await expect(other.outbox.succeed(one, {})).rejects.toMatchObject({ code: 'STORE_FENCED' });
    await expect(other.outbox.fail(one, error, T0)).rejects.toMatchObject({ code: 'STORE_FENCED' });
    expect(store.outboxRows('s1')[0]).toMatchObject({ status: 'running' });
  });

  it('gives a row started without a lease up after 60 s', async () => {
    const other = store.forRun({ run_id: 'r2', lease: null });
    await run.outbox.start(one);
    clock.advance(59_999);
    expect(await due(other)).toEqual([{ action_id: two, interrupted: false }]);
    clock.advance(1);

    expect(await due(other)).toEqual([
      { action_id: one, interrupted: true },
      { action_id: two, interrupted: false },
    ]);
    expect(await other.outbox.start(one)).toBe(true);
    await expect(run.outbox.succeed(one, {})).rejects.toMatchObject({ code: 'STORE_FENCED' });
    await other.outbox.succeed(one, { already: true });
    expect(store.outboxRows('s1')[0]).toMatchObject({ status: 'done', attempts: 2 });
  });

  it.each([
    ['has expired', async () => clock.advance(30_000)],
    ['was released', () => store.leases.release({ name: 'tick:s1', holder: 'a', fence: 1 })],
  ])('gives a running row to the next run once the lease %s', async (_what, lose) => {
    const a = await leased('a');
    await a.outbox.start(one);
    expect(await due(a)).toEqual([{ action_id: two, interrupted: false }]);

    await lose();
    const b = await leased('b');

    expect(store.outboxRows('s1')[0]).toMatchObject({ status: 'running', fence: 1, interrupted: true });
    expect(await due(b)).toEqual([
      { action_id: one, interrupted: true },
      { action_id: two, interrupted: false },
    ]);
    expect(await b.outbox.start(one)).toBe(true);
    await expect(a.outbox.succeed(one, {})).rejects.toMatchObject({ code: 'STORE_FENCED' });
    await expect(a.outbox.start(two)).rejects.toMatchObject({ code: 'STORE_FENCED' });
    expect(store.outboxRows('s1')[0]).toMatchObject({
      status: 'running',
      fence: 2,
      attempts: 2,
      interrupted: false,
    });
  });

  it('drains actions of no sprint without a domain event', async () => {
    const webhook = {
      ...actionOf(9, null),
      task_id: null,
      type: 'deliver_webhook' as const,
      url: 'http://127.0.0.1:1/',
      body: { ok: true },
      secret_env: null,
    };
    const { title: _t, body: _b, labels: _l, ...action } = { title: 0, labels: 0, ...webhook };
    const delivery = { ...action, body: { ok: true } };

    expect(await run.outbox.intend([delivery])).toEqual({ added: 1 });
    expect(await run.outbox.intend([delivery])).toEqual({ added: 0 });
    expect(await run.outbox.due({ sprint_id: null, now: T0, limit: 10 })).toMatchObject([
      { action_id: delivery.action_id, action: delivery },
    ]);
    await run.outbox.start(delivery.action_id);
    expect(await run.outbox.countOpen(null)).toBe(1);
    await run.outbox.succeed(delivery.action_id, {});

    expect(await run.outbox.countOpen(null)).toBe(0);
    expect(store.outboxRows(null)).toMatchObject([{ status: 'done' }]);
    expect(store.events.read({ after: 0, kinds: ['action_*'] })).toEqual([]);
  });
});

describe('two connections', () => {
  it('never both start one row', async () => {
    const { dir, remove } = tempDir();
    const [a, b] = [0, 1].map(() => openStore(join(dir, 'a.db'), { clock, uuid }));
    try {
      const runs = [a!, b!].map((of, i) => of.forRun({ run_id: `r${i}`, lease: null }));
      const actions = Array.from({ length: 30 }, (_, i) => actionOf(i + 1));
      await runs[0]!.state.commit(commitOf({ actions }));

      const won = await Promise.all(
        runs.map((of) => Promise.all(actions.map(({ action_id }) => of.outbox.start(action_id)))),
      );

      expect(actions.map((_, i) => won.filter((list) => list[i]).length)).toEqual(actions.map(() => 1));
      expect(a!.outboxRows('s1').every(({ attempts }) => attempts === 1)).toBe(true);
    } finally {
      a!.close();
      b!.close();
      remove();
    }
  });
});
