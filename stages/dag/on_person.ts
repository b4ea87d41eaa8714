import { parseMarker, wordOf } from '@caloron/types';
import type { Event, HumanWord, Task } from '@caloron/types';

import { onApprove } from './approval.ts';
import { isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { block, release } from './escalation.ts';
import { complete } from './merge.ts';
import { waitsForMerge } from './merge_refused.ts';
import { onAdopt } from './late.ts';
import { notPaused } from './limits.ts';
import { onIssueCreated } from './on_action.ts';
import { enterReview, taskOfIssue } from './on_pull.ts';

type Comment = Extract<Event, { type: 'issue_comment' }>;

/** An issue with our marker is its task's, whoever created it under our name. */
export function onIssueOpened(draft: Draft, event: Extract<Event, { type: 'issue_opened' }>): void {
  const { marker, issue_number } = event;
  if (marker === null || !event.trusted || marker.sprint_id !== draft.sprint.sprint_id) return;
  const task = draft.tasks.get(marker.task_id);
  if (task !== undefined) onIssueCreated(draft, task, { issue_number });
}

/** Closed by a person: the task waits until the issue is open again. */
export function onIssueClosed(draft: Draft, event: Extract<Event, { type: 'issue_closed' }>): void {
  const task = taskOfIssue(draft, event.issue_number);
  if (task === undefined || isTerminal(task) || task.status === 'HumanAssigned' || task.status === 'Blocked')
    return;
  block(draft, task, 'issue_closed');
}

/** Opened again: the task goes on where it can. */
export function onIssueReopened(draft: Draft, event: Extract<Event, { type: 'issue_reopened' }>): void {
  const task = taskOfIssue(draft, event.issue_number);
  if (task?.status === 'Blocked' && task.status_reason === 'issue_closed') goOn(draft, task);
}

/** Where a task that is not blocked any more stands: in review with a pull request, else waiting for its turn. */
function goOn(draft: Draft, task: Task): void {
  if (task.pr_number !== null && task.head_sha !== null) {
    enterReview(draft, task);
    return;
  }
  update(draft, task, { status: 'Pending', status_reason: null });
}

function resolve(draft: Draft, task: Task, event: Event): void {
  if (task.status === 'HumanAssigned') return complete(draft, task, event.created_at, null);
  if (task.status !== 'Blocked') {
    // The person has looked: an intervention that is under way is taken back.
    if ((task.rung ?? 0) > 0) update(draft, task, { rung: 0, last_intervention_at: draft.now });
    // The person has seen to what stood against the merge: another one is due.
    if (task.status === 'InReview' && waitsForMerge(task.status_reason))
      update(draft, draft.tasks.get(task.id) ?? task, { put_back: null, episode: (task.episode ?? 0) + 1 });
    // It waits for nothing but a time: the person knows that it is over.
    if (task.retry_at !== null && task.retry_at !== undefined)
      update(draft, draft.tasks.get(task.id) ?? task, { retry_at: null, provider_limit: null });
    return;
  }
  // Going on without a cancelled dependency is what the person decided.
  const depends_on = task.depends_on.filter((id) => draft.tasks.get(id)?.status !== 'Cancelled');
  const answered = {
    depends_on,
    failed_attempts: 0,
    review_attempts: 0,
    reworks: 0,
    reviewer_run: null,
    ...notPaused,
    rung: 0,
    episode: (task.episode ?? 0) + 1,
  };
  goOn(draft, update(draft, task, answered));
}

/** A word of a person, said on the forge or on the command line. */
export function onWord(draft: Draft, task: Task | undefined, word: HumanWord, event: Event): void {
  if (task === undefined || isTerminal(task)) return;
  if (word === 'approve') {
    if (event.type === 'human_command' || event.type === 'issue_comment') onApprove(draft, task, event);
    return;
  }
  if (word === 'resolved') return resolve(draft, task, event);
  if (word === 'adopt')
    return onAdopt(draft, task, event.type === 'human_command' ? event.process_id : undefined);
  if (word === 'break-down') {
    if (task.status !== 'HumanAssigned') block(draft, task, 'break_down_requested');
    return;
  }
  // Nobody wants it any more: what works on it is stopped, its work saved; its branch and pull request stay as they are.
  const status = word === 'cancel' ? 'Cancelled' : 'HumanAssigned';
  update(draft, task, { ...release(draft, task), status, status_reason: word });
}

/** A comment whose first line says one of the words, by somebody the sprint lets speak, and not by an agent: those carry our marker. */
export function onComment(draft: Draft, event: Comment): void {
  if (!event.trusted || parseMarker(event.body) !== undefined) return;
  const word = wordOf(event.body);
  if (word === undefined) return;
  const { issue_number } = event;
  const task =
    taskOfIssue(draft, issue_number) ??
    [...draft.tasks.values()].find(
      (one) => one.escalation_issue === issue_number || one.pr_number === issue_number,
    );
  onWord(draft, task, word, event);
}
