import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { AgentInfo } from '@caloron/types';
import { afterEach, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { SprintWorld } from '../support/sprint-world.ts';
import { Ticks } from '../support/ticks.ts';

const SPRINT = 'thrift';

let world: SprintWorld;
let ticks: Ticks;

/** Starts a world of these settings with an agent for each task. */
async function begin(settings: object, ...tasks: readonly string[]): Promise<void> {
  world = new SprintWorld({
    settings: { num_agents: tasks.length, required_approvals: 0, ...settings },
    env: { CALORON_HEARTBEAT_MS: '200' },
  });
  await world.start();
  ticks = new Ticks(world, { sprint_id: SPRINT, deadline_ms: 60_000 });
}
afterEach(() => world.close());

/** First attempt: some work, then tokens, then more work for as long as it may; the second ends what was begun. */
function script(task: string, input: number, work_ms: number): void {
  const waits = Array.from({ length: work_ms / 100 }, () => ({ wait_ms: 100 }));
  const use = { use: { model: 'm-1', input, output: 100 } };
  const begun = [{ write: `${task}.txt`, content: 'half\n' }, use, ...waits, { commit: `Write ${task}` }];
  const rest = [
    { replace: `${task}.txt`, find: 'half', with: 'whole' },
    { use: { model: 'm-1', input: 10, output: 5 } },
    { commit: `Write ${task}` },
  ];
  world.script(task, { steps: begun }, { steps: rest });
}

function alive(): readonly AgentInfo[] {
  return world.store.processes.agents(SPRINT).filter((agent) => agent.alive);
}

const Comments = z.array(z.object({ body: z.string() }));
const Issue = z.object({ labels: z.array(z.object({ name: z.string() })) });

it('G5 O7 D19 O6 an agent that uses up its budget is paused with its work, asks, and goes on in the same worktree once it is approved', async () => {
  const prices = { default: { input: 3, output: 15 } };
  await begin({ budget: { agent: { tokens: 1000 }, sprint: { cost_usd: 5 } }, prices }, 'one');
  script('one', 900, 20_000);
  await world.kickoff(SPRINT, ['[one] Write one']);

  await ticks.until((now) => expect(now['one']?.status).toBe('Blocked'));
  const { one } = await ticks.tasks();
  expect(one?.status_reason).toBe('budget_exceeded: one run has used 1 000 tokens of 1 000 tokens');
  expect(one).toMatchObject({ attempt: 1, failed_attempts: 0, process_id: null });
  expect(one?.runs).toMatchObject([{ over: true, usage: [{ model: 'm-1', input: 900, output: 100 }] }]);
  // Its report comes before its end.
  await vi.waitFor(() => expect(alive()).toEqual([]), { timeout: 120_000, interval: 50 });

  const clone = join(world.home, '.caloron/tasks', SPRINT, 'one.git');
  const saved = `refs/caloron/wip/${SPRINT}/one`;
  await vi.waitFor(
    async () => {
      const listed = await git(['for-each-ref', '--format=%(refname)', saved], { git_dir: clone });
      const [ref = ''] = listed.stdout.trim().split('\n');
      expect((await git(['show', `${ref}:one.txt`], { git_dir: clone })).stdout).toContain('half');
    },
    { timeout: 120_000, interval: 200 },
  );
  expect(await world.said('wip', 'list')).toContain('one');

  const number = one?.issue_number ?? 0;
  await ticks.until((now) => expect(now['one']?.budget?.breach?.comment_id).toBeGreaterThan(0));
  const said = Comments.parse(await world.ask(`issues/${number}/comments`)).filter(({ body }) =>
    body.includes('needs an approval'),
  );
  expect(said).toHaveLength(1);
  expect(said[0]?.body).toContain('one run has used 1 000 tokens of 1 000 tokens');
  expect(said[0]?.body).toContain('./caloron approve one');
  const labels = async (): Promise<readonly string[]> =>
    Issue.parse(await world.ask(`issues/${number}`)).labels.map(({ name }) => name);
  expect(await labels()).toContain('caloron:needs-approval');

  expect(await world.said('status')).toContain('used 1 000 tokens, $0.004200 of $5.00');
  expect(await world.said('show', 'one')).toContain('./caloron approve one');
  const wrong = await world.caloron('approve', 'one', '--tokens', '-5');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('--tokens');

  expect(await world.said('approve', 'one')).toContain('The next tick lets it go on');
  await ticks.until((now) => expect(now['one']?.status).toBe('Done'));
  const done = (await ticks.tasks())['one'];
  expect(done).toMatchObject({ attempt: 2, failed_attempts: 0, budget: { approved: { n: 1, by: 'ada' } } });
  await world.git('fetch', '--quiet', world.remote, 'main');
  expect(await world.git('show', 'FETCH_HEAD:one.txt')).toContain('whole');
  expect(await labels()).not.toContain('caloron:needs-approval');
  expect(await world.said('status')).toContain('used 1 015 tokens');
});

it('G5 two agents are not both started where what is left pays only one of them', async () => {
  await begin({ budget: { agent: { tokens: 1000 }, sprint: { tokens: 1500 } } }, 'one', 'two');
  for (const task of ['one', 'two']) script(task, 100, 0);
  await world.kickoff(SPRINT, ['[one] Write one', '[two] Write two']);

  let waited = '';
  let most = 0;
  await ticks.until(
    (now) => expect(Object.values(now).map(({ status }) => status)).toEqual(['Done', 'Done']),
    (now) => {
      most = Math.max(most, alive().length);
      const reasons = Object.values(now).map(({ status_reason }) => status_reason);
      waited = reasons.find((reason) => reason?.startsWith('budget: ')) ?? waited;
    },
  );

  expect(most).toBe(1);
  expect(waited).toBe(
    'budget: needs 1 000 tokens of 500 tokens that runs at work leave of the limit of the sprint',
  );
});
