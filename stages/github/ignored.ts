import {
  Id,
  wordOf,
  type DagState,
  type ForgeComment,
  type ForgePull,
  type ForgeReview,
  type Ignored,
  type Task,
} from '@caloron/types';
import { z } from 'zod';

import { linkOf, type Reading } from './link.ts';
import type { Answers } from './read_events.ts';
import { commentIsTrusted, isOneOf, isOurs, pullIsTrusted, reviewIsTrusted } from './trust.ts';

/** What was seen and does not count. */
export const IgnoredShape = z.strictObject({
  id: z.string(),
  reason: z.string(),
  task_id: Id.optional(),
});

/** What the answers hold that would move a task of the sprint if it counted, and why it does not. */
export function ignoredOf(answers: Answers, reading: Reading): readonly Ignored[] {
  const { state } = reading;
  if (state === null) return [];
  const taskOf = (number: number): Task | undefined =>
    Object.values(state.tasks).find(({ issue_number, pr_number, escalation_issue }) =>
      [issue_number, pr_number, escalation_issue].includes(number),
    );
  return [
    ...answers.pulls.flatMap((pull) => {
      const { task } = linkOf(pull, reading);
      if (task === null) return [];
      const reviews = answers.reviews.get(pull.number) ?? [];
      const found = [
        ...ignoredPull(pull, task, state),
        ...reviews.flatMap((review) => ignoredReview(review, pull, state)),
      ];
      return found.map((one) => ({ ...one, task_id: task.id }));
    }),
    ...answers.comments.flatMap((comment) => {
      const task = taskOf(comment.issue_number);
      if (task === undefined) return [];
      return ignoredWord(comment, state).map((one) => ({ ...one, task_id: task.id }));
    }),
  ];
}

function ignoredPull(pull: ForgePull, task: Task, state: DagState): readonly Ignored[] {
  if (pull.state !== 'open' || pullIsTrusted(pull, state, task)) return [];
  const why = whyNot(pull, state);
  const name = `pull request #${String(pull.number)}`;
  return [
    {
      id: `${name} ${pull.head_sha} ${why.kind}`,
      reason: `${name} for task ${task.id} does not count: ${why.words}`,
    },
  ];
}

function whyNot(pull: ForgePull, { sprint }: DagState): { readonly kind: string; readonly words: string } {
  if (pull.fork) return { kind: 'fork', words: 'its branch lies in another repository' };
  if (pull.draft) return { kind: 'draft', words: 'it is a draft' };
  if (pull.base_ref !== sprint.base_branch) {
    const words = `it is to go into ${pull.base_ref}, and the sprint works on ${sprint.base_branch}`;
    return { kind: 'base', words };
  }
  return { kind: 'author', words: `${who(pull.author)} is not one of agent_logins` };
}

function ignoredReview(review: ForgeReview, pull: ForgePull, state: DagState): readonly Ignored[] {
  if (review.state !== 'approved' && review.state !== 'changes_requested') return [];
  // Agents' verdicts came by report; what stands on the forge is their public form.
  if (isOwn(review, state)) return [];
  const name = `review ${review.id} of pull request #${String(pull.number)}`;
  const because = (words: string): readonly Ignored[] => [
    { id: `${name} ${review.state}`, reason: `${name} (${review.state}) does not count: ${words}` },
  ];
  if (review.state === 'approved' && review.commit_id === null) return because('it names no commit');
  if (reviewIsTrusted(review, pull, state)) return [];
  if (pull.author !== null && isOneOf(review.author, [pull.author]))
    return because(`${who(review.author)} opened the pull request`);
  return because(`${who(review.author)} is not one of reviewer_logins`);
}

function ignoredWord(comment: ForgeComment, state: DagState): readonly Ignored[] {
  const word = wordOf(comment.body);
  if (word === undefined || isOwn(comment, state) || commentIsTrusted(comment, state)) return [];
  const id = `comment ${String(comment.id)} ${comment.updated_at}`;
  const where = `comment ${String(comment.id)} on #${String(comment.issue_number)}`;
  const reason = `the word “${word}” of ${where} does not count: ${who(comment.author)} is not one of human_logins`;
  return [{ id, reason }];
}

/** Whether the sprint itself has written it: our hidden line alone can be anybody's. */
function isOwn(text: Pick<ForgeComment, 'author' | 'body'>, { sprint }: DagState): boolean {
  const { agent_logins, reviewer_logins, human_logins } = sprint;
  return isOurs(text.body) && isOneOf(text.author, [...agent_logins, ...reviewer_logins, ...human_logins]);
}

function who(login: string | null): string {
  return login ?? 'a deleted account';
}
