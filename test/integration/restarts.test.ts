import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { everyTagged } from '@caloron/capabilities/process-identity';
import { systemRandom } from '@caloron/capabilities/random';
import type { ProcessRow } from '@caloron/types';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';

import { editJson, type Serving } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';

/** Set for `pnpm test:slow`, which has ten agents as `pnpm test:long`. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
/** `pnpm test:long` kills the shell and the scheduler each alone, and again and again by chance. */
const LONG = process.env['CALORON_TEST_LONG'] === '1';
const SPRINT = 'restarts';
/** Two die; the others are adopted. */
const AGENTS = LONG || SLOW ? 10 : 3;
const TASKS = Array.from({ length: AGENTS }, (_, n) => `task-${n}`);
/** Longest anything may take; what an agent lost is tried again after 10 to 15 s. */
const DEADLINE_MS = 120_000;

type Bin = 'caloron-shell' | 'noether-scheduler';
const BOTH: readonly Bin[] = ['caloron-shell', 'noether-scheduler'];

let world: SprintWorld;
let serving: Map<Bin, Serving>;

beforeEach(async () => {
  serving = new Map();
  world = new SprintWorld({ settings: { num_agents: AGENTS, required_approvals: 0 } });
  mkdirSync(signals());
  for (const task of TASKS) writeTask(task);
  await world.start();
  // The agents' sandboxes let them write where the test looks.
  editJson(join(world.home, 'caloron.json'), { isolation: { writable: [signals()] } });
  serving.set('caloron-shell', world.shell);
  await world.kickoff(
    SPRINT,
    TASKS.map((task) => `[${task}] Do ${task}`),
  );
  await start('noether-scheduler');
});
afterEach(() => world.close());

/** Where agents say that they have begun, and are told to go on; beside their worktrees, so that it is no work of theirs. */
function signals(): string {
  return join(world.dir, 'signals');
}

/** Each agent begins, works until it is told to go on, then ends its work; what it begins with is uncommitted for that time. */
function writeTask(task: string): void {
  const wait = `touch ${signals()}/began-${task}; until test -e ${signals()}/go; do sleep 0.1; done`;
  const steps = [
    { write: `${task}.txt`, content: 'done, but not committed\n' },
    { run: ['sh', '-c', wait] },
    { commit: `Do ${task}` },
  ];
  world.script(task, { steps });
}

async function start(bin: Bin): Promise<void> {
  serving.set(bin, await (bin === 'caloron-shell' ? world.startShell() : world.startScheduler()));
}

function kill(bins: readonly Bin[]): void {
  for (const bin of bins) process.kill(serving.get(bin)?.pid ?? 0, 'SIGKILL');
}

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    assertNoneDoubled();
    if (performance.now() > deadline)
      throw new Error(
        `never came true: ${what()}\n${[...serving.values()].map(({ log }) => log().slice(-3000)).join('\n')}`,
      );
    await delay(400);
  }
}

const authors = (task?: string): readonly ProcessRow[] =>
  world.store.processes
    .list(SPRINT)
    .filter((row) => row.role === 'author' && (task ?? row.task_id) === row.task_id);

/** Looks at the running processes, not at what is recorded of them: those of one task carry one tag. */
function assertNoneDoubled(): void {
  const running = everyTagged();
  // Read after that: every process has its row before it runs.
  const taskOf = new Map(world.store.processes.list(SPRINT).map((row) => [row.process_id, row.task_id]));
  const tags = new Map<string, Set<string>>();
  for (const { process_id, cwd } of running) {
    if (cwd?.startsWith(world.home) !== true) continue;
    const task = taskOf.get(process_id) ?? 'none';
    tags.set(task, (tags.get(task) ?? new Set()).add(process_id));
  }
  const doubled = [...tags].filter(([task, found]) => task === 'none' || found.size > 1);
  expect(doubled).toEqual([]);
}

function began(): readonly string[] {
  return readdirSync(signals()).filter((name) => name.startsWith('began-'));
}

async function allBegan(): Promise<readonly ProcessRow[]> {
  await until(
    () => began().length === AGENTS,
    () => `agents that work: ${began().join()}`,
  );
  return authors();
}

async function goOn(): Promise<void> {
  writeFileSync(join(signals(), 'go'), '');
  const statuses = async () =>
    Object.values(await world.tasks(SPRINT)).map(
      (task) => `${task.id} ${task.status} ${task.status_reason ?? ''}`,
    );
  let now: readonly string[] = [];
  await until(
    async () => (now = await statuses()).every((text) => text.includes(' Done ')),
    () => now.join('; '),
  );
}

