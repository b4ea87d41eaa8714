import type { Task } from '@caloron/types';

import { isRebase } from './causes.ts';
import { countingReviews } from './verdicts.ts';

function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n');
}

function reviewText(task: Task): readonly string[] {
  return countingReviews(task)
    .filter((review) => review.state === 'changes_requested')
    .map((review) => {
      const said =
        review.body.trim() === ''
          ? 'The review gives no text: look for its comments on the pull request.'
          : quoted(review.body.trim());
      return `${review.login} asks for changes on commit ${review.head_sha}:\n\n${said}\n\nFix what is asked for and commit on the same branch.`;
    });
}

/** What a rebase is asked for, in a sentence. */
function rebaseReason({ status_reason, pr_number }: Task, base_branch: string): string {
  switch (/^rebase: (base_[a-z]+)/.exec(status_reason ?? '')?.[1]) {
    case 'base_lost':
      return `The branch does not contain the commit of ${base_branch} it was begun on.`;
    case 'base_rewritten':
      return `${base_branch} was rewritten: the commit the branch was begun on is not in it any more, and what is gone from it must not come back.`;
    case 'base_behind':
      return `${base_branch} has moved on, and pull request #${pr_number ?? '?'} is merged only when it contains that.`;
    default:
      return `Pull request #${pr_number ?? '?'} cannot be merged into ${base_branch}.`;
  }
}

function reasonText(task: Task, base_branch: string): string | null {
  const reason = task.status_reason ?? '';
  if (isRebase(task)) {
    return `${rebaseReason(task, base_branch)} Bring the branch up to date with ${base_branch} and solve the conflicts; keep what both sides want.`;
  }
  const closed = /^pr_closed: (#\d+)/.exec(reason);
  if (closed !== null) {
    return `Pull request ${closed[1] ?? ''} was closed without merge. Read its comments, rework the task on the same branch and propose it again.`;
  }
  if (task.last_stop?.attempt === task.attempt) return stopText(task.last_stop);
  if (reason.startsWith('restart') || reason.startsWith('reassign')) {
    return `The agent before you made no progress and was stopped (${reason}). Its work is in the worktree: go on from there.`;
  }
  return null;
}

/** What supervision saw of the run before, and where its work is. */
function stopText({ agent_id, reason, wip_ref, tail }: NonNullable<Task['last_stop']>): string {
  const saved = wip_ref === null ? '' : ` What was not committed is also saved as ${wip_ref}.`;
  const parts = [
    `Agent ${agent_id} worked on this before you and was stopped: ${reason}. Its work is in the worktree: look at it, and go on from there.${saved} Find out what it hung on before you do the same again.`,
    ...(tail.trim() === '' ? [] : [`The last lines it printed:\n\n${quoted(tail.trim())}`]),
  ];
  return parts.join('\n\n');
}

function attemptText(task: Task): string | null {
  const failed = /attempt_failed: (.*)$/s.exec(task.status_reason ?? '');
  if (failed === null) return null;
  return `The previous attempt ended without work to review (${failed[1] ?? ''}). Look at what is in the worktree, then finish the task.`;
}

/** What an author that is started again has to know; null for a first start. */
export function instructionFor(task: Task, base_branch: string): string | null {
  const parts = [reasonText(task, base_branch), ...reviewText(task), attemptText(task)].filter(
    (part) => part !== null,
  );
  if (parts.length > 0) return parts.join('\n\n');
  return task.base_sha === null
    ? null
    : 'Work on this task was begun before. Look at what is in the worktree, then finish the task.';
}
