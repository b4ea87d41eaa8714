import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { buildCatalog, checkGraph, parseGraph, runGraph, type Json, type RunResult } from '@caloron/noether';
import {
  addMs,
  KickoffOutput,
  keys,
  markerOf,
  RetroOutput,
  TickOutput,
  type DagState,
  type Event,
  type Id,
  type Report,
} from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { catalog as sources } from './index.ts';
import { forgeError, memoryForge, pullOf, reviewOf, sha } from './testing/memory_forge.ts';
import { agentOf, memoryShell, shellError } from './testing/memory_shell.ts';
import { memoryStore } from './testing/memory_store.ts';

const folder = join(import.meta.dirname, '..', 'compositions');
const catalog = buildCatalog(sources.map(({ stage, file }) => ({ stage, archive: { [file]: '' } })));

function graphOf(name: string) {
  const file = join(folder, `${name}.json`);
  return parseGraph(readFileSync(file, 'utf8'), file);
}

describe('the compositions', () => {
  it('are the four of the architecture', () => {
    expect(readdirSync(folder).toSorted()).toEqual([
      'kickoff.json',
      'retro.json',
      'spawn_agent.json',
      'sprint_tick.json',
    ]);
  });

  it.each<[string, Json]>([
    ['sprint_tick', { sprint_id: 'test', repo: 'owner/repo', stall_threshold_m: 20 }],
    ['sprint_tick', { sprint_id: 'sprint-1', repo: 'owner/repo' }],
    [
      'sprint_tick',
      {
        sprint_id: 's',
        repo: 'o/r',
        stall_threshold_m: 5,
        token_env: 'GITEA_TOKEN',
        shell_url: 'http://127.0.0.1:7710',
        host: 'http://127.0.0.1:3000',
      },
    ],
    ['kickoff', { brief: 'Do it.', repo: 'owner/repo' }],
    [
      'kickoff',
      {
        brief: 'Do it.',
        repo: 'owner/repo',
        sprint_id: 's',
        num_agents: 3,
        host: 'http://127.0.0.1:3000',
        token_env: 'GITEA_TOKEN',
      },
    ],
    ['retro', { sprint_id: 'sprint-1' }],
    ['retro', { sprint_id: 'sprint-1', repo: 'owner/repo' }],
    ['spawn_agent', { sprint_id: 'sprint-1', task_id: 'a', agent_id: 'agent-1', repo: 'owner/repo' }],
  ])('%s takes %j', (name, input) => {
    expect(checkGraph(graphOf(name), catalog, { input })).toMatchObject({ ok: true, problems: [] });
  });

  it.each<[string, Json]>([
    ['sprint_tick', { repo: 'owner/repo' }],
    ['sprint_tick', { sprint_id: 'sprint-1', repo: 'owner/repo', stall_threshold_m: '20' }],
    ['kickoff', { repo: 'owner/repo' }],
    ['retro', {}],
  ])('%s refuses %j before anything runs', (name, input) => {
    expect(checkGraph(graphOf(name), catalog, { input }).ok).toBe(false);
  });

  it('are the graphs the scheduler is set up with', () => {
    const { jobs } = JSON.parse(readFileSync(join(folder, '..', 'scheduler.json'), 'utf8')) as {
      jobs: { graph: string }[];
    };

    expect(jobs.map(({ graph }) => graph)).toEqual([
      'compositions/sprint_tick.json',
      'compositions/retro.json',
    ]);
    expect(jobs.every(({ graph }) => existsSync(join(folder, '..', graph)))).toBe(true);
  });
});

