import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { actionOf, commitOf, memoryStore, processRow, sprintState, T0 } from './testing/fixtures.ts';

let { store, clock } = memoryStore();
beforeEach(() => {
  ({ store, clock } = memoryStore());
});
afterEach(() => store.close());

describe('a sprint through the store', () => {
  it('goes from kickoff to a settled action and back to the next tick', async () => {
    const run = store.forRun({ run_id: 'r1', lease: null });

    const made = await run.state.commit(
      commitOf({
        actions: [actionOf(1)],
        announce: [{ kind: 'sprint.started', payload: {} }],
        puts: { 'caloron:s1:started_at': T0 },
      }),
    );
    const due = await run.outbox.due({ sprint_id: 's1', now: T0, limit: 10 });
    const started = await run.outbox.start(due[0]!.action_id);
    await run.outbox.succeed(due[0]!.action_id, { issue_number: 7 });
    const news = await run.log.since({ sprint_id: 's1', after: 0 });
    const read = await run.state.load('s1');

    expect(made).toEqual({ changed: true, rev: 1 });
    expect(started).toBe(true);
    expect(news.events.map(({ event }) => event)).toMatchObject([
      {
        type: 'action_succeeded',
        event_id: `action_succeeded:${due[0]!.action_id}`,
        trusted: true,
        actor: 'caloron',
        result: { issue_number: 7 },
      },
    ]);
    expect(news.last_seq).toBe(store.events.lastSeq());
    expect(read).toMatchObject({ rev: 1, state: sprintState(), last_poll: null });
    expect(store.sprints()).toEqual(['s1']);
    expect(store.outboxRows('s1')).toMatchObject([
      { status: 'done', attempts: 1, result: { issue_number: 7 } },
    ]);
  });

  it('shows an agent in kv from its spawn to its end', async () => {
    const run = store.forRun({ run_id: 'r1', lease: null });
    await store.processes.begin(processRow(), 'hash');
    await store.processes.running('p1', { pid: 42, start_ticks: '1', pgid: 42 });
    clock.advance(1000);

    const known = await store.processes.beat(
      { sprint_id: 's1', agent_id: 'ada', process_id: 'p1' },
      { status: 'coding', tokens_used: 5, progress_at: T0, next_by: null },
      clock.now(),
    );

    expect(known).toBe(true);
    expect(await run.kv.get('caloron:s1:agent:ada:pid')).toMatchObject({ value: 42 });
    expect(await run.kv.get('caloron:s1:agent:ada:last_heartbeat')).toMatchObject({ value: clock.now() });
    expect(await run.kv.get('caloron:s1:agents')).toMatchObject({
      value: { ada: { pid: 42, alive: true, status: 'working', tokens_used: 5 } },
    });
    expect(await run.kv.list('caloron:s1:')).toEqual([
      'caloron:s1:agent:ada:last_heartbeat',
      'caloron:s1:agent:ada:pid',
      'caloron:s1:agents',
    ]);
    await expect(run.kv.put('caloron:s1:agents', {})).rejects.toMatchObject({ code: 'STORE_KEY_VIRTUAL' });

    await store.processes.settle('p1', { code: 0, signal: null, at: clock.now(), known: true }, 'exited');
    await store.processes.settle('p1', { code: 0, signal: null, at: clock.now(), known: true }, 'exited');

    expect(store.processes.agents('s1')).toMatchObject([
      { agent_id: 'ada', alive: false, status: 'finished', exit: { code: 0 } },
    ]);
    expect((await run.log.since({ sprint_id: 's1', after: 0 })).events).toMatchObject([
      { event: { type: 'agent_exited', process_id: 'p1' } },
    ]);
  });
});
