import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

import { editJson } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';
import { Ticks } from '../support/ticks.ts';

const HALF_AN_HOUR = 1_800_000;

const Reviews = z.array(z.object({ state: z.string(), user: z.object({ login: z.string() }) }));
const Issues = z.array(
  z.object({ title: z.string(), body: z.string(), assignees: z.array(z.object({ login: z.string() })) }),
);

const world = new SprintWorld({ reviewer: true, settings: { num_agents: 1, required_approvals: 1 } });

beforeAll(async () => {
  for (const task of ['one', 'two'])
    world.script(task, { steps: [{ write: `${task}.txt`, content: 'done\n' }, { commit: `Write ${task}` }] });
  await world.start();
});
afterAll(() => world.close());

function ticksOf(sprint_id: string): Ticks {
  return new Ticks(world, { sprint_id, deadline_ms: 60_000, step_ms: 2_000 });
}

/** Changes a pull request, as its owner does. */
async function change(pr_number: number, body: object): Promise<void> {
  const answer = await fetch(`${world.forge.forge.url}/repos/${world.forge.repo}/pulls/${pr_number}`, {
    method: 'PATCH',
    headers: {
      authorization: `token ${world.forge.tokens.CALORON_FORGE_TOKEN}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
}

async function verdicts(pr_number: number): Promise<readonly string[]> {
  const reviews = Reviews.parse(await world.ask(`pulls/${pr_number}/reviews`));
  return reviews.map(({ state, user }) => `${user.login} ${state}`);
}

it('5.5.5 5.5.11 an approved draft waits, asks its people after half an hour, and is merged once it is ready; a second identity approves it', async () => {
  await world.kickoff('second', ['[one] The first']);
  const ticks = ticksOf('second');
  await ticks.until(({ one }) => expect(one?.pr_number).not.toBeNull());
  const pr_number = (await ticks.tasks())['one']?.pr_number ?? 0;
  await change(pr_number, { draft: true });

  await ticks.until(({ one }) => expect(one?.status_reason).toBe('draft'));
  expect(await verdicts(pr_number)).toEqual(['reviewer APPROVED']);
  expect(await world.said('status')).toMatch(/^one +InReview .*draft/m);
  expect(await world.said('show', 'one')).toContain(`mark PR #${pr_number} as ready`);

  ticks.ahead_ms += HALF_AN_HOUR;
  await ticks.until(({ one }) => expect(one?.escalation_issue).not.toBeNull());
  const asked = Issues.parse(await world.ask('issues?labels=caloron:escalated'));
  expect(asked.map(({ title, assignees }) => [title, assignees.map(({ login }) => login)])).toEqual([
    ['Escalation: one — merge_blocked', ['agent']],
  ]);
  expect(asked[0]?.body).toMatch(/^@agent: Pull request #\d+ is approved and has waited .*: it is a draft\./);

  await change(pr_number, { draft: false });
  await ticks.until(({ one }) => expect(one).toMatchObject({ status: 'Done', rebases: 0 }));
});

it('5.5.6 one identity for author and reviewer comments its verdict, which counts by the report', async () => {
  const file = join(world.home, 'caloron.json');
  editJson(file, { reviewer_token_env: null });
  await world.kickoff('shared', ['[two] The second']);
  const ticks = ticksOf('shared');

  await ticks.until(({ two }) => expect(two?.status).toBe('Done'));

  const pr_number = (await ticks.tasks())['two']?.pr_number ?? 0;
  expect(await verdicts(pr_number)).toEqual(['agent COMMENTED']);
});
