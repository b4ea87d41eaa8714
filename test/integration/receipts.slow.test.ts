import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment, type Runtime } from '@caloron/scheduler';
import { addMs, DagState, keys, type Task } from '@caloron/types';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
import { ROOT } from '../support/tree.ts';

const TICK = join(ROOT, 'compositions/sprint_tick.json');
const SPRINT = 'proven';
/** Longest a state may take that a few ticks and starts of agents bring about. */
const DEADLINE_MS = 40_000;

let dir: string;
let home: string;
let world: ForgeWorld;
let env: Readonly<Record<string, string>>;
let runtime: Runtime;
/** How far the ticks' clock is ahead: no backoff is waited for. */
let ahead_ms = 0;
const serving: Serving[] = [];

/** What each task's agent does, attempt by attempt. No approval is asked for: only the proof stands before a merge. */
const SCRIPTS = {
  // The agent says that all is well. `check.sh` says that it is not, until the second attempt.
  boasts: [
    {
      steps: [{ write: 'boasts.txt', content: 'later\n' }, { commit: 'All tests pass' }],
      feedback: { notes: 'done, tests pass', self_assessment: 'completed' },
    },
    { steps: [{ write: 'boasts.txt', content: 'done\n' }, { commit: 'Do it' }] },
  ],
  // What makes the command pass is ignored by git: it lies in the author's worktree and in no commit.
  cheats: [
    {
      steps: [
        { write: '.gitignore', content: 'passes\n' },
        { write: 'passes', content: '1\n' },
        { write: 'needs-passes', content: '1\n' },
        { commit: 'Works on my machine' },
      ],
    },
    { steps: [{ delete: 'needs-passes' }, { commit: 'Need nothing' }] },
  ],
  // It never gets it right: after as many rounds as the sprint allows a person is asked.
  insists: ['later', 'soon'].map((content) => ({
    steps: [{ write: 'insists.txt', content: `${content}\n` }, { commit: `It is right: ${content}` }],
  })),
};

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  serving.push(world.forge);
  env = environment(world.tokens);
  for (const [task, attempts] of Object.entries(SCRIPTS))
    writeText(join(dir, 'scripts', `${task}.json`), JSON.stringify({ v: 1, attempts }));
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  await caloron('init', ...forge, '--framework', 'stub');
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: join(dir, 'scripts') },
    num_agents: 3,
    required_approvals: 0,
    merge_method: 'squash',
    max_review_cycles: 2,
    verify: [
      ['sh', 'check.sh'],
      ['sh', '-c', 'test ! -e needs-passes || test -e passes'],
    ],
  });
  const shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env });
  serving.push(shell);
  env = { ...env, CALORON_SHELL_URL: shell.url };
  const found = findHome({ flag: home, cwd: dir, variables: {} });
  runtime = createRuntime({
    home: found,
    environment: readEnvironment(env, found),
    clock: { now: () => addMs(systemClock.now(), ahead_ms) },
    random: systemRandom,
  });
});

afterAll(async () => {
  runtime.close();
  for (const { stop } of serving.splice(0).reverse()) await stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

function caloron(...args: readonly string[]): Promise<string> {
  return must('caloron', [...args, '--home', home], { cwd: dir, env });
}

async function tasks(): Promise<Readonly<Record<string, Task>>> {
  return DagState.parse((await runtime.store.kv.get(keys.state(SPRINT)))?.value).tasks;
}

/** Ticks until the tasks stand as expected; `watch` looks at each state on the way. */
async function ticksUntil(
  expected: (now: Readonly<Record<string, Task>>) => void,
  watch: (now: Readonly<Record<string, Task>>) => void = () => undefined,
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const input = { sprint_id: SPRINT, repo: world.repo };
    const result = await runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
    ahead_ms += 2_000;
    const now = await tasks();
    watch(now);
    try {
      return expected(now);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

const Pull = z.object({ state: z.string(), merged: z.boolean() });
const Issue = z.object({ body: z.string() });

/** A task whose rounds of review are used up is blocked, its pull request open and not merged, and a person was asked. */
async function expectLeftToAPerson(task: Task | undefined): Promise<void> {
  expect(task).toMatchObject({
    status: 'Blocked',
    status_reason: 'review_cycles_exhausted',
    review_cycles: 2,
    attempt: 2,
  });
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`${world.forge.url}/repos/${world.repo}/${path}`)).json();
  expect(Pull.parse(await get(`pulls/${task?.pr_number}`))).toEqual({ state: 'open', merged: false });
  const asked = z.array(Issue).parse(await get('issues?labels=caloron:escalated'));
  expect(asked).toHaveLength(1);
  expect(asked[0]?.body).toContain('was sent back 2 times and is still not approved');
}

it('G8 G10 what an agent says and leaves proves nothing: only what passes on the very head is merged, and show tells the proof', async () => {
  const brief = '- [boasts] Say that it is done\n- [cheats] Leave what makes it pass\n- [insists] Insist';
  await caloron('kickoff', brief, '--repo', world.repo, '--sprint-id', SPRINT);

  const refused = new Map<string, string>();
  await ticksUntil(
    (now) => {
      for (const id of ['boasts', 'cheats']) expect(now[id]).toMatchObject({ status: 'Done' });
      expect(now['insists']?.escalation_issue).toBeGreaterThan(0);
    },
    (now) => {
      for (const { id, receipt } of Object.values(now))
        if (receipt?.ok === false) refused.set(id, receipt.commit);
    },
  );

  const done = await tasks();
  for (const id of ['boasts', 'cheats']) {
    expect(refused.has(id)).toBe(true);
    expect(done[id]).toMatchObject({ attempt: 2, review_cycles: 1, receipt: { ok: true } });
    expect(done[id]?.receipt?.commit).toBe(done[id]?.head_sha);
    expect(done[id]?.head_sha).not.toBe(refused.get(id));
    const shown = await caloron('show', id, '--sprint', SPRINT);
    expect(shown).toMatch(
      new RegExp(
        `receipts\\n {2}sh check\\.sh: exit 0 on ${done[id]?.head_sha?.slice(0, 8)}, tree [0-9a-f]{8} in `,
      ),
    );
    expect(shown).toMatch(/reviewer \d verify/);
  }
  await expectLeftToAPerson(done['insists']);
  const clone = join(dir, 'merged');
  await git(['clone', '--quiet', `${world.forge.url}/${world.repo}.git`, clone], {
    credential: { username: 'x-access-token', token: world.tokens.CALORON_FORGE_TOKEN },
  });
  const { stdout } = await git(['show', 'HEAD:boasts.txt'], { cwd: clone });
  expect(stdout).toBe('done');
  // Squashed: what was proven is the head of each pull request, and no commit of main.
  const { stdout: log } = await git(['log', '--format=%H'], { cwd: clone });
  expect(log.split('\n')).toHaveLength(3);
  for (const id of ['boasts', 'cheats']) expect(log).not.toContain(done[id]?.receipt?.commit);
});
