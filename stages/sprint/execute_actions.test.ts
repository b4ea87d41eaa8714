import { keys, type Action, type DagState, type Task } from '@caloron/types';
import { addMs, markerOf, providerOf } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { verifyCause } from '../dag/causes.ts';
import {
  about,
  cleanup,
  close,
  createIssue,
  done,
  escalate,
  hidden,
  marker,
  merge,
  notify,
  probe,
  restart,
  spawn,
  stop,
  submit,
  world,
} from '../testing/acting.ts';
import { forgeError, issueOf, sha } from '../testing/memory_forge.ts';
import { agentOf, shellError } from '../testing/memory_shell.ts';
import { rowOf } from '../testing/memory_store.ts';
import { action } from './action-id.ts';
import { EXAMPLE_NOW, exampleState, exampleTask } from './example.ts';
import { executeActions } from './execute_actions.ts';
import { startsInOrder } from './start_order.ts';

describe('a paused sprint', () => {
  const paused = { by: 'ada', at: EXAMPLE_NOW, stopped: false };

  it('begins no action, and takes all of them once it is resumed', async () => {
    const { store, shell, run, row } = world([spawn, probe]);
    await store.kv.put(keys.paused('sprint-1'), paused);
    expect((await run()).actions_taken).toEqual([]);
    expect([row(spawn)?.status, row(probe)?.status]).toEqual(['pending', 'pending']);
    expect(shell.spawned).toHaveLength(0);

    await store.kv.delete(keys.paused('sprint-1'));
    expect((await run()).actions_taken).toHaveLength(2);
    expect(shell.spawned).toHaveLength(1);
  });

  it('begins nothing further when it is paused while actions are taken', async () => {
    const { store, run, row } = world([merge, done]);
    const succeed = store.outbox.succeed.bind(store.outbox);
    Object.assign(store.outbox, {
      succeed: async (...given: Parameters<typeof succeed>) => {
        await store.kv.put(keys.paused('sprint-1'), paused);
        return succeed(...given);
      },
    });
    expect((await run()).actions_taken).toHaveLength(1);
    expect([row(merge)?.status, row(done)?.status]).toEqual(['done', 'pending']);
  });
});

describe('an action that was interrupted after its effect', () => {
  it.each<[string, Action, (w: ReturnType<typeof world>) => unknown]>([
    [
      'create_issue',
      { ...createIssue, body: 'x' + markerOf('sprint-1', 'other'), task_id: 'other' },
      ({ forge }) => forge.issues.length,
    ],
    ['spawn_agent', spawn, ({ shell, forge }) => [shell.spawned.length, forge.comments.length]],
    ['submit_pr_for_review', submit, ({ forge }) => forge.pulls[0]?.labels],
    ['merge_pr', merge, ({ forge }) => forge.calls.filter((call) => call === 'merge').length],
    ['mark_done', done, ({ forge }) => [forge.comments.length, forge.issues[0]?.state]],
    ['notify_agent', notify, ({ forge }) => forge.comments.length],
    ['supervisor probe', probe, ({ forge }) => forge.comments.length],
    ['supervisor restart', restart, ({ forge }) => forge.comments.length],
    ['escalate', escalate, ({ forge }) => [forge.issues.length, forge.comments.length]],
    ['close_sprint', close, ({ store }) => store.commits.length],
  ])('%s has it once', async (_, intended, effect) => {
    const w = world([intended]);
    expect((await w.run()).errors).toEqual([]);
    const once = effect(w);

    w.forget(intended);
    const again = await w.run();

    expect(again.errors).toEqual([]);
    expect(again.actions_taken).toHaveLength(1);
    expect(effect(w)).toEqual(once);
    expect(w.row(intended)?.status).toBe('done');
  });

  it.each<[string, Action, 'createIssue' | 'comment' | 'merge' | 'closeIssue']>([
    [
      'create_issue',
      { ...createIssue, body: 'x' + markerOf('sprint-1', 'other'), task_id: 'other' },
      'createIssue',
    ],
    ['merge_pr', merge, 'merge'],
    ['mark_done', done, 'comment'],
    ['mark_done', done, 'closeIssue'],
    ['notify_agent', notify, 'comment'],
    ['escalate', escalate, 'createIssue'],
  ])('%s finds it when the answer to %s was lost', async (_, intended, method) => {
    const w = world([intended]);
    w.forge.faults.set(method, [{ error: forgeError('FORGE_UNAVAILABLE', true), after: true }]);

    expect((await w.run()).actions_taken).toEqual([]);
    w.later(10_000);
    expect((await w.run()).actions_taken).toHaveLength(1);

    expect(w.forge.calls.filter((call) => call === method).length).toBeLessThanOrEqual(
      method === 'closeIssue' ? 2 : 1,
    );
    expect(w.row(intended)).toMatchObject({ status: 'done', attempts: 2 });
  });
});

