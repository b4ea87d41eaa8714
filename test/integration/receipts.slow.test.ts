import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { Task } from '@caloron/types';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

import { SprintWorld } from '../support/sprint-world.ts';
import { Ticks } from '../support/ticks.ts';

const SPRINT = 'proven';

const world = new SprintWorld({
  settings: {
    num_agents: 3,
    required_approvals: 0,
    merge_method: 'squash',
    max_review_cycles: 2,
    verify: [
      ['sh', 'check.sh'],
      ['sh', '-c', 'test ! -e needs-passes || test -e passes'],
    ],
  },
});
let ticks: Ticks;

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
  for (const [task, attempts] of Object.entries(SCRIPTS)) world.script(task, ...attempts);
  await world.start();
  ticks = new Ticks(world, { sprint_id: SPRINT, deadline_ms: 120_000, step_ms: 2_000 });
});
afterAll(() => world.close());

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
  expect(Pull.parse(await world.ask(`pulls/${task?.pr_number}`))).toEqual({ state: 'open', merged: false });
  const asked = z.array(Issue).parse(await world.ask('issues?labels=caloron:escalated'));
  expect(asked).toHaveLength(1);
  expect(asked[0]?.body).toContain('was sent back 2 times and is still not approved');
}

it('G8 G10 what an agent says and leaves proves nothing: only what passes on the very head is merged, and show tells the proof', async () => {
  await world.kickoff(SPRINT, [
    '[boasts] Say that it is done',
    '[cheats] Leave what makes it pass',
    '[insists] Insist',
  ]);

  const refused = new Map<string, string>();
  await ticks.until(
    (now) => {
      for (const id of ['boasts', 'cheats']) expect(now[id]).toMatchObject({ status: 'Done' });
      expect(now['insists']?.escalation_issue).toBeGreaterThan(0);
    },
    (now) => {
      for (const { id, receipt } of Object.values(now))
        if (receipt?.ok === false) refused.set(id, receipt.commit);
    },
  );

  const done = await ticks.tasks();
  for (const id of ['boasts', 'cheats']) {
    expect(refused.has(id)).toBe(true);
    expect(done[id]).toMatchObject({ attempt: 2, review_cycles: 1, receipt: { ok: true } });
    expect(done[id]?.receipt?.commit).toBe(done[id]?.head_sha);
    expect(done[id]?.head_sha).not.toBe(refused.get(id));
    const shown = await world.said('show', id, '--sprint', SPRINT);
    expect(shown).toMatch(
      new RegExp(
        `receipts\\n {2}sh check\\.sh: exit 0 on ${done[id]?.head_sha?.slice(0, 8)}, tree [0-9a-f]{8} in `,
      ),
    );
    expect(shown).toMatch(/reviewer \d verify/);
  }
  await expectLeftToAPerson(done['insists']);
  const clone = join(world.dir, 'merged');
  await git(['clone', '--quiet', world.remote, clone], {
    credential: { username: 'x-access-token', token: world.forge.tokens.CALORON_FORGE_TOKEN },
  });
  const { stdout } = await git(['show', 'HEAD:boasts.txt'], { cwd: clone });
  expect(stdout).toBe('done');
  // Squashed: what was proven is the head of each pull request, and no commit of main.
  const { stdout: log } = await git(['log', '--format=%H'], { cwd: clone });
  expect(log.split('\n')).toHaveLength(3);
  for (const id of ['boasts', 'cheats']) expect(log).not.toContain(done[id]?.receipt?.commit);
});