/** A home in memory: runs compositions on one store, forge and shell, and plays the agents. */
function home() {
  const [store, forge, shell] = [memoryStore(), memoryForge(), memoryShell()];
  let now = '2026-04-14T08:30:00.000Z';
  let runs = 0;
  const reports = new Map<string, string>();
  const doors = {
    'kv.read': { kv: store.kv },
    'kv.write': { kv: store.kv },
    'log.read': { log: store.log },
    'state.commit': { state: store.state },
    outbox: { outbox: store.outbox },
    forge: { forge: { open: () => forge.repo } },
    shell: { shell: { open: () => shell.shell } },
    llm: { llm: { available: false } },
    clock: { clock: { now: () => now } },
    reports: {
      reports: {
        write: (sprint_id: string, markdown: string) => {
          reports.set(sprint_id, markdown);
          return Promise.resolve({ path: `reports/${sprint_id}.md` });
        },
      },
    },
  };
  const attempt = (name: string, input: Json): Promise<RunResult> =>
    runGraph({
      graph: graphOf(name),
      graph_name: name,
      input,
      catalog,
      capabilities: () => doors,
      clock: { now: () => now },
      uuid: () => `run-${String((runs += 1))}`,
      leases: {
        acquire: (lease, holder) => Promise.resolve({ name: lease, holder, fence: 1 }),
        renew: () => Promise.resolve(true),
        release: () => Promise.resolve(),
      },
    });
  const run = async (name: string, input: Json): Promise<Json> => {
    const result = await attempt(name, input);
    if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.error)}`);
    return result.output;
  };
  const tick = async () => {
    now = addMs(now, 60_000);
    return TickOutput.parse(await run('sprint_tick', { sprint_id: 'sprint-1', repo: 'owner/repo' }));
  };
  const state = (): DagState => {
    const found = store.sprints.get('sprint-1');
    if (found === undefined) throw new Error('no sprint');
    return found.state;
  };
  const say = (event: Event): void => {
    store.events.push({ seq: (store.events.at(-1)?.seq ?? 0) + 1, event });
  };
  const report = (process_id: string, change: Partial<Report>): void => {
    const task_id = change.task_id ?? '';
    const exit = { code: 0, signal: null, at: now, known: true };
    const full: Report = {
      sprint_id: 'sprint-1',
      task_id,
      agent_id: state().tasks[task_id]?.agent_id ?? '',
      process_id,
      role: 'author',
      attempt: 1,
      outcome: 'completed',
      head_sha: null,
      pr_number: null,
      exit,
      tokens_used: 10,
      duration_ms: 1_000,
      body: '',
      receipt: null,
      feedback: null,
      synthetic: false,
      ...change,
    };
    say({
      type: 'agent_reported',
      event_id: `r:${process_id}`,
      created_at: now,
      actor: null,
      trusted: true,
      report: full,
    });
  };
  /** The author of a task opens its pull request and reports. */
  const author = (task_id: Id, letter: string): number => {
    const spawned = shell.spawned.findLastIndex((one) => one.task_id === task_id && one.role === 'author');
    const pr_number =
      Math.max(0, ...forge.issues.map((i) => i.number), ...forge.pulls.map((p) => p.number)) + 1;
    const at = { created_at: now, updated_at: now };
    const body = `Closes #${String(state().tasks[task_id]?.issue_number)}\n${markerOf('sprint-1', task_id)}`;
    forge.pulls.push(
      pullOf(pr_number, { body, head_ref: `caloron/sprint-1/${task_id}`, head_sha: sha(letter), ...at }),
    );
    const feedback = {
      task_id,
      agent_role: 'developer',
      task_clarity: 8,
      blockers: [],
      tools_used: ['stub'],
      tokens_consumed: 10,
      time_to_complete_min: 1,
      notes: '',
      self_assessment: 'completed' as const,
    };
    report(`process-${String(spawned + 1)}`, { task_id, head_sha: sha(letter), pr_number, feedback });
    return pr_number;
  };
  /** The reviewer of a task reports an approval of its head. */
  const approve = (task_id: Id): void => {
    const spawned = shell.spawned.findLastIndex((one) => one.task_id === task_id && one.role === 'reviewer');
    const task = state().tasks[task_id];
    const at = { task_id, head_sha: task?.head_sha ?? null, pr_number: task?.pr_number ?? null };
    report(`process-${String(spawned + 1)}`, {
      ...at,
      agent_id: task?.reviewer_id ?? '',
      role: 'reviewer',
      outcome: 'approved',
    });
  };
  return {
    store,
    forge,
    shell,
    reports,
    run,
    attempt,
    tick,
    state,
    say,
    author,
    approve,
    later: (ms: number) => void (now = addMs(now, ms)),
  };
}

const brief = ['- [form] Add a login form', '- [mail] Mail a welcome (after: form)'].join('\n');
const host = 'http://127.0.0.1:7720';
const kickoff = { brief, repo: 'owner/repo', sprint_id: 'sprint-1', host };