describe('a write that nobody has answered', () => {
  const other = { ...createIssue, body: markerOf('sprint-1', 'other'), task_id: 'other' };
  const lost = { error: forgeError('FORGE_UNAVAILABLE', true), after: true };

  it.each<[Action, 'createIssue' | 'comment']>([
    [other, 'createIssue'],
    [escalate, 'createIssue'],
    [notify, 'comment'],
  ])('$type is looked for once the lists of a host that lags would show it', async (intended, method) => {
    const w = world([intended], {}, { host: null });
    w.forge.faults.set(method, [lost]);

    expect((await w.run()).errors).toEqual([
      expect.stringMatching(
        /FORGE_UNAVAILABLE: .*; it may have been written all the same, and is looked for from /,
      ),
    ]);
    w.later(39_000);
    expect(await w.run()).toMatchObject({ actions_taken: [], errors: [] });
    w.later(1_000);
    expect((await w.run()).actions_taken).toHaveLength(1);
    expect(w.forge.calls.filter((call) => call === method)).toHaveLength(1);
  });
});

describe('create_issue', () => {
  it('opens the issue with its label and tells its number', async () => {
    const w = world([{ ...createIssue, task_id: 'other', body: markerOf('sprint-1', 'other') }]);

    expect(await w.run()).toEqual({ actions_taken: ['issue:#5'], errors: [], issues_created: [5] });
    expect(w.forge.issues[1]).toMatchObject({ number: 5, labels: ['caloron:task'] });
  });

  it('takes the issue that carries its line', async () => {
    const w = world([createIssue]);

    expect((await w.run()).issues_created).toEqual([1]);
    expect(w.row(createIssue)?.result).toEqual({ issue_number: 1, already: true });
    expect(w.forge.issues).toHaveLength(1);
  });

  it('does not take an escalation of the task for its issue', async () => {
    const w = world([createIssue]);
    w.forge.issues[0] = issueOf(1, {
      body: `${marker}<!-- caloron-escalation:x -->`,
      labels: ['caloron:task'],
    });

    await w.run();

    expect(w.row(createIssue)?.result).toEqual({ issue_number: 5 });
  });
});

