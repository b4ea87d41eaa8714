import { keys, type DagState, type Event, type Report, type Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { briefIdOf } from '../kickoff/planned.ts';
import { agentOf, memoryShell, shellError } from '../testing/memory_shell.ts';
import { memoryStore } from '../testing/memory_store.ts';
import { commitSupervision } from './commit_supervision.ts';
import { commitTick } from './commit_tick.ts';
import { EXAMPLE_NOW, exampleCursors, exampleState, exampleTask } from './example.ts';
import { loadAgents } from './load_agents.ts';
import { loadKickoff } from './load_kickoff.ts';
import { loadRetro } from './load_retro.ts';
import { loadSprint } from './load_sprint.ts';
import { storeRetro } from './store_retro.ts';
import { storeSprint } from './store_sprint.ts';

const at = '2026-04-14T08:10:00.000Z';

function sprintWith(task: Partial<Task>, status: DagState['status'] = 'active'): DagState {
  return { ...exampleState, status, tasks: { 'login-form': { ...exampleTask, ...task } } };
}

describe('load_sprint', () => {
  const load = (input: object, state = exampleState) =>
    Promise.resolve(
      loadSprint.call(
        loadSprint.input.parse({ sprint_id: 'sprint-1', repo: 'owner/repo', ...input }),
        memoryStore([state]),
      ),
    );

  it("takes this tick's stall threshold over the sprint's", async () => {
    expect(await load({})).toMatchObject({ stall_threshold_m: 20 });
    expect(await load({ stall_threshold_m: 5 })).toMatchObject({ stall_threshold_m: 5 });
  });

  it('refuses another repository or forge, and an unknown sprint', async () => {
    await expect(load({ repo: 'other/repo' })).rejects.toMatchObject({ code: 'SPRINT_REPO_MISMATCH' });
    await expect(load({ host: 'https://git.example.org/api/v1' })).rejects.toMatchObject({
      code: 'SPRINT_HOST_MISMATCH',
    });
    await expect(load({ sprint_id: 'sprint-2' })).rejects.toMatchObject({ code: 'SPRINT_UNKNOWN' });
  });

  it('knows github.com by both its names', async () => {
    expect(await load({ host: 'https://api.github.com/' })).toMatchObject({ target: { host: null } });
  });

  it("reads with the sprint's own variable, whichever is given", async () => {
    expect(await load({ token_env: 'AWS_SECRET' })).toMatchObject({ target: { token_env: 'GITHUB_TOKEN' } });
  });
});

describe('load_agents', () => {
  const load = (shell: ReturnType<typeof memoryShell>) =>
    Promise.resolve(loadAgents.call({ sprint_id: 'sprint-1' }, { shell: { open: () => shell.shell } }));

  it("gives the sprint's agents, and who is busy anywhere", async () => {
    const shell = memoryShell();
    shell.agents.push(
      agentOf('agent-1'),
      agentOf('agent-2', { alive: false }),
      agentOf('agent-3', { sprint_id: 'sprint-2' }),
    );

    const loaded = await load(shell);

    expect(Object.keys(loaded.agents)).toEqual(['agent-1', 'agent-2']);
    expect(loaded.agents['agent-1']).not.toHaveProperty('agent_id');
    expect(loaded).toMatchObject({ busy: ['agent-1', 'agent-3'], shell_error: null });
    expect(() => loadAgents.output.parse(loaded)).not.toThrow();
  });

  it('D16 says that a shell is away, and refuses one with another database', async () => {
    const shell = memoryShell();
    shell.faults.set('status', [shellError('SHELL_UNREACHABLE'), shellError('SHELL_OTHER_DATABASE', false)]);

    expect(await load(shell)).toEqual({
      agents: {},
      busy: [],
      listening_since: null,
      shell_error: 'SHELL_UNREACHABLE: the shell says SHELL_UNREACHABLE',
    });
    await expect(load(shell)).rejects.toMatchObject({ code: 'SHELL_OTHER_DATABASE' });
  });
});

describe('commit_tick', () => {
  const report: Report = {
    sprint_id: 'sprint-1',
    task_id: 'login-form',
    agent_id: 'agent-1',
    process_id: 'process-1',
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    head_sha: null,
    pr_number: null,
    exit: { code: 0, signal: null, at, known: true },
    tokens_used: 0,
    duration_ms: 1,
    body: '',
    receipt: null,
    feedback: {
      task_id: 'login-form',
      agent_role: 'developer',
      task_clarity: 7,
      blockers: [],
      tools_used: [],
      tokens_consumed: 1,
      time_to_complete_min: 1,
      notes: '',
      self_assessment: 'completed',
    },
    synthetic: false,
  };
  const reported: Event = {
    type: 'agent_reported',
    event_id: 'r',
    created_at: at,
    actor: null,
    trusted: true,
    report,
  };
  const commit = (
    store: ReturnType<typeof memoryStore>,
    change: Partial<Parameters<typeof commitTick.call>[0]> = {},
  ) =>
    commitTick.call(
      {
        sprint_id: 'sprint-1',
        rev: 1,
        cursors: exampleCursors,
        state: exampleState,
        evaluated: { state: exampleState, actions: [], announce: [] },
        now: EXAMPLE_NOW,
        ...change,
      },
      store,
    );

  it('writes nothing for an idle tick, though others wrote to the log', async () => {
    const store = memoryStore([exampleState]);

    expect(await commit(store, { log: { events: [], last_seq: 99 } })).toEqual({
      rev: 1,
      changed: false,
      log_seq: 0,
    });
    expect(store.commits).toEqual([]);
  });

  it('moves the log cursor past what was consumed', async () => {
    const store = memoryStore([exampleState]);

    expect(await commit(store, { log: { events: [reported], last_seq: 9 } })).toMatchObject({
      changed: true,
      log_seq: 9,
    });
    expect(store.sprints.get('sprint-1')?.cursors.log_seq).toBe(9);
  });

  it('keeps the feedback of each report', async () => {
    const store = memoryStore([sprintWith({ issue_number: 1 })]);
    const evaluated = { state: sprintWith({ issue_number: 1 }), actions: [], announce: [] };

    await commit(store, { evaluated, log: { events: [reported], last_seq: 9 } });
    await commit(store, {
      rev: 2,
      evaluated,
      log: { events: [{ ...reported, event_id: 's' }], last_seq: 10 },
    });

    const item = { issue_number: 1, author: 'agent-1', created_at: at, feedback: report.feedback };
    expect(store.rows.get(keys.feedback('sprint-1'))?.value).toEqual({ v: 1, items: [item, item] });
  });

  it('refuses a state that was changed since it was loaded', async () => {
    await expect(commit(memoryStore([exampleState]), { rev: 0 })).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
    });
  });

  it('names a damaged feedback row instead of replacing it', async () => {
    const store = memoryStore([exampleState]);
    store.rows.set(keys.feedback('sprint-1'), { value: 'x', rev: 1 });

    await expect(commit(store, { log: { events: [reported], last_seq: 9 } })).rejects.toMatchObject({
      code: 'SPRINT_VALUE_INVALID',
      details: { key: keys.feedback('sprint-1') },
    });
  });

  it('says when the sprint ended, once', async () => {
    const store = memoryStore([exampleState]);
    const evaluated = { state: sprintWith({}, 'completed'), actions: [], announce: [] };

    await commit(store, { evaluated });
    expect(store.rows.get(keys.endedAt('sprint-1'))?.value).toBe(EXAMPLE_NOW);

    store.rows.set(keys.endedAt('sprint-1'), { value: at, rev: 1 });
    await commit(store, { rev: 2, evaluated, now: '2026-04-14T09:00:00.000Z' });
    expect(store.rows.get(keys.endedAt('sprint-1'))?.value).toBe(at);
  });
});

