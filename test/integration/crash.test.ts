import { availableParallelism } from 'node:os';

import { parseMarker, type Status } from '@caloron/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type CrashWorld, crashWorld, SPRINT } from '../support/crash-world.ts';

/** A dead run's lease of 30 s has run out for a process this far ahead. */
const AHEAD_MS = 60_000;
const DEADLINE_MS = 45_000;
/** `pnpm test:long` kills at every step, `pnpm test` at a sample. */
const LONG = process.env['CALORON_TEST_LONG'] === '1';
const SAMPLE = 10;
const AT_ONCE = Math.max(2, Math.min(4, availableParallelism()));

const EXPECTED: Readonly<Record<string, Status>> = {
  'merge-me': 'Done',
  next: 'InProgress',
  fresh: 'InProgress',
  'review-me': 'InReview',
  broken: 'Blocked',
};
const ACTIONS = [
  'cleanup',
  'create_issue',
  'escalate',
  'mark_done',
  'merge_pr',
  'spawn_agent',
  'spawn_agent',
  'spawn_agent',
  'submit_pr_for_review',
];

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function settled(world: CrashWorld): Promise<void> {
  const { store } = world;
  const look = async (): Promise<{
    readonly tasks: Readonly<Record<string, string>>;
    readonly open: readonly string[];
    readonly ended: number;
  }> => {
    const { state } = await store.forRun({ run_id: 'test', lease: null }).state.load(SPRINT);
    const rows = store.outboxRows(SPRINT);
    return {
      tasks: Object.fromEntries(Object.values(state.tasks).map(({ id, status }) => [id, status])),
      open: rows
        .filter(({ status }) => status !== 'done')
        .map(
          ({ action, status, error }) =>
            `${action.type} ${action.task_id ?? ''} ${status} ${error?.message ?? ''}`,
        ),
      ended: rows.filter(({ status }) => status === 'done').length,
    };
  };
  let seen = await look();
  await until(
    async () => {
      seen = await look();
      return (
        seen.open.length === 0 &&
        seen.ended >= ACTIONS.length &&
        Object.entries(EXPECTED).every(([id, status]) => seen.tasks[id] === status)
      );
    },
    () => JSON.stringify(seen),
  );
}

/** Every effect of the tick, found once. */
async function expectOnce(world: CrashWorld): Promise<void> {
  const { octokit, repo, store } = world;
  const { data: listed } = await octokit.issues.listForRepo({ ...repo, state: 'all', per_page: 100 });
  const issues = listed.filter(({ pull_request }) => pull_request === undefined);
  const ofTask = (id: string): typeof issues =>
    issues.filter(
      ({ body, title }) => parseMarker(body ?? '')?.task_id === id && !title.startsWith('Escalation'),
    );
  for (const id of Object.keys(EXPECTED)) expect(ofTask(id), `issues of ${id}`).toHaveLength(1);
  expect(issues.filter(({ title }) => title.startsWith('Escalation'))).toHaveLength(1);

  const comments = async (id: string): Promise<readonly string[]> => {
    const { data } = await octokit.issues.listComments({ ...repo, issue_number: ofTask(id)[0]?.number ?? 0 });
    return data.map(({ body }) => body ?? '');
  };
  expect((await world.main()).split('\n'), 'merges').toHaveLength(1);
  const done = ofTask('merge-me')[0];
  expect(done?.state).toBe('closed');
  expect(done?.labels.map((label) => (typeof label === 'string' ? label : label.name))).toContain(
    'caloron:done',
  );
  expect((await comments('merge-me')).filter((text) => text.includes('Completed via PR'))).toHaveLength(1);
  for (const id of ['next', 'fresh']) {
    expect(
      (await comments(id)).filter((text) => text.includes('has been assigned')),
      `assignments of ${id}`,
    ).toHaveLength(1);
  }

  const processes = store.processes.list(SPRINT);
  expect(processes.map(({ task_id, role }) => `${task_id} ${role}`).sort()).toEqual([
    'fresh author',
    'next author',
    'review-me reviewer',
  ]);
  for (const { process_id } of processes) {
    await until(
      () => world.starts(process_id) > 0,
      () => `the harness of ${process_id} starts`,
    );
    expect(world.starts(process_id)).toBe(1);
  }

  const rows = store.outboxRows(SPRINT);
  expect(rows.map(({ action }) => action.type).sort()).toEqual(ACTIONS);
  const succeeded = store.events.read({ after: 0, kinds: ['action_succeeded'], sprint_id: SPRINT });
  expect(succeeded).toHaveLength(rows.length);
}

/** Kills the scheduler at one step of its tick, starts it again, and looks at what became of every effect. */
async function crash(kill_at: number): Promise<void> {
  const world = await crashWorld();
  try {
    const killed = await world.scheduler({ kill_at, ahead_ms: 0 }).ended;
    expect(killed, `killed at step ${kill_at}`).toBeNull();
    const again = world.scheduler({ kill_at: null, ahead_ms: AHEAD_MS });
    await settled(world);
    await again.stop();
    await expectOnce(world);
  } finally {
    await world.close();
  }
}

describe('a scheduler that is killed during a tick', () => {
  let steps: readonly string[] = [];

  beforeAll(async () => {
    const world = await crashWorld();
    try {
      const child = world.scheduler({ kill_at: null, ahead_ms: 0 });
      await settled(world);
      steps = (await child.stop()) ?? [];
      await expectOnce(world);
    } finally {
      await world.close();
    }
  });

  afterAll(() => {
    process.stderr.write(
      `crash test: ${steps.length} steps in one tick${LONG ? ', each of them tried' : ''}\n`,
    );
  });

  it('passes through every kind of step', () => {
    for (const name of [
      'state.commit',
      'outbox.start',
      'forge.createIssue',
      'forge.merge',
      'forge.comment',
      'shell.spawn',
      'outbox.succeed',
    ]) {
      expect(steps, name).toContain(`before ${name}`);
      expect(steps, name).toContain(`after ${name}`);
    }
  });

  it(
    LONG
      ? 'leaves every effect once, wherever it was killed'
      : 'leaves every effect once, killed at a sample of its steps',
    async () => {
      const all = steps.map((_name, index) => index + 1);
      const risky = [
        'after state.commit',
        'after forge.createIssue',
        'after forge.merge',
        'after shell.spawn',
        'after forge.comment',
      ].map((name) => steps.indexOf(name) + 1);
      const spread = all.filter((at) => at % Math.ceil(all.length / (SAMPLE - risky.length)) === 0);
      const queue = LONG ? [...all] : [...new Set([...risky, ...spread])];
      const failed: string[] = [];
      const worker = async (): Promise<void> => {
        for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
          await crash(at).catch((error: unknown) =>
            failed.push(`step ${at} (${steps[at ?? 1] ?? ''}): ${String(error)}`),
          );
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));

      expect(failed).toEqual([]);
    },
    LONG ? 3_600_000 : 150_000,
  );
});