describe('an action of a task that a person gave up', () => {
  const other = { ...createIssue, task_id: 'other', body: markerOf('sprint-1', 'other') };
  const cancel = ({ store }: ReturnType<typeof world>, ...ids: readonly string[]): void => {
    const before = store.sprints.get('sprint-1');
    if (before === undefined) throw new Error('no sprint');
    const tasks = ids.map((id) => [id, { ...exampleTask, id, status: 'Cancelled' as const }]);
    store.sprints.set('sprint-1', {
      ...before,
      state: { ...before.state, tasks: { ...before.state.tasks, ...Object.fromEntries(tasks) } },
    });
  };

  it.each([other, submit, escalate, notify])('$type is taken back unasked', async (intended) => {
    const w = world([intended]);
    cancel(w, 'other', 'login-form');

    expect((await w.run()).actions_taken).toEqual([
      `${intended.type}:${String(intended.task_id)} (taken back: task ${String(intended.task_id)} is Cancelled)`,
    ]);
    expect(w.forge.calls).toEqual([]);
    expect(w.row(intended)).toMatchObject({ status: 'done', result: { taken_back: expect.any(String) } });
  });

  it('opens no issue where it was given up after the first of them were opened', async () => {
    const w = world([other, { ...other, action_id: 'f'.repeat(32), task_id: 'third' }]);
    const succeed = w.store.outbox.succeed.bind(w.store.outbox);
    Object.assign(w.store.outbox, {
      succeed: (...given: Parameters<typeof succeed>) => (cancel(w, 'third'), succeed(...given)),
    });

    expect((await w.run()).actions_taken).toEqual(['issue:#5', expect.stringMatching(/third \(taken back/)]);
    expect(w.forge.issues).toHaveLength(2);
  });

  it('finds the issue whose answer was lost, and opens none where there is none', async () => {
    for (const after of [true, false]) {
      const w = world([other]);
      w.forge.faults.set('createIssue', [{ error: forgeError('FORGE_UNAVAILABLE', true), after }]);
      await w.run();
      cancel(w, 'other');
      w.later(10_000);
      await w.run();

      expect(w.row(other)?.result).toMatchObject(
        after ? { issue_number: 5 } : { taken_back: expect.any(String) },
      );
      expect(w.forge.calls.filter((call) => call === 'createIssue')).toHaveLength(1);
    }
  });
});

describe('spawn_agent', () => {
  it('starts the agent, labels the issue and says so', async () => {
    const w = world([spawn]);

    expect((await w.run()).actions_taken).toEqual(['spawn:agent-1 (pid=4711)']);
    expect(w.shell.spawned).toMatchObject([
      {
        action_id: spawn.action_id,
        role: 'author',
        mode: 'start',
        attempt: 1,
        issue_number: 1,
        repo: 'owner/repo',
      },
    ]);
    expect(w.forge.issues[0]?.labels).toContain('caloron:assigned');
    expect(w.forge.comments[0]?.body).toMatch(/^@caloron-agent-agent-1 has been assigned this task\./);
    expect(w.forge.comments[0]?.body).toContain(marker);
    expect(w.row(spawn)?.result).toMatchObject({
      pid: 4711,
      process_id: 'process-1',
      base_sha: sha('b'),
      already: false,
    });
  });

  it('says nothing when an agent resumes or reviews', async () => {
    const w = world([{ ...spawn, mode: 'resume' }]);
    w.claim();

    await w.run();

    expect(w.shell.spawned).toHaveLength(1);
    expect(w.forge.calls).toEqual([]);
  });

  it('O4 is done although its comment could not be written', async () => {
    const w = world([spawn]);
    w.claim();
    w.forge.faults.set('comment', [{ error: forgeError('FORGE_FORBIDDEN') }]);

    const { actions_taken, errors } = await w.run();

    expect(actions_taken).toEqual(['spawn:agent-1 (pid=4711)']);
    expect(errors).toEqual([expect.stringContaining('FORGE_FORBIDDEN')]);
    expect(w.row(spawn)?.status).toBe('done');
  });

  it('5.5.4 is tried again while the shell is away, and dead after five times', async () => {
    const w = world([spawn]);
    w.shell.faults.set(
      'spawn',
      Array.from({ length: 5 }, () => shellError('SHELL_UNREACHABLE')),
    );

    const due: unknown[] = [];
    for (let n = 0; n < 5; n += 1) {
      await w.run();
      due.push(w.row(spawn)?.next_at);
      w.later(300_000);
    }

    expect(w.row(spawn)).toMatchObject({ status: 'dead', attempts: 5 });
    expect(due.slice(0, 3)).toEqual([
      addMs(EXAMPLE_NOW, 10_000),
      addMs(EXAMPLE_NOW, 320_000),
      addMs(EXAMPLE_NOW, 640_000),
    ]);
    expect(w.store.events.at(-1)?.event).toMatchObject({ type: 'action_failed', final: true });
  });

  it('runs four at a time beside the rest', async () => {
    const tasks = ['a', 'b', 'c', 'd', 'e', 'f'];
    const w = world(
      tasks.map((id, n) =>
        action('spawn_agent', { ...spawn, task_id: id, mode: 'resume', issue_number: n + 10 }),
      ),
    );
    const state = w.store.sprints.get('sprint-1');
    if (state !== undefined) {
      const all = Object.fromEntries(tasks.map((id) => [id, { ...exampleTask, id }]));
      w.store.sprints.set('sprint-1', { ...state, state: { ...state.state, tasks: all } });
    }
    let [now, most] = [0, 0];
    const original = w.shell.shell.spawn.bind(w.shell.shell);
    Object.assign(w.shell.shell, {
      spawn: async (request: Parameters<typeof original>[0]) => {
        now += 1;
        most = Math.max(most, now);
        for (let n = 0; n < 10; n += 1) await Promise.resolve();
        now -= 1;
        return original(request);
      },
    });

    expect((await w.run()).actions_taken).toHaveLength(6);
    expect(most).toBe(4);
  });
});

describe('supervisor', () => {
  const working = { status: 'InProgress', process_id: 'process-1', rung: 2 } as const;

  it('5.5.8 probes by a comment on the issue, and by the next heartbeat of the agent', async () => {
    const w = world([probe], working);

    expect((await w.run()).actions_taken).toEqual(['probe:agent-1 (no progress for 25 minutes)']);
    expect(w.forge.comments[0]?.body).toBe(`How is it going?\n\n${marker}${hidden(probe)}`);
    expect(w.shell.nudged).toEqual([
      { sprint_id: 'sprint-1', agent_id: 'agent-1', message: 'How is it going?' },
    ]);
    expect(w.shell.stopped).toEqual([]);
  });

  it('probes by the comment alone when the shell is away', async () => {
    const w = world([probe], working);
    w.shell.faults.set('nudge', [shellError('SHELL_UNREACHABLE')]);
    expect((await w.run()).errors[0]).toContain('SHELL_UNREACHABLE');
    expect(w.row(probe)).toMatchObject({
      status: 'done',
      result: { comment_id: expect.any(Number) as number },
    });
  });

  it('5.5.14 restarts by stopping the process: its end starts the next', async () => {
    const w = world([restart], working);
    w.shell.agents.push(
      agentOf('agent-1'),
      agentOf('agent-2', { task_id: 'other', process_id: 'process-2' }),
    );

    expect((await w.run()).actions_taken).toEqual(['restart:agent-1']);
    expect(w.shell.stopped).toMatchObject([{ process_id: 'process-1', reason: 'stalled: still none' }]);
    expect(w.row(restart)?.result).toMatchObject({ process_id: 'process-1' });
  });

  it('has nothing to stop when the process is gone', async () => {
    const w = world([restart], working);
    w.shell.agents.push(agentOf('agent-1', { alive: false }));

    await w.run();

    expect(w.shell.stopped).toEqual([]);
    expect(w.row(restart)).toMatchObject({ status: 'done', result: { already: true } });
  });

  const decided = action('supervisor', {
    ...restart,
    process_id: 'process-1',
    decided_at: '2026-04-14T08:10:00.000Z',
  });

  it.each([
    ['a person took the task meanwhile', { status: 'HumanAssigned', process_id: null }, {}],
    ['a person said that it can go on', { rung: 0 }, {}],
    ['another process has the task', { process_id: 'process-2' }, { process_id: 'process-2' }],
    ['the agent has come back to life', {}, { last_progress_at: '2026-04-14T08:10:00.001Z' }],
  ] as const)('G1 is taken back when %s: nothing is stopped and nothing said', async (_, task, agent) => {
    const w = world([decided], { ...working, ...task });
    w.shell.agents.push(agentOf('agent-1', agent));

    expect((await w.run()).actions_taken[0]).toMatch(/^restart:agent-1 \(taken back: /);
    expect(w.shell.stopped).toEqual([]);
    expect(w.forge.comments).toEqual([]);
    expect(w.row(decided)).toMatchObject({
      status: 'done',
      result: { taken_back: expect.any(String) as string },
    });
  });

  it('stops no process but the one it was decided about, and no reviewer', async () => {
    const w = world([decided], working);
    w.shell.agents.push(agentOf('agent-1', { process_id: 'process-1', role: 'reviewer' }));
    await w.run();
    expect(w.shell.stopped).toEqual([]);
  });
});

describe('stop_agent', () => {
  it('stops the process', async () => {
    const w = world([stop]);
    w.shell.agents.push(agentOf('agent-1'));

    expect((await w.run()).actions_taken).toEqual(['stop:agent-1']);
    expect(w.shell.stopped).toMatchObject([{ process_id: 'process-1', grace_ms: 10 }]);
  });

  it('is done for a process that has ended or that nobody knows', async () => {
    const ended = world([stop]);
    ended.shell.agents.push(agentOf('agent-1', { alive: false }));
    await ended.run();
    expect(ended.row(stop)).toMatchObject({ status: 'done', result: { already: true } });

    const unknown = world([stop]);
    unknown.shell.faults.set('stop', [shellError('PROCESS_UNKNOWN', false)]);
    await unknown.run();
    expect(unknown.row(stop)).toMatchObject({ status: 'done', result: { already: true } });
  });
});

describe('cleanup', () => {
  it('removes worktree and branch', async () => {
    const w = world([cleanup]);

    expect((await w.run()).actions_taken).toEqual(['cleanup:login-form']);
    expect(w.shell.cleaned).toEqual([{ sprint_id: 'sprint-1', task_id: 'login-form', merge_sha: sha('c') }]);
    expect(w.forge.deleted).toEqual(['caloron/sprint-1/login-form']);
  });

  it('keeps what the shell keeps', async () => {
    const w = world([cleanup]);
    w.shell.kept = 'uncommitted work';

    expect((await w.run()).actions_taken).toEqual(['cleanup:login-form (kept: uncommitted work)']);
    expect(w.forge.deleted).toEqual([]);
  });
});

describe('close_sprint', () => {
  it('stops the agents of this sprint, then says when it ended', async () => {
    const w = world([close]);
    w.shell.agents.push(
      agentOf('agent-1'),
      agentOf('agent-2', { sprint_id: 'sprint-2', process_id: 'process-2' }),
    );

    expect((await w.run()).actions_taken).toEqual(['close:sprint-1']);
    expect(w.shell.stopped.map(({ process_id }) => process_id)).toEqual(['process-1']);
    expect(w.store.rows.get(keys.endedAt('sprint-1'))?.value).toBe(EXAMPLE_NOW);
    expect(w.store.commits[0]?.announce).toMatchObject([
      { kind: 'sprint.completed', payload: { sprint_id: 'sprint-1' } },
    ]);
  });

  it('waits for starts whose answers were lost, and stops who they started', async () => {
    const w = world([close, spawn], { status: 'Cancelled' });
    w.store.actions.set(spawn.action_id, { ...rowOf(spawn), attempts: 1 });
    const start = w.shell.shell.spawn.bind(w.shell.shell);
    Object.assign(w.shell.shell, {
      spawn: async (...given: Parameters<typeof start>) => {
        // More than the ending of a sprint without agents takes.
        for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
        w.shell.agents.push(agentOf('agent-1'));
        return start(...given);
      },
    });

    await w.run();
    expect(w.shell.stopped.map(({ process_id }) => process_id)).toEqual(['process-1']);
  });
});

describe('a drain', () => {
  it('asks nothing while nothing is due', async () => {
    const w = world([]);

    expect(await w.run()).toEqual({ actions_taken: [], errors: [], issues_created: [] });
    expect(w.forge.calls).toEqual([]);
  });

  it('lets one poisoned action stop no other', async () => {
    const poisoned = action('notify_agent', {
      ...notify,
      task_id: 'login-form',
      cause: 'bad',
      issue_number: 99,
    });
    const lost = action('cleanup', { ...cleanup, task_id: 'ghost' });
    const webhook = action('deliver_webhook', {
      ...about,
      cause: 'x',
      url: 'https://example.org',
      body: {},
      secret_env: null,
    });
    const w = world([poisoned, lost, webhook, done]);
    w.forge.faults.set('comments', [{ error: new TypeError('undefined is not a function') }]);

    const { actions_taken, errors } = await w.run();

    expect(actions_taken).toEqual(['done:#1']);
    expect(errors).toEqual([
      expect.stringContaining('UNEXPECTED'),
      expect.stringContaining('ACTION_TASK_UNKNOWN'),
      expect.stringContaining('ACTION_NOT_SUPPORTED'),
    ]);
    expect([poisoned, lost, webhook].map((one) => w.row(one)?.status)).toEqual(['dead', 'dead', 'dead']);
  });

  it('leaves alone what another run has claimed', async () => {
    const w = world([done]);
    const due = w.store.outbox.due.bind(w.store.outbox);
    w.store.outbox.due = async (query) => {
      const rows = await due(query);
      for (const { action_id } of rows) await w.store.outbox.start(action_id);
      return rows;
    };

    expect((await w.run()).actions_taken).toEqual([]);
    expect(w.forge.calls).toEqual([]);
  });

  it('begins nothing more once it has lost its lease', async () => {
    const w = world([done, notify]);
    w.store.outbox.succeed = () => Promise.reject(forgeError('STORE_FENCED'));

    await expect(w.run()).rejects.toMatchObject({ code: 'STORE_FENCED' });

    expect(w.row(notify)?.status).toBe('pending');
  });

  it('waits for the end of a rate limit when that is later', async () => {
    const w = world([done]);
    const reset_at = addMs(EXAMPLE_NOW, 1_800_000);
    const limited = Object.assign(forgeError('FORGE_RATE_LIMITED', true), { details: { reset_at } });
    w.forge.faults.set('addLabels', [{ error: limited }]);

    await w.run();

    expect(w.row(done)).toMatchObject({ status: 'failed', next_at: reset_at });
  });

  it('fails the actions of a forge it may not open, and no others', async () => {
    const w = world([notify, { ...spawn, mode: 'resume' }]);
    w.claim();
    const { store, shell } = w;
    const open = (): never => {
      throw forgeError('FORGE_TOKEN_MISSING');
    };
    const ran = await executeActions.call(
      { sprint_id: 'sprint-1' },
      {
        outbox: store.outbox,
        state: store.state,
        kv: store.kv,
        forge: { open },
        shell: { open: () => shell.shell },
        clock: { now: () => EXAMPLE_NOW },
      },
    );

    expect(ran.actions_taken).toEqual(['spawn:agent-1 (pid=4711)']);
    expect(ran.errors).toEqual([expect.stringContaining('FORGE_TOKEN_MISSING')]);
  });
});

describe('execute_actions: room', () => {
  const other = (limit: Task['provider_limit'], change: Partial<DagState> = {}): DagState => ({
    ...exampleState,
    sprint_id: 'sprint-0',
    sprint: { ...exampleState.sprint, sprint_id: 'sprint-0' },
    tasks: { 'login-form': { ...exampleTask, provider_limit: limit ?? null } },
    ...change,
  });

  it('D13 tries a start that found no room again as often as it takes, and starts it once', async () => {
    const { run, shell, row, later } = world([spawn]);
    shell.faults.set(
      'spawn',
      Array.from({ length: 20 }, () => shellError('CAPACITY_HOST')),
    );
    for (let n = 0; n < 20; n += 1) {
      expect((await run()).errors).toEqual([
        expect.stringMatching(/^spawn_agent:login-form: CAPACITY_HOST: /),
      ]);
      expect(row(spawn)).toMatchObject({ status: 'failed', attempts: 0 });
      later(1000);
    }
    await run();
    expect(row(spawn)).toMatchObject({ status: 'done', attempts: 1 });
    expect(shell.spawned).toHaveLength(1);
  });

  it.each<[string, Partial<Task>]>([
    ['a person took', { status: 'HumanAssigned' }],
    ['is blocked', { status: 'Blocked', status_reason: 'issue_closed' }],
    ['is due another start', { status: 'InProgress', base_sha: sha('0'), head_sha: sha('a') }],
  ])('a start that waited is not made for a task that %s, and it when it is due again', async (_, task) => {
    const w = world([spawn], task);
    await w.run();
    await w.run();
    expect(w.shell.spawned).toEqual([]);
    const error = { code: 'ACTION_OVERTAKEN' };
    expect(w.row(spawn)).toMatchObject({ status: 'failed', attempts: 0, error });
    const before = await w.store.state.load('sprint-1');
    const ready: Task = { ...exampleTask, issue_number: 1, status: 'Ready' };
    w.store.sprints.set('sprint-1', {
      ...before,
      state: { ...before.state, tasks: { 'login-form': ready } },
    });
    await w.run();
    expect(w.shell.spawned).toHaveLength(1);
  });

  it.each<[string, Partial<Task>]>([
    ['is cancelled', { status: 'Cancelled' }],
    ['has had this attempt', { status: 'InProgress', attempt: 1 }],
  ])('a start that waited is taken back for good where its task %s', async (_, task) => {
    const w = world([spawn], task);
    await w.run();
    expect(w.shell.spawned).toEqual([]);
    expect(w.row(spawn)).toMatchObject({ status: 'done', result: { taken_back: expect.any(String) } });
  });

  it('a start whose answer was lost is asked for again, whatever its task is now', async () => {
    const w = world([spawn], { status: 'HumanAssigned' });
    w.store.actions.set(spawn.action_id, { ...rowOf(spawn), attempts: 1 });
    await w.run();
    expect(w.row(spawn)?.result).toMatchObject({ process_id: expect.any(String) });
  });

  it('D6 starts nobody on a provider whose limit another sprint met, until it ends', async () => {
    const { run, shell, store, row, later } = world([spawn]);
    const { framework, framework_options } = exampleState.sprint;
    const provider = providerOf(framework, framework_options);
    const until = addMs(EXAMPLE_NOW, 60_000);
    await store.kv.put(keys.state('sprint-0'), other({ provider, until }, { status: 'completed' }));

    expect((await run()).errors).toEqual([
      `spawn_agent:login-form: PROVIDER_HELD: ${provider} until ${until}, as an agent of sprint sprint-0 met`,
    ]);
    expect(row(spawn)).toMatchObject({ status: 'failed', attempts: 0, next_at: until });
    expect(shell.spawned).toEqual([]);

    later(60_000);
    await run();
    expect(shell.spawned).toHaveLength(1);
  });

  it('D6 looks every minute whether a person has lifted the limit that another sprint met', async () => {
    const { run, shell, store, row, later } = world([spawn]);
    const { framework, framework_options } = exampleState.sprint;
    const provider = providerOf(framework, framework_options);
    const until = addMs(EXAMPLE_NOW, 86_400_000);
    await store.kv.put(keys.state('sprint-0'), other({ provider, until }));
    await run();
    expect(row(spawn)).toMatchObject({ status: 'failed', next_at: addMs(EXAMPLE_NOW, 60_000) });

    await store.kv.put(keys.state('sprint-0'), other(null));
    later(60_000);
    await run();
    expect(shell.spawned).toHaveLength(1);
  });

  it('holds no run of the verify commands, which asks no provider for anything', async () => {
    const head = { status: 'InReview', head_sha: sha('a'), pr_number: 4 } as const;
    const task = { ...exampleTask, ...head };
    const about = { issue_number: 1, pr_number: 4, head_sha: sha('a'), instruction: null };
    const verify = action('spawn_agent', {
      ...about,
      cause: verifyCause(task),
      sprint_id: exampleState.sprint_id,
      task_id: task.id,
      agent_id: 'reviewer-1',
      role: 'reviewer',
      mode: 'verify',
      attempt: 1,
    });
    const approved = { login: 'rita', state: 'approved', review_id: 'r', at: EXAMPLE_NOW, body: '' } as const;
    const { run, shell, store } = world([verify], {
      ...head,
      reviews: { rita: { ...approved, head_sha: sha('a') } },
    });
    const { framework, framework_options } = exampleState.sprint;
    const provider = providerOf(framework, framework_options);
    await store.kv.put(keys.state('sprint-0'), other({ provider, until: addMs(EXAMPLE_NOW, 60_000) }));
    await run();
    expect(shell.spawned).toHaveLength(1);
  });

  it.each([
    ['of another provider', { provider: 'other', until: null }, {}],
    ['that has ended', { provider: '', until: addMs(EXAMPLE_NOW, -1) }, {}],
    ['for a person to lift whose sprint is over', { provider: '', until: null }, { status: 'cancelled' }],
  ] as const)('minds no limit %s', async (_what, limit, change) => {
    const { run, shell, store } = world([spawn]);
    const { framework, framework_options } = exampleState.sprint;
    const provider = limit.provider === '' ? providerOf(framework, framework_options) : limit.provider;
    const blocked = { ...exampleTask, status: 'Blocked', status_reason: 'provider_auth' } as const;
    const tasks = { 'login-form': { ...blocked, provider_limit: { provider, until: limit.until } } };
    await store.kv.put(keys.state('sprint-0'), other(null, { tasks, ...change }));
    await store.kv.put(keys.state('broken'), { v: 1 });
    await run();
    expect(shell.spawned).toHaveLength(1);
  });

  it('D17 with nothing due asks neither the forge nor the shell', async () => {
    const { store } = world([]);
    const never = (): never => {
      throw new Error('nothing is to be asked');
    };
    const clients = { outbox: store.outbox, state: store.state, kv: store.kv };
    const given = {
      ...clients,
      forge: { open: never },
      shell: { open: never },
      clock: { now: () => EXAMPLE_NOW },
    };
    expect(await executeActions.call({ sprint_id: 'sprint-1' }, given)).toEqual({
      actions_taken: [],
      errors: [],
      issues_created: [],
    });
  });

  it('takes reviewers first, then authors that go on, then new ones by their remaining path', () => {
    const tasks = Object.fromEntries(
      [
        { ...exampleTask, id: 'short', status: 'Ready' as const },
        { ...exampleTask, id: 'long', status: 'Ready' as const },
        { ...exampleTask, id: 'back', status: 'InProgress' as const },
        { ...exampleTask, id: 'seen', status: 'InReview' as const },
        { ...exampleTask, id: 'last', status: 'Pending' as const, depends_on: ['long'] },
      ].map((task) => [task.id, task]),
    );
    const start = (task_id: string, role: 'author' | 'reviewer' = 'author') => ({
      action: { ...spawn, task_id, role },
    });
    const rows = [
      start('short'),
      { action: createIssue },
      start('long'),
      start('back'),
      start('seen', 'reviewer'),
    ];
    expect(startsInOrder(rows, { tasks }).map(({ action: { type, task_id } }) => [type, task_id])).toEqual([
      ['spawn_agent', 'seen'],
      ['create_issue', 'login-form'],
      ['spawn_agent', 'back'],
      ['spawn_agent', 'long'],
      ['spawn_agent', 'short'],
    ]);
  });
});