describe('commit_supervision', () => {
  const decide = (
    store: ReturnType<typeof memoryStore>,
    action: 'probe' | 'restart' | 'reassign' | 'escalate_human',
  ) =>
    commitSupervision.call(
      {
        sprint_id: 'sprint-1',
        decisions: [{ agent_id: 'agent-1', task_id: 'login-form', action, reason: 'no progress' }],
        messages: [{ message: 'How is it going?' }],
        now: EXAMPLE_NOW,
      },
      store,
    );
  const working = { status: 'InProgress', process_id: 'process-1', issue_number: 1 } as const;

  it('decides nothing while the sprint is paused', async () => {
    const store = memoryStore([sprintWith(working)]);
    await store.kv.put(keys.paused('sprint-1'), { by: 'ada', at: EXAMPLE_NOW, stopped: false });
    expect(await decide(store, 'restart')).toEqual({ changed: false, actions: 0 });
    await store.kv.delete(keys.paused('sprint-1'));
    expect(await decide(store, 'restart')).toEqual({ changed: true, actions: 1 });
  });

  it('counts, and intends each intervention as an action of its own', async () => {
    const store = memoryStore([sprintWith(working)]);

    await decide(store, 'probe');
    await decide(store, 'restart');
    await decide(store, 'probe');

    const actions = [...store.actions.values()].map(({ action }) => action);
    expect(actions).toMatchObject([
      { type: 'supervisor', action: 'probe', message: 'How is it going?' },
      { type: 'supervisor', action: 'restart' },
      { type: 'supervisor', action: 'probe' },
    ]);
    expect(store.sprints.get('sprint-1')?.state.tasks['login-form']).toMatchObject({
      intervention_count: 3,
      last_intervention_at: EXAMPLE_NOW,
    });
    expect(store.rows.get(keys.interventions('sprint-1', 'agent-1'))?.value).toBe(3);
  });

  it('blocks a task that a person is asked about, and stops its process', async () => {
    const store = memoryStore([sprintWith(working)]);

    await decide(store, 'escalate_human');

    expect([...store.actions.values()].map(({ action }) => action.type).toSorted()).toEqual([
      'escalate',
      'stop_agent',
    ]);
    expect(store.sprints.get('sprint-1')?.state.tasks['login-form']).toMatchObject({
      status: 'Blocked',
      process_id: null,
    });
  });

  it('gives the task to the author with the least to do, and restarts where there is no other', async () => {
    const alone = memoryStore([sprintWith(working)]);
    await decide(alone, 'reassign');
    expect([...alone.actions.values()][0]?.action).toMatchObject({ action: 'restart' });

    const state = sprintWith(working);
    const others = {
      a: { ...exampleTask, id: 'a', agent_id: 'agent-2' },
      b: { ...exampleTask, id: 'b', agent_id: 'agent-3', status: 'Done' as const },
    };
    const shared = memoryStore([
      { ...state, order: ['login-form', 'a', 'b'], tasks: { ...state.tasks, ...others } },
    ]);
    await decide(shared, 'reassign');
    // It changes hands when the process has ended.
    expect(shared.sprints.get('sprint-1')?.state.tasks['login-form']?.agent_id).toBe('agent-1');
    expect([...shared.actions.values()][0]?.action).toMatchObject({
      action: 'reassign',
      agent_id: 'agent-1',
      to: 'agent-3',
    });
  });

  it('leaves a task alone that is over', async () => {
    const store = memoryStore([sprintWith({ status: 'Done' })]);

    expect(await decide(store, 'probe')).toMatchObject({ actions: 0 });
  });
});

