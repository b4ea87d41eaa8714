import { codeOf, messageOf } from '@caloron/noether/stage';
import { DagState, FeedbackItem, ownOf } from '@caloron/types';
import type { ForgeRepo, Id } from '@caloron/types';
import { z } from 'zod';

import { exampleState, exampleTask } from '../dag/example.ts';
import { Target } from '../github/target.ts';
import { defineStage } from '../kit.ts';
import { exampleFeedback } from './example.ts';
import { feedbackIn } from './feedback_block.ts';

/** Issues that are read at once. */
const AT_ONCE = 4;

type Asked = { readonly id: Id; readonly issue_number: number };
type Read = { readonly item: FeedbackItem | undefined; readonly problem: string | undefined };

/** The newest feedback on a task's issue by one of our agents; strangers' comments do not count. */
async function readIssue(
  repo: ForgeRepo,
  task_id: Id,
  issue_number: number,
  logins: readonly string[],
): Promise<Read> {
  try {
    const comments = await repo.comments(issue_number);
    const items = comments
      .filter(({ author }) => author !== null && logins.includes(author.toLowerCase()))
      .flatMap(({ author, created_at, body }) =>
        feedbackIn(body, task_id).map((feedback): FeedbackItem => ({
          issue_number,
          author,
          created_at,
          feedback,
        })),
      );
    return { item: items.at(-1), problem: undefined };
  } catch (error) {
    return {
      item: undefined,
      problem: `issue #${issue_number} of ${task_id}: ${codeOf(error)}: ${messageOf(error)}`,
    };
  }
}

/** Reads the issues of tasks, a few at once. */
async function readIssues(
  repo: ForgeRepo,
  asked: readonly Asked[],
  logins: readonly string[],
): Promise<readonly Read[]> {
  const reads: Read[] = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const some = asked.slice(at, at + AT_ONCE);
    reads.push(
      ...(await Promise.all(some.map(({ id, issue_number }) => readIssue(repo, id, issue_number, logins)))),
    );
  }
  return reads;
}

/** The newest of the items on each task. */
function latestOf(items: readonly FeedbackItem[]): ReadonlyMap<Id, FeedbackItem> {
  const latest = new Map<Id, FeedbackItem>();
  for (const item of items) {
    const known = latest.get(item.feedback.task_id);
    if (known === undefined || (known.created_at ?? '') <= (item.created_at ?? ''))
      latest.set(item.feedback.task_id, item);
  }
  return latest;
}

/** Collects one feedback per task: the newest comment of its agent, else what its harness reported. */
export const collectSprintFeedback = defineStage({
  name: 'collect_sprint_feedback',
  description: "Collects the agents' feedback on the tasks of a sprint from their issues and reports.",
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({ target: Target, state: DagState, reported: z.array(FeedbackItem).nullish() }),
  output: z.strictObject({
    /** In the order of the tasks. */
    feedback_items: z.array(FeedbackItem),
    /** Issues that could not be read, and why. */
    problems: z.array(z.string()),
  }),
  examples: [
    {
      input: {
        target: { repo: 'acme/shop', host: null, token_env: 'GITHUB_TOKEN' },
        state: exampleState([exampleTask('form')]),
      },
      output: { feedback_items: [], problems: [] },
    },
    {
      input: {
        target: { repo: 'acme/shop', host: null, token_env: 'GITHUB_TOKEN' },
        state: exampleState([exampleTask('form', { issue_number: 1 })]),
        reported: [exampleFeedback],
      },
      output: { feedback_items: [exampleFeedback], problems: [] },
    },
    {
      input: {
        target: { repo: 'acme/shop', host: null, token_env: 'GITHUB_TOKEN' },
        state: exampleState([exampleTask('mail')]),
        reported: [exampleFeedback],
      },
      output: { feedback_items: [], problems: [] },
    },
  ],
  run: async ({ target, state, reported }, { forge }) => {
    const logins = state.sprint.agent_logins.map((login) => login.toLowerCase());
    const tasks = state.order.flatMap((id) => ownOf(state.tasks, id) ?? []);
    const asked = tasks.flatMap(({ id, issue_number }) =>
      issue_number === null ? [] : [{ id, issue_number }],
    );
    const reads = asked.length === 0 ? [] : await readIssues(forge.open(target), asked, logins);
    const commented = latestOf(reads.flatMap(({ item }) => item ?? []));
    const problems = reads.flatMap(({ problem }) => problem ?? []);
    const said = latestOf(reported ?? []);
    return { feedback_items: tasks.flatMap(({ id }) => commented.get(id) ?? said.get(id) ?? []), problems };
  },
});
