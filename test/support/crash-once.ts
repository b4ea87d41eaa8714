import { setTimeout as delay } from 'node:timers/promises';

import { branchOf, parseMarker, type Status } from '@caloron/types';
import { expect } from 'vitest';

import { SPRINT } from './crash-sprint.ts';
import type { CrashWorld } from './crash-world.ts';

/** Milliseconds a world has to settle; it takes 10 s on a machine that does nothing else. */
const DEADLINE_MS = 120_000;

/** Where each task stands when the ticks have settled. */
const STATUS: Readonly<Record<string, Status>> = {
  'merge-me': 'Done',
  next: 'InProgress',
  fresh: 'InProgress',
  'review-me': 'InReview',
  broken: 'Blocked',
  silent: 'InProgress',
};

/** Every action the sprint intends, by type and task. */
const ACTIONS = [
  'cleanup merge-me',
  'create_issue fresh',
  'escalate broken',
  'mark_done merge-me',
  'merge_pr merge-me',
  'spawn_agent fresh',
  'spawn_agent next',
  'spawn_agent review-me',
  'spawn_agent silent',
  'submit_pr_for_review review-me',
  'supervisor silent',
];

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what()}`);
    await delay(50);
  }
}

/** What is left to do: rows of the outbox, events nobody consumed, a run under way, tasks that are not where they end. */
async function leftToDo({ store }: CrashWorld): Promise<readonly string[]> {
  const [newest] = store.slots.list({ job: 'sprint-tick', limit: 1 });
  if (newest?.status !== 'ok') return [`the newest run is ${newest?.status ?? 'to come'}`];
  const { state: sprints, log } = store.forRun({ run_id: 'test', lease: null });
  const { state, cursors } = await sprints.load(SPRINT);
  const { events } = await log.since({ sprint_id: SPRINT, after: cursors.log_seq });
  const rows = store.outboxRows(SPRINT);
  return [
    ...rows
      .filter(({ status }) => status !== 'done')
      .map(({ action, status, error }) => `${action.type} is ${status} ${error?.message ?? ''}`),
    ...ACTIONS.slice(rows.length).map(() => 'an action is still to be intended'),
    ...events.map(({ event }) => `${event.type} is not consumed`),
    ...Object.entries(STATUS)
      .filter(([id, status]) => state.tasks[id]?.status !== status)
      .map(([id]) => `${id} is ${state.tasks[id]?.status ?? 'lost'}`),
  ];
}

/** Waits until the scheduler has nothing left to do. */
export async function settled(world: CrashWorld): Promise<void> {
  let left: readonly string[] = [];
  await until(
    async () => (left = await leftToDo(world)).length === 0,
    () => left.join('; '),
  );
}

/** Finds every effect of the sprint, and finds it once: on the forge, in its repository, among the processes and in the store. */
export async function expectOnce(world: CrashWorld): Promise<void> {
  await expectForge(world);
  await expectRepository(world);
  await expectProcesses(world);
  await expectStore(world);
}

const labelsOf = (of: { readonly labels: readonly (string | { readonly name?: string })[] }) =>
  of.labels.map((label) => (typeof label === 'string' ? label : label.name));

async function expectForge({ octokit, repo }: CrashWorld): Promise<void> {
  const { data: listed } = await octokit.issues.listForRepo({ ...repo, state: 'all', per_page: 100 });
  const issues = listed.filter(({ pull_request }) => pull_request === undefined);
  const tasks = issues.filter(({ title }) => !title.startsWith('Escalation'));
  const named = (id: string) => tasks.filter(({ body }) => parseMarker(body ?? '')?.task_id === id);
  for (const id of Object.keys(STATUS)) expect(named(id), `issues of ${id}`).toHaveLength(1);
  expect(tasks).toHaveLength(Object.keys(STATUS).length);

  const escalations = issues.filter(({ title }) => title.startsWith('Escalation'));
  expect(escalations.map(({ body }) => parseMarker(body ?? '')?.task_id)).toEqual(['broken']);

  const { data: comments } = await octokit.issues.listCommentsForRepo({ ...repo, per_page: 100 });
  const said = comments.map(({ body }) => parseMarker(body ?? '')?.task_id ?? 'nobody');
  expect(said.sort(), 'assigned, completed, assigned, claimed, claimed, restarted').toEqual([
    'fresh',
    'merge-me',
    'next',
    'review-me',
    'silent',
    'silent',
  ]);

  const [done] = named('merge-me');
  expect(done).toMatchObject({ state: 'closed', comments: 1 });
  expect(labelsOf(done ?? { labels: [] })).toContain('caloron:done');
  for (const id of ['next', 'fresh'])
    expect(labelsOf(named(id)[0] ?? { labels: [] }), id).toContain('caloron:assigned');

  const { data: pulls } = await octokit.pulls.list({ ...repo, state: 'all' });
  const pullOf = (id: string) => pulls.find(({ head }) => head.ref === branchOf(SPRINT, id));
  expect(pulls).toHaveLength(2);
  expect(pullOf('merge-me')?.merged_at).toEqual(expect.any(String));
  const waiting = pullOf('review-me');
  expect(waiting?.state).toBe('open');
  expect(waiting?.labels.map(({ name }) => name)).toEqual(['caloron:review-pending']);
  expect(waiting?.requested_reviewers?.map(({ login }) => login)).toEqual(['reviewer']);
}

async function expectRepository(world: CrashWorld): Promise<void> {
  const main = await world.main();
  expect(main, 'a first commit and one merge').toHaveLength(2);
  expect(await world.branches()).toEqual([branchOf(SPRINT, 'review-me'), 'main']);
}

async function expectProcesses(world: CrashWorld): Promise<void> {
  const processes = world.store.processes.list(SPRINT);
  expect(
    processes.map(({ task_id, role, attempt, state }) => `${task_id} ${role} ${attempt} ${state}`).sort(),
  ).toEqual([
    'fresh author 1 running',
    'next author 1 running',
    'review-me reviewer 1 running',
    'silent author 1 lost',
    'silent author 2 running',
  ]);
  expect(new Set(processes.map(({ action_id }) => action_id)).size).toBe(processes.length);
  for (const { process_id } of processes) {
    await until(
      () => world.starts(process_id) > 0,
      () => `the harness of ${process_id} starts`,
    );
    expect(world.starts(process_id), `starts of ${process_id}`).toBe(1);
  }
}

async function expectStore({ store }: CrashWorld): Promise<void> {
  const rows = store.outboxRows(SPRINT);
  expect(rows.map(({ action }) => `${action.type} ${action.task_id ?? ''}`).sort()).toEqual(ACTIONS);
  expect(rows.filter(({ status }) => status !== 'done')).toEqual([]);
  const events = store.events.read({
    after: 0,
    kinds: ['action_succeeded', 'action_failed'],
    sprint_id: SPRINT,
  });
  expect(events.map(({ event_id }) => event_id).sort()).toEqual(
    rows.map(({ action_id }) => `action_succeeded:${action_id}`).sort(),
  );

  const { state } = await store.forRun({ run_id: 'test', lease: null }).state.load(SPRINT);
  expect(state.tasks['broken']?.escalation_issue).toEqual(expect.any(Number));
  expect(state.tasks['silent']).toMatchObject({ attempt: 2, intervention_count: 1 });
  const live = new Map(store.processes.list(SPRINT).map((row) => [`${row.task_id} ${row.attempt}`, row]));
  for (const [id, attempt] of [
    ['next', 1],
    ['fresh', 1],
    ['silent', 2],
  ] as const)
    expect(state.tasks[id]?.process_id, id).toBe(live.get(`${id} ${attempt}`)?.process_id);
  expect(await store.rebuildKv({ check_only: true })).toMatchObject({ differing: [] });
}