describe('load_kickoff', () => {
  const load = (store: ReturnType<typeof memoryStore>, input: object = {}) =>
    Promise.resolve(
      loadKickoff.call(loadKickoff.input.parse({ repo: 'owner/repo', ...input }), {
        ...store,
        clock: { now: () => EXAMPLE_NOW },
      }),
    );
  const named = (sprint_id: string, brief: string, status: DagState['status'] = 'active'): DagState => {
    const sprint = { ...exampleState.sprint, sprint_id, brief_id: briefIdOf(brief) };
    return { ...sprintWith({}, status), sprint_id, sprint };
  };
  const active = { value: { sprint_id: 'sprint-1', repo: 'owner/repo', stall_threshold_m: 20 }, rev: 1 };

  it('refuses to begin beside an open sprint, and names it with the next step', async () => {
    const store = memoryStore([exampleState]);
    store.rows.set(keys.activeSprint, active);

    await expect(load(store, { sprint_id: 'sprint-2' })).rejects.toMatchObject({
      code: 'KICKOFF_SPRINT_ACTIVE',
      details: { active: 'sprint-1' },
      skips: true,
      hint: expect.stringContaining('caloron status') as string,
    });
    expect(await load(store, { sprint_id: 'sprint-1' })).toMatchObject({
      active: 'sprint-1',
      existing: exampleState,
    });
  });

  it('knows the sprint it is told of, whatever else is open', async () => {
    const store = memoryStore([exampleState, named('sprint-0', 'old', 'completed')]);
    store.rows.set(keys.activeSprint, active);

    expect(await load(store, { sprint_id: 'sprint-0', brief: 'Something else.' })).toMatchObject({
      existing: { sprint_id: 'sprint-0' },
      active: 'sprint-1',
    });
  });

  it.each(['active', 'completed'] as const)(
    'knows a sprint without a name by its goal, its day and its brief, also one that is %s',
    async (status) => {
      const store = memoryStore([named('write-mail-20260414', 'Write mail.', status)]);
      store.rows.set(keys.activeSprint, {
        ...active,
        value: { ...active.value, sprint_id: 'write-mail-20260414' },
      });

      expect(await load(store, { brief: ' Write mail.\n' })).toMatchObject({
        sprint_id: 'write-mail-20260414',
        existing: { sprint_id: 'write-mail-20260414' },
      });
    },
  );

  it('takes no other brief for it, and says that its name is taken', async () => {
    const taken = memoryStore([named('write-mail-20260414', 'Write mail.', 'completed')]);
    await expect(load(taken, { brief: '# Write mail\n\n- [a] Ask' })).rejects.toMatchObject({
      code: 'KICKOFF_SPRINT_EXISTS',
      skips: false,
      hint: expect.stringContaining('--sprint-id') as string,
    });
    expect(await load(taken, { brief: 'Write letters.' })).toMatchObject({
      sprint_id: 'write-letters-20260414',
      existing: null,
    });
  });

  it.each(['completed', 'cancelled'] as const)('begins after one that is %s', async (status) => {
    const store = memoryStore([sprintWith({}, status)]);
    store.rows.set(keys.activeSprint, active);

    expect(await load(store, { sprint_id: 'sprint-2' })).toMatchObject({ active: null, existing: null });
  });

  it('begins after one that has ended and is not marked so yet', async () => {
    const store = memoryStore([exampleState]);
    store.rows.set(keys.activeSprint, active);
    store.rows.set(keys.endedAt('sprint-1'), { value: at, rev: 1 });

    expect(await load(store)).toMatchObject({ active: null });
  });

  it('takes host and variable as given, else as configured', async () => {
    const store = memoryStore();
    store.rows.set(keys.config, {
      value: { host: 'http://127.0.0.1:3000', token_env: 'GITEA_TOKEN' },
      rev: 1,
    });

    expect(await load(store)).toMatchObject({ host: 'http://127.0.0.1:3000', token_env: 'GITEA_TOKEN' });
    expect(await load(store, { host: 'http://127.0.0.1:4000', token_env: 'OTHER' })).toMatchObject({
      host: 'http://127.0.0.1:4000',
      token_env: 'OTHER',
    });
  });

  it('names a damaged setting instead of replacing it', async () => {
    const store = memoryStore();
    store.rows.set(keys.config, { value: { max_attempts: 'many' }, rev: 1 });

    await expect(load(store)).rejects.toMatchObject({
      code: 'SPRINT_VALUE_INVALID',
      details: { key: keys.config },
    });
  });
});

