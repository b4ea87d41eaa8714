import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { writeText } from '../support/bins.ts';
import { processesOf } from '../support/processes.ts';
import { SprintWorld } from '../support/sprint-world.ts';
import { Ticks } from '../support/ticks.ts';

const SPRINT = 'alive';
/** Minutes without a sign after which an agent is asked: 15 seconds; after twice that it is lost, and on a slow machine an answer takes its time. */
const THRESHOLD_M = 0.25;
/** Longer than an agent may be silent before it is lost. */
const ASLEEP_MS = 32_000;
/** Several heartbeats long. */
const UNDER_WAY_MS = 1000;

const world = new SprintWorld({
  settings: { num_agents: 3, required_approvals: 0, stall_threshold_m: THRESHOLD_M, cooldown_m: 0.01 },
  env: { CALORON_HEARTBEAT_MS: '200' },
});
let ticks: Ticks;

const work = (task: string) => [{ write: `${task}.txt`, content: 'done\n' }, { commit: `Write ${task}` }];

beforeAll(async () => {
  const hang = { run: ['sh', '-c', 'echo compiling; while :; do sleep 1; done'] };
  world.script('hung', { steps: [{ write: 'half.txt', content: 'done\n' }, hang] }, { steps: work('hung') });
  world.script('asked', { steps: [{ await_nudge_ms: 600_000 }, ...work('asked')] });
  // Computes a tenth of the time, and prints nothing.
  const busy = 'while [ ! -e built ]; do i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; sleep 0.2; done';
  world.script('build', { steps: [{ run: ['sh', '-c', busy] }, ...work('build')] });
  await world.start();
  ticks = new Ticks(world, { sprint_id: SPRINT, deadline_ms: 180_000, pause_ms: 200 });
});
afterAll(() => world.close());

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch {
    // A command of a moment, which has ended.
  }
}

const processes = async (): Promise<readonly (string | null)[]> =>
  Object.values(await ticks.tasks()).map(({ process_id }) => process_id);

it('G1 D14 an agent that hangs is asked and started anew; one that computes, answers or slept is not', async () => {
  await world.kickoff(SPRINT, ['[hung] The hung', '[asked] The asked', '[build] The build']);
  await ticks.until((now) => expect(Object.values(now).every(({ process_id }) => process_id)).toBe(true));
  await ticks.until(() => {
    const agents = world.store.processes.agents(SPRINT);
    expect(agents.map(({ last_heartbeat_at }) => last_heartbeat_at)).not.toContain(null);
    expect(agents.find(({ task_id }) => task_id === 'build')?.last_cpu_at).toMatch(/Z$/);
  });

  // The machine sleeps: the shell, the agents and all they run. Nobody is lost for what nobody could show.
  const before = await processes();
  const asked = (await ticks.tasks())['build']?.intervention_count;
  const asleep = processesOf(world.dir).filter(({ pid }) => pid !== world.forge.forge.pid);
  // The shell first: a beat of each agent is under way when it wakes up.
  signal(world.shell.pid, 'SIGSTOP');
  await delay(UNDER_WAY_MS);
  for (const { pid } of asleep) signal(pid, 'SIGSTOP');
  await delay(ASLEEP_MS);
  for (const { pid } of asleep) signal(pid, 'SIGCONT');
  await ticks.tick();
  expect(await processes()).toEqual(before);
  expect((await ticks.tasks())['build']?.intervention_count).toBe(asked);

  await ticks.until((now) => {
    expect(now['hung']).toMatchObject({ status: 'Done', attempt: 2, failed_attempts: 0 });
    expect(now['asked']).toMatchObject({ status: 'Done', attempt: 1 });
  });
  const { hung, build } = await ticks.tasks();
  expect(hung).toMatchObject({ last_stop: { tail: expect.stringContaining('compiling') as string } });
  expect(hung?.last_stop?.wip_ref).toMatch(/^refs\/caloron\/wip\//);
  expect(build).toMatchObject({ status: 'InProgress', attempt: 1 });
  const shown = await world.said('show', 'build', '--sprint', SPRINT);
  expect(shown).toContain('processor time of its processes');
  const account = await world.said('show', 'hung', '--sprint', SPRINT);
  expect(account).toMatch(/probe[^]*restart/);
  expect(account).toContain('(stopped)');

  writeText(join(world.home, '.caloron/worktrees', SPRINT, 'build', 'built'), '');
  await ticks.until((now) => expect(now['build']).toMatchObject({ status: 'Done', attempt: 1 }));
});
