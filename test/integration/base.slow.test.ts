import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { writeText } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';
import { Ticks } from '../support/ticks.ts';

const SPRINT = 'bases';

const world = new SprintWorld({
  settings: {
    num_agents: 1,
    required_approvals: 0,
    verify: [['sh', 'check.sh']],
    // Its scripts tell the test where they are by files beside their worktree.
    isolation: { sandbox: 'off' },
  },
});
let ticks: Ticks;

beforeAll(async () => {
  const write = { write: 'one.txt', content: 'done\n' };
  world.script('one', { steps: [write, world.gate('one'), { commit: 'Write one' }] });
  await world.start();
  ticks = new Ticks(world, { sprint_id: SPRINT, deadline_ms: 60_000, step_ms: 2_000 });
});
afterAll(() => world.close());

/** The bare repository itself: a forge lets nobody push its default branch away. */
function repository(): string {
  const [name = ''] = readdirSync(join(world.forge.data, 'repos'));
  return join(world.forge.data, 'repos', name);
}

/** A commit of one more file on another, pushed to main by force; gives it. */
async function pushMain(parent: string, file: string): Promise<string> {
  await world.git('checkout', '--quiet', '--force', '--detach', parent);
  writeText(join(world.dir, 'seed', file), 'done\n');
  await world.git('add', file);
  await world.git('commit', '--quiet', '-m', `Add ${file}`);
  await world.git('push', '--quiet', '--force', world.remote, 'HEAD:refs/heads/main');
  return world.git('rev-parse', 'HEAD');
}

it('G3 a base that is deleted or rewritten while a sprint runs is named, and what is merged stands on the new one', async () => {
  const first = await world.git('rev-parse', 'HEAD');
  const before = await pushMain(first, 'secret.txt');
  await world.kickoff(SPRINT, ['[one] The first']);

  // Deleted: nobody is started, and it is said why.
  const bare = (...args: readonly string[]) => git(args, { git_dir: repository() });
  await bare('update-ref', '-d', 'refs/heads/main');
  await ticks.until(({ one }) => expect(one?.status_reason).toMatch(/^not_started: /));
  expect(await world.said('status')).toMatch(/^one +Ready .*not_started: .*agent\/lib has no branch main/m);
  expect(world.store.processes.list(SPRINT)).toEqual([]);
  await bare('update-ref', 'refs/heads/main', before);
  await ticks.until(() => expect(existsSync(join(world.dir, 'one.begun'))).toBe(true));
  expect((await ticks.tasks())['one']).toMatchObject({
    status: 'InProgress',
    status_reason: null,
    base_sha: before,
  });

  // Rewritten while its agent works: what was taken out of it does not come back.
  const clean = await pushMain(first, 'clean.txt');
  world.open('one');
  await ticks.until(({ one }) => expect(one?.status_reason).toBe('rebase: base_rewritten'));
  const shown = await world.said('show', 'one');
  expect(shown).toContain('its base branch is 1 commit ahead of the head');
  expect(shown).toMatch(/main was rewritten and no longer contains [0-9a-f]{40}/);
  await ticks.until(({ one }) => expect(one?.status).toBe('Done'));
  expect((await ticks.tasks())['one']).toMatchObject({ base_sha: clean, rebases: 1, failed_attempts: 0 });
  await world.git('fetch', '--quiet', world.remote, 'main');
  const merged = await world.git('ls-tree', '--name-only', 'FETCH_HEAD');
  expect(merged.split('\n')).toEqual(['README.md', 'check.sh', 'clean.txt', 'one.txt']);
});