describe('store_sprint', () => {
  const two: DagState = {
    ...exampleState,
    order: ['b', 'a'],
    tasks: { a: { ...exampleTask, id: 'a' }, b: { ...exampleTask, id: 'b', depends_on: ['a'] } },
  };
  const put = (store: ReturnType<typeof memoryStore>, change: object = {}) =>
    storeSprint.call(
      { dag: two, generator: 'list', already_exists: false, now: EXAMPLE_NOW, ...change },
      store,
    );

  it('intends an issue per task, those that can start first, and makes the sprint the active one', async () => {
    const store = memoryStore();

    await put(store);

    expect([...store.actions.values()].map(({ action }) => action.task_id)).toEqual(['a', 'b']);
    expect([...store.actions.values()][0]?.action).toMatchObject({
      type: 'create_issue',
      labels: ['caloron:task'],
    });
    expect(store.rows.get(keys.activeSprint)?.value).toEqual({
      sprint_id: 'sprint-1',
      repo: 'owner/repo',
      stall_threshold_m: 20,
    });
    expect(store.rows.get(keys.startedAt('sprint-1'))?.value).toBe(EXAMPLE_NOW);
    expect(store.commits[0]?.announce).toMatchObject([{ kind: 'sprint.started' }]);
  });

  it('changes nothing for a sprint that was begun before', async () => {
    const store = memoryStore([two]);

    await put(store, { already_exists: true });

    expect(store.commits).toEqual([]);
  });

  it('refuses an id that is taken', async () => {
    await expect(put(memoryStore([exampleState]))).rejects.toMatchObject({ code: 'KICKOFF_SPRINT_EXISTS' });
  });
});

describe('a retro', () => {
  it('is interim until the sprint has ended, also one whose end is not in its state yet', async () => {
    const store = memoryStore([exampleState]);
    const load = () => loadRetro.call({ sprint_id: 'sprint-1' }, store);
    expect(await load()).toMatchObject({ interim: true, ended_at: null });

    store.rows.set(keys.endedAt('sprint-1'), { value: at, rev: 1 });
    expect(await load()).toMatchObject({ interim: false, ended_at: at });
  });

  it('teaches once, and not before the end', async () => {
    const store = memoryStore();
    const reports = { write: (id: string) => Promise.resolve({ path: `reports/${id}.md` }) };
    const [example] = storeRetro.examples;
    const input = storeRetro.input.parse(example?.input);
    const keep = (change: Partial<typeof input>) =>
      storeRetro.call({ ...input, ...change }, { kv: store.kv, reports });

    expect(await keep({ interim: true })).toMatchObject({ learnings: [], interim: true });
    expect(store.rows.has(keys.learnings)).toBe(false);

    await keep({});
    await keep({ now: '2026-04-15T08:30:00.000Z' });
    await keep({ sprint_id: 'sprint-2' });

    const text = 'Say where the tests are.';
    expect(store.rows.get(keys.learnings)?.value).toEqual({
      v: 1,
      items: [
        { sprint_id: 'sprint-1', at: EXAMPLE_NOW, text },
        { sprint_id: 'sprint-2', at: EXAMPLE_NOW, text },
      ],
    });
    expect(store.rows.get(keys.report('sprint-1'))?.value).toMatchObject({
      report_path: 'reports/sprint-1.md',
      interim: false,
    });
  });
});