const Pull = z.object({ head: z.object({ ref: z.string() }), merged_at: z.string().nullable() });

/** One pull request and one merge for each task; every process that was recorded has ended with its exit, and no action was done twice. */
async function expectOnce(): Promise<void> {
  const pulls = z.array(Pull).parse(await world.ask('pulls?state=all&per_page=100'));
  expect(pulls.map(({ head }) => head.ref).toSorted()).toEqual(
    TASKS.map((task) => `caloron/${SPRINT}/${task}`),
  );
  expect(pulls.filter(({ merged_at }) => merged_at === null)).toEqual([]);

  const rows = world.store.processes.list(SPRINT);
  await until(
    () => world.store.processes.open().length === 0,
    () => 'the last agents are settled',
  );
  expect(new Set(rows.map(({ action_id }) => action_id)).size).toBe(rows.length);
  const merges = world.store.outboxRows(SPRINT).filter(({ action }) => action.type === 'merge_pr');
  expect(merges).toHaveLength(AGENTS);
  expect(new Set(merges.map(({ action }) => action.task_id))).toEqual(new Set(TASKS));
}

/** Those whose harness was not killed are the same processes under the same ids; of the others the end is recorded. */
function expectAdopted(before: readonly ProcessRow[], dead: readonly ProcessRow[]): void {
  for (const { process_id, pid, task_id } of before) {
    const row = world.store.processes.get(process_id);
    if (dead.some((other) => other.process_id === process_id)) {
      expect(row).toMatchObject({ exit: expect.anything(), state: expect.stringMatching(/lost|exited/) });
      continue;
    }
    expect(row).toMatchObject({ pid, state: 'running', exit: null });
    expect(authors(task_id)).toHaveLength(1);
  }
}

const settledAll = (rows: readonly ProcessRow[]): boolean =>
  rows.every(({ process_id }) => (world.store.processes.get(process_id)?.exit ?? null) !== null);

/** Kills processes of ours, and at the same moment a harness alone and a harness with its program; then starts ours again. */
async function killAndStart(
  bins: readonly Bin[],
  before: readonly ProcessRow[],
): Promise<readonly ProcessRow[]> {
  const [alone, whole] = before;
  kill(bins);
  for (const { pid } of everyTagged().filter(({ process_id }) => process_id === whole?.process_id)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Its sandbox has ended with the process before it.
    }
  }
  process.kill(alone?.pid ?? 0, 'SIGKILL');
  for (const bin of bins) await start(bin);
  const dead = [alone, whole].filter((row) => row !== undefined);
  await until(
    () => settledAll(dead),
    () => 'the dead are settled',
  );
  return dead;
}

it('O5 G11 D2 D20 agents go on while shell and scheduler are killed, two of them die, and all is done once', async () => {
  const before = await allBegan();
  expect(before).toHaveLength(AGENTS);

  const dead = await killAndStart(BOTH, before);

  expectAdopted(before, dead);
  // What the dead had not committed was saved, and nothing of them runs on.
  const kept = await world.said('wip', 'list');
  for (const { task_id, process_id } of dead) {
    expect(kept).toContain(task_id);
    expect(everyTagged().filter((found) => found.process_id === process_id)).toEqual([]);
  }
  await goOn();
  await expectOnce();
  for (const { task_id } of before) {
    const again = dead.some((row) => row.task_id === task_id);
    expect(authors(task_id).length, task_id).toBe(again ? 2 : 1);
  }
});

if (LONG) {
  it.each([
    ['the shell', ['caloron-shell']],
    ['the scheduler', ['noether-scheduler']],
  ] as const)('G11 D20 agents go on while %s is killed', async (_, bins) => {
    const before = await allBegan();

    expectAdopted(before, await killAndStart(bins, before));

    await goOn();
    await expectOnce();
  });

  it('G11 D20 agents are done once while both are killed again and again', async () => {
    for (let round = 0; round < 6; round += 1) {
      await delay(systemRandom.fraction() * 1500);
      const bins = BOTH.filter(() => systemRandom.fraction() < 0.6);
      kill(bins);
      for (const bin of bins) await start(bin);
      assertNoneDoubled();
    }
    writeFileSync(join(signals(), 'go'), '');
    for (let round = 0; round < 6; round += 1) {
      await delay(systemRandom.fraction() * 1500);
      kill(BOTH);
      for (const bin of BOTH) await start(bin);
      assertNoneDoubled();
    }
    await goOn();
    await expectOnce();
  });
}