describe('a sprint', () => {
  it('goes from a brief to its report', async () => {
    const h = home();

    const begun = KickoffOutput.parse(await h.run('kickoff', kickoff));
    expect(begun).toMatchObject({
      sprint_id: 'sprint-1',
      issues_created: [1, 2],
      generator: 'list',
      already_exists: false,
    });
    expect(h.forge.issues.map(({ title }) => title)).toEqual(['Add a login form', 'Mail a welcome']);

    const first = await h.tick();
    expect(first).toMatchObject({ errors: [], complete: false, stuck: { mail: 'waits_for: form' } });
    expect(first.actions_taken).toEqual([expect.stringMatching(/^spawn:agent-1 /)]);
    expect(h.state().tasks['form']).toMatchObject({ status: 'InProgress', issue_number: 1 });

    const pr = h.author('form', 'a');
    const second = await h.tick();
    expect(second.actions_taken).toEqual([
      `review:PR#${String(pr)}`,
      expect.stringMatching(/^spawn:reviewer-1 /),
    ]);

    h.approve('form');
    const third = await h.tick();
    // Approval, checks, merge, completion and the dependant's start: one tick.
    expect(third.actions_taken).toEqual(
      expect.arrayContaining([
        `merge:PR#${String(pr)}`,
        'done:#1',
        'cleanup:form',
        expect.stringMatching(/^spawn:agent-\d /),
      ]),
    );
    expect(h.state().tasks['form']?.status).toBe('Done');
    expect(h.forge.issues[0]?.state).toBe('closed');

    h.author('mail', 'd');
    await h.tick();
    h.approve('mail');
    await h.tick();
    const last = await h.tick();
    expect(last).toMatchObject({ complete: true, errors: [] });
    expect(h.state().status).toBe('completed');
    expect(h.store.commits.flatMap(({ announce }) => announce.map(({ kind }) => kind))).toEqual([
      'sprint.started',
      'sprint.completed',
    ]);

    const retro = RetroOutput.parse(await h.run('retro', { sprint_id: 'sprint-1' }));
    expect(retro).toMatchObject({
      interim: false,
      report_path: 'reports/sprint-1.md',
      kpis: { total_tasks: 2, completed_tasks: 2 },
    });
    expect(h.reports.get('sprint-1')).toContain('sprint-1');
    const before = JSON.stringify([...h.store.rows]);
    await h.run('retro', { sprint_id: 'sprint-1' });
    expect(JSON.stringify([...h.store.rows]).replaceAll(/"rev":\d+/g, '')).toBe(
      before.replaceAll(/"rev":\d+/g, ''),
    );
  });

  it('that waits is left as it is: an idle tick writes nothing', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    await h.tick();
    await h.tick();
    const [commits, calls] = [h.store.commits.length, h.forge.calls.length];

    const idle = await h.tick();

    expect(idle).toMatchObject({ actions_taken: [], errors: [] });
    expect(h.store.commits).toHaveLength(commits);
    expect(h.forge.calls.slice(calls).toSorted()).toEqual([
      'changedComments',
      'changedIssues',
      'changedPulls',
    ]);
  });

  it('is begun once: a kickoff of it again asks the forge for nothing', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    const calls = h.forge.calls.length;

    const again = KickoffOutput.parse(await h.run('kickoff', kickoff));

    expect(again).toMatchObject({ already_exists: true });
    expect(h.forge.calls.slice(calls)).toEqual([]);
    expect(h.forge.issues).toHaveLength(2);
  });

  it('is not begun beside another one', async () => {
    const h = home();
    await h.run('kickoff', kickoff);

    const other = await h.attempt('kickoff', { ...kickoff, sprint_id: 'sprint-2' });

    expect(other).toMatchObject({
      ok: false,
      status: 'skipped',
      error: { code: 'KICKOFF_SPRINT_ACTIVE', message: expect.stringContaining('sprint-1') as string },
    });
  });

  it('is said to be ending beside another one, where nothing of it is left to do', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    const before = h.store.sprints.get('sprint-1');
    if (before === undefined) throw new Error('no sprint');
    const over = Object.entries(before.state.tasks).map(([id, task]) => [
      id,
      { ...task, status: 'Cancelled' },
    ]);
    const tasks = Object.fromEntries(over) as typeof before.state.tasks;
    h.store.sprints.set('sprint-1', { ...before, state: { ...before.state, tasks } });

    const other = await h.attempt('kickoff', { ...kickoff, sprint_id: 'sprint-2' });

    expect(other).toMatchObject({
      status: 'skipped',
      error: {
        code: 'KICKOFF_SPRINT_ACTIVE',
        hint: expect.stringMatching(
          /^it ends with its next tick, .*caloron tick --sprint sprint-1;/,
        ) as string,
      },
    });
  });

  it('without a name is begun once a day, and again on another', async () => {
    const h = home();
    const job = { brief: 'Tidy up.', repo: 'owner/repo', host };
    const begun = KickoffOutput.parse(await h.run('kickoff', job));
    expect(begun).toMatchObject({ sprint_id: 'tidy-up-20260414', already_exists: false });

    h.later(60_000);
    const again = KickoffOutput.parse(await h.run('kickoff', job));
    expect(again).toMatchObject({ sprint_id: 'tidy-up-20260414', already_exists: true });
    expect(h.forge.issues).toHaveLength(1);

    h.later(86_400_000);
    expect(await h.attempt('kickoff', job)).toMatchObject({ status: 'skipped' });
    h.store.rows.set(keys.endedAt('tidy-up-20260414'), { value: '2026-04-15T08:00:00.000Z', rev: 1 });
    const next = KickoffOutput.parse(await h.run('kickoff', job));
    expect(next).toMatchObject({ sprint_id: 'tidy-up-20260415', already_exists: false });
    expect(h.forge.issues).toHaveLength(2);
  });

  it('with a DAG that cannot be run is not begun, and every problem is named', async () => {
    const h = home();
    const cyclic = '- [a] A (after: b)\n- [b] B (after: a, ghost)';

    const refused = await h.attempt('kickoff', { ...kickoff, brief: cyclic });

    expect(refused).toMatchObject({ ok: false, error: { code: 'KICKOFF_DAG_INVALID' } });
    expect(refused.ok ? '' : refused.error.message).toMatch(/ghost.*cycle/s);
    expect(h.store.commits).toEqual([]);
    expect(h.forge.issues).toEqual([]);
  });

  it('is not another repository’s', async () => {
    const h = home();
    await h.run('kickoff', kickoff);

    const other = await h.attempt('sprint_tick', { sprint_id: 'sprint-1', repo: 'other/repo' });

    expect(other).toMatchObject({ ok: false, error: { code: 'SPRINT_REPO_MISMATCH' } });
  });

  it('goes on without a shell as far as it can', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    const away = Array.from({ length: 8 }, () => shellError('SHELL_UNREACHABLE'));
    h.shell.faults.set('status', [...away]);
    h.shell.faults.set('spawn', [...away].slice(0, 1));

    const blind = await h.tick();

    expect(blind.actions_taken).toEqual([]);
    expect(blind.errors).toEqual([
      expect.stringContaining('SHELL_UNREACHABLE'),
      expect.stringContaining('spawn_agent:form'),
    ]);
    h.shell.faults.clear();
    expect((await h.tick()).actions_taken).toEqual([expect.stringMatching(/^spawn:/)]);
  });

  it('refuses a shell of another database', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    h.shell.faults.set('status', [shellError('SHELL_OTHER_DATABASE', false)]);

    expect(await h.attempt('sprint_tick', { sprint_id: 'sprint-1', repo: 'owner/repo' })).toMatchObject({
      ok: false,
      error: { code: 'SHELL_OTHER_DATABASE' },
    });
  });

  it('5.4.16 goes on while the forge is away: reports count, and nothing the forge tells is lost', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    await h.tick();
    h.author('form', 'a');
    const unavailable = () => ({ error: forgeError('FORGE_UNAVAILABLE', true) });
    h.forge.faults.set('changedIssues', Array.from({ length: 4 }, unavailable));

    const ticks = [await h.tick(), await h.tick(), await h.tick(), await h.tick()];

    expect(ticks.map(({ errors, forge_away }) => [errors[0], forge_away?.since])).toEqual(
      ticks.map(() => [
        expect.stringMatching(/^forge: away since 2026-04-14T08:32:00.000Z; it is asked again at every tick/),
        '2026-04-14T08:32:00.000Z',
      ]),
    );
    // The author's report counted though its pull request could not be seen.
    expect(h.state().tasks['form']).toMatchObject({ status: 'InReview', attempt: 1 });
    expect(h.shell.spawned.map(({ role }) => role)).toEqual(['author', 'reviewer']);
    expect(h.forge.comments.filter(({ body }) => body.includes('Completed via'))).toEqual([]);

    // What happened there meanwhile: somebody merged it by hand.
    const at = h.forge.now;
    const merged = { state: 'closed', merged_at: at, closed_at: at, merge_sha: sha('c') } as const;
    h.forge.pulls[0] = { ...(h.forge.pulls[0] ?? pullOf(3)), ...merged };
    const back = await h.tick();

    expect(back).toMatchObject({ errors: [] });
    expect(back.forge_away).toBeUndefined();
    expect(h.state().tasks['form']?.status).toBe('Done');
  });

  it('supervises its agents while the forge is away', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    await h.tick();
    h.shell.agents.push(
      agentOf('agent-1', {
        task_id: 'form',
        process_id: 'process-1',
        task_started_at: '2026-04-14T08:31:00.000Z',
        last_progress_at: null,
      }),
    );
    h.forge.faults.set('changedIssues', [{ error: forgeError('FORGE_UNAVAILABLE', true) }]);
    h.later(60 * 60_000);

    const tick = await h.tick();

    expect(tick.actions_taken).toEqual([expect.stringContaining('probe')]);
    expect(tick.forge_away?.code).toBe('FORGE_UNAVAILABLE');
  });

  it('does not go on when the forge refuses the token: a person has to put that right', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    await h.tick();
    h.forge.faults.set('changedPulls', [{ error: forgeError('FORGE_UNAUTHORIZED') }]);

    const failed = await h.attempt('sprint_tick', { sprint_id: 'sprint-1', repo: 'owner/repo' });

    expect(failed).toMatchObject({ ok: false });
  });

  it('probes an agent that does not get on, restarts it after a while, gives its task to a free one, then asks a person', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    await h.tick();
    const lines: string[] = [];
    for (let step = 0; step < 60; step += 1) {
      // What was started beats, and does nothing else.
      const since = addMs('2026-04-14T08:31:00.000Z', step * 240_000);
      const process_id = `process-${String(h.shell.spawned.length)}`;
      const started = h.shell.agents.some((agent) => agent.process_id === process_id);
      const at = { task_id: 'form', process_id, task_started_at: since, last_progress_at: null };
      if (!started && h.shell.spawned.length > 0)
        h.shell.agents.splice(0, 1, agentOf(h.shell.spawned.at(-1)?.agent_id ?? '', at));
      lines.push(...(await h.tick()).actions_taken);
      h.later(180_000);
    }

    expect(lines.filter((line) => /^(probe|restart|reassign|escalate)/.test(line))).toEqual([
      expect.stringMatching(/^probe:agent-1/),
      'restart:agent-1',
      'reassign:agent-1',
      expect.stringMatching(/^escalate:agent-2/),
    ]);
    expect(h.shell.stopped.length).toBeGreaterThan(0);
    expect(h.state().tasks['form']).toMatchObject({
      status: 'Blocked',
      status_reason: 'agent_stalled',
      agent_id: 'agent-2',
      intervention_count: 4,
    });
    expect(h.store.rows.get(keys.interventions('sprint-1', 'agent-2'))?.value).toBe(4);
    expect(h.state().status).toBe('waiting_for_human');
  });

  it('is sent back by a person on the forge, and merged when they are content', async () => {
    const h = home();
    await h.run('kickoff', kickoff);
    const frozen = h.store.sprints.get('sprint-1');
    if (frozen !== undefined) {
      const sprint = { ...frozen.state.sprint, reviewer_logins: ['rita'] };
      h.store.sprints.set('sprint-1', { ...frozen, state: { ...frozen.state, sprint } });
    }
    await h.tick();
    const pr = h.author('form', 'a');
    await h.tick();
    const judge = (id: string, change: Parameters<typeof reviewOf>[1]): void => {
      const at = addMs('2026-04-14T09:00:00.000Z', Number(id) * 60_000);
      h.forge.reviews.set(pr, [
        ...(h.forge.reviews.get(pr) ?? []),
        reviewOf(id, { submitted_at: at, ...change }),
      ]);
      const found = h.forge.pulls.findIndex(({ number }) => number === pr);
      const pull = h.forge.pulls[found];
      if (pull !== undefined) h.forge.pulls[found] = { ...pull, updated_at: at };
    };

    judge('1', { state: 'changes_requested', body: 'No tests.' });
    await h.tick();
    expect(h.state().tasks['form']).toMatchObject({
      status: 'InProgress',
      status_reason: 'changes_requested',
      review_cycles: 1,
    });
    expect(h.shell.spawned.at(-1)).toMatchObject({
      role: 'author',
      mode: 'resume',
      attempt: 2,
      instruction: expect.stringContaining('No tests.') as string,
    });

    const found = h.forge.pulls.findIndex(({ number }) => number === pr);
    const pull = h.forge.pulls[found];
    if (pull !== undefined)
      h.forge.pulls[found] = { ...pull, head_sha: sha('e'), updated_at: '2026-04-14T09:01:30.000Z' };
    judge('2', { state: 'approved', commit_id: sha('e') });
    await h.tick();
    const lines = (await h.tick()).actions_taken;

    expect(h.state().tasks['form'], JSON.stringify(lines)).toMatchObject({ status: 'Done' });
  });
});
