import type { Event, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { isAskedHead, withHead } from './attempts.ts';
import { submitCause } from './causes.ts';
import { intend, isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, releaseReviewer } from './escalation.ts';
import { complete } from './merge.ts';

type PullEvent = Extract<Event, { type: 'pr_opened' | 'pr_updated' | 'pr_reopened' | 'pr_closed' }>;

/** The task a pull request belongs to; a task without one matches nothing. */
export function taskOfPull(draft: Draft, pr_number: number): Task | undefined {
  return [...draft.tasks.values()].find((task) => task.pr_number === pr_number);
}

/** The task an issue belongs to; a task without one matches nothing. */
export function taskOfIssue(draft: Draft, issue_number: number | null): Task | undefined {
  return issue_number === null
    ? undefined
    : [...draft.tasks.values()].find((task) => task.issue_number === issue_number);
}

/** The task a new pull request is for: by our marker on our branch, else by the issue it closes. A person who took a task over may bring any branch; a stranger's moves nothing. */
function taskForNewPull(draft: Draft, event: PullEvent): Task | undefined {
  const { sprint } = draft;
  if (!event.trusted || event.draft || event.fork || event.base_ref !== sprint.base_branch) return undefined;
  if (event.marker !== null && event.marker.sprint_id !== sprint.sprint_id) return undefined;
  const marked = event.marker === null ? undefined : draft.tasks.get(event.marker.task_id);
  const task = marked?.branch === event.head_ref ? marked : taskOfIssue(draft, event.linked_issue);
  if (task === undefined) return undefined;
  return task.status === 'HumanAssigned' || task.pr_number === null ? task : undefined;
}

/** Takes a pull request's head into review and asks its reviewer. */
export function enterReview(draft: Draft, task: Task): Task {
  const next = update(draft, task, { status: 'InReview', status_reason: null, rung: 0 });
  const { pr_number, head_sha, reviewer_id } = next;
  if (pr_number !== null && head_sha !== null && reviewer_id !== null) {
    const { sprint_id, required_approvals } = draft.sprint;
    const cause = submitCause(next, pr_number, head_sha, required_approvals);
    intend(
      draft,
      action('submit_pr_for_review', {
        cause,
        sprint_id,
        task_id: task.id,
        agent_id: reviewer_id,
        pr_number,
        reviewer_id,
        head_sha,
      }),
    );
  }
  return next;
}

/** Opened, updated or reopened: binds number and head; work that is new goes into review. */
export function onPull(draft: Draft, event: PullEvent): void {
  const found = taskOfPull(draft, event.pr_number) ?? taskForNewPull(draft, event);
  if (found === undefined || isTerminal(found)) return;
  if (found.pr_number === event.pr_number && event.base_ref !== draft.sprint.base_branch)
    return onBaseChanged(draft, found, event);
  const before = found.head_sha;
  const bound = update(draft, withHead(draft, found, event.head_sha, event.created_at), {
    pr_number: event.pr_number,
  });
  if (bound.status === 'InReview') {
    if (before !== event.head_sha) enterReview(draft, bound);
    return;
  }
  const reopened =
    bound.status === 'Blocked' &&
    event.type === 'pr_reopened' &&
    bound.status_reason?.startsWith('pr_closed') === true;
  const delivered =
    bound.status === 'Ready' || (bound.status === 'InProgress' && !isAskedHead(found, event.head_sha));
  // Who opens again what nobody would merge has answered: the next closing is asked about anew.
  const answered = reopened ? { episode: (bound.episode ?? 0) + 1, reworks: 0 } : {};
  if (reopened || delivered) enterReview(draft, update(draft, bound, { failed_attempts: 0, ...answered }));
}

function onBaseChanged(draft: Draft, task: Task, event: PullEvent): void {
  if (task.status !== 'InReview' && task.status !== 'InProgress') return;
  const reason = `Pull request #${event.pr_number} now aims at ${event.base_ref}, not at ${draft.sprint.base_branch}.`;
  blockAndEscalate(draft, task, { code: 'pr_base_changed', reason });
}

/** Closed without merge. */
export function onPullClosed(draft: Draft, event: PullEvent): void {
  const task = taskOfPull(draft, event.pr_number);
  if (task !== undefined && !isTerminal(task)) reworkClosed(draft, task, event.pr_number);
}

/** Takes a pull request that was closed without merge from its task: the author reworks it; the second time a person is asked. */
export function reworkClosed(draft: Draft, task: Task, pr_number: number): void {
  const active = task.status === 'InReview' || task.status === 'InProgress';
  const reworks = (task.reworks ?? 0) + (active ? 1 : 0);
  const unbound = update(draft, task, { pr_number: null, reworks });
  if (!active) return;
  if (reworks > 1) {
    const reason = `${reworks} pull requests of this task were closed without merge, the last one is #${pr_number}.`;
    return blockAndEscalate(draft, unbound, { code: 'pr_closed', reason });
  }
  const process_id = task.status === 'InProgress' ? task.process_id : null;
  update(draft, unbound, {
    ...releaseReviewer(draft, unbound),
    status: 'InProgress',
    status_reason: `pr_closed: #${pr_number}`,
    process_id,
  });
}

/** Merged, by us or by a person. False when no task has this pull request. */
export function onPullMerged(draft: Draft, event: Extract<Event, { type: 'pr_merged' }>): boolean {
  const task = taskOfPull(draft, event.pr_number);
  if (task === undefined) return false;
  complete(draft, task, event.created_at, event.merge_sha);
  return true;
}

/** Checks count for the head they ran on. */
export function onChecks(draft: Draft, event: Extract<Event, { type: 'checks_changed' }>): void {
  const task = taskOfPull(draft, event.pr_number);
  if (task === undefined || isTerminal(task) || task.head_sha !== event.head_sha) return;
  update(draft, task, { checks: event.checks });
}
