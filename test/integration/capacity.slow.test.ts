import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import {
  editJson,
  environment,
  type ForgeWorld,
  forgeWorld,
  must,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from '../support/bins.ts';
import { killProcessesOf } from '../support/processes.ts';

/** Each look is a process of its own. */
const WAIT = { timeout: 30_000, interval: 500 } as const;

let dir: string;
let home: string;
let world: ForgeWorld;
let shell: Serving;
let scheduler: Serving;
let env: Readonly<Record<string, string>>;

/** An agent that says that it has begun, and delivers once it may. */
function script(task: string): void {
  const steps = [
    { run: ['sh', '-c', `touch ${dir}/${task}.begun; while [ ! -e ${dir}/go ]; do sleep 0.05; done`] },
    { write: `${task}.txt`, content: 'done\n' },
    { commit: `Write ${task}` },
  ];
  writeText(join(dir, `${task}.json`), JSON.stringify({ v: 1, attempts: [{ steps }] }));
}

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  const agents = ['--reviewer-token-env', 'CALORON_REVIEWER_TOKEN', '--framework', 'stub'];
  await must('caloron', ['init', ...forge, ...agents, '--home', home], { cwd: dir });
  // The scripts write beside their worktrees, where a sandbox lets nobody write.
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: dir },
    isolation: { sandbox: 'off' },
    capacity: { host: 1 },
  });
  for (const task of ['one', 'two']) script(task);
  const tokens = environment(world.tokens);
  shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env: tokens });
  env = { ...tokens, CALORON_SHELL_URL: shell.url };
  scheduler = await serve('noether-scheduler', ['--config', 'scheduler.json'], { cwd: home, env });
  const kickoff = ['kickoff', '- [one] The first\n- [two] The second', '--repo', world.repo];
  await must('caloron', [...kickoff, '--sprint-id', 's', '--num-agents', '2', '--home', home], {
    cwd: dir,
    env,
  });
});

afterAll(async () => {
  await scheduler.stop();
  await shell.stop();
  await world.forge.stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

const said = (...args: readonly string[]): Promise<string> =>
  must('caloron', [...args, '--home', home], { cwd: dir, env });
const Tasks = z.object({
  data: z.object({
    tasks: z.record(
      z.string(),
      z.object({ status: z.string(), status_reason: z.string().nullable(), failed_attempts: z.number() }),
    ),
  }),
});
const tasks = async (): Promise<z.infer<typeof Tasks>['data']['tasks']> =>
  Tasks.parse(JSON.parse(await said('status', '--output', 'json'))).data.tasks;

describe('a machine with room for one agent', () => {
  it('D13 runs one after the other, tells what the others wait for, and ends the sprint with no attempt lost', async () => {
    await vi.waitFor(async () => {
      const reasons = Object.values(await tasks()).map(({ status_reason }) => status_reason);
      expect(
        reasons.filter((reason) => reason?.startsWith('capacity: 1 of at most 1 agents') === true),
      ).toHaveLength(1);
    }, WAIT);
    const begun = (): number =>
      ['one', 'two'].filter((task) => existsSync(join(dir, `${task}.begun`))).length;
    await vi.waitFor(() => expect(begun()).toBe(1), WAIT);
    const waiting = Object.entries(await tasks()).find(([, task]) => task.status === 'Ready')?.[0] ?? '';
    expect(await said('show', waiting)).toMatch(
      /capacity: 1 of at most 1 agents[^]*next\n {2}nothing: it starts by itself/,
    );

    writeText(join(dir, 'go'), '');
    await vi.waitFor(async () => {
      const all = Object.values(await tasks());
      expect(all.map(({ status }) => status)).toEqual(['Done', 'Done']);
      expect(all.map(({ failed_attempts }) => failed_attempts)).toEqual([0, 0]);
    }, WAIT);
  });
});
