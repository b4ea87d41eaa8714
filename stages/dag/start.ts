import type { Id, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { authorCause, modeOf } from './causes.ts';
import { criticalFirst } from './critical_path.ts';
import { intend, tasksInOrder, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { block, release } from './escalation.ts';
import { instructionFor } from './instruction.ts';
import { createIssue } from './issue.ts';
import { pauseReason } from './limits.ts';
import type { Hold } from './provider_hold.ts';
import { enterReview } from './on_pull.ts';
import { verifierOf } from './receipt.ts';
import { intendStart, isWaiting, roomReason } from './room.ts';
import { countingReviews } from './verdicts.ts';

/** Pending tasks whose dependencies are Done become Ready; a cancelled dependency blocks. */
export function unblockPending(draft: Draft): void {
  for (const task of tasksInOrder(draft)) {
    if (task.status !== 'Pending') continue;
    const cancelled = task.depends_on.find((id) => draft.tasks.get(id)?.status === 'Cancelled');
    if (cancelled !== undefined) block(draft, task, `dependency_cancelled:${cancelled}`);
    else if (task.depends_on.every((id) => draft.tasks.get(id)?.status === 'Done'))
      update(draft, task, { status: 'Ready', status_reason: null });
  }
}

/** Tasks whose work is there already go to review instead of being started: a pull request of Ready, a dismissed request for changes. */
export function skipDelivered(draft: Draft): void {
  for (const task of tasksInOrder(draft)) {
    if (task.pr_number === null || task.head_sha === null) continue;
    const dismissed =
      task.status === 'InProgress' &&
      task.status_reason === 'changes_requested' &&
      !countingReviews(task).some((review) => review.state === 'changes_requested');
    if (dismissed) enterReview(draft, update(draft, task, release(draft, task)));
    else if (task.status === 'Ready') enterReview(draft, task);
  }
}

/** Agents that have a live process, as far as the state and the shell know. */
export function takenAgents(draft: Draft): Set<Id> {
  const taken = new Set(draft.busy);
  for (const task of draft.tasks.values()) {
    if (task.status === 'InProgress' && task.process_id !== null) taken.add(task.agent_id);
    if (task.status === 'InReview' && task.reviewer_run?.over === false) taken.add(verifierOf(task));
  }
  return taken;
}

/** Gives why the start was put back, if it was. */
function intendAuthor(draft: Draft, task: Task, issue_number: number): string | null {
  const mode = modeOf(task);
  const attempt = task.attempt + 1;
  const head_sha = mode === 'start' ? null : task.head_sha;
  return intendStart(
    draft,
    task,
    action('spawn_agent', {
      cause: authorCause(task),
      sprint_id: draft.sprint.sprint_id,
      task_id: task.id,
      agent_id: task.agent_id,
      issue_number,
      role: 'author',
      mode,
      attempt,
      instruction: instructionFor(task, draft.sprint.base_branch),
      pr_number: task.pr_number,
      head_sha,
    }),
  );
}

/** Starts the authors of tasks in progress that lost their process, each agent once. */
export function resumeAuthors(draft: Draft, taken: Set<Id>, hold: Hold | undefined): void {
  for (const task of criticalFirst(draft)) {
    if (task.status !== 'InProgress' || task.process_id !== null || task.issue_number === null) continue;
    const pause = pauseReason(draft, task, hold);
    const busy = taken.has(task.agent_id) ? 'agent_busy' : null;
    const wait = pause ?? busy ?? roomReason(draft, task);
    // Also when it has to wait: the agent's next process is for this task, not for a new one.
    taken.add(task.agent_id);
    // A reason says what the author is to do next: it stays. One that speaks of a wait alone goes with it.
    const { status_reason: before } = task;
    const kept = isWaiting(before) && pause === null ? null : before;
    const put_back =
      wait === null ? intendAuthor(draft, { ...task, status_reason: kept }, task.issue_number) : null;
    update(draft, task, { status_reason: kept ?? wait ?? put_back });
  }
}

/** Starts authors on Ready tasks, those on which the longest chain of others waits first, each agent once. */
export function startReady(draft: Draft, taken: Set<Id>, hold: Hold | undefined): void {
  for (const task of criticalFirst(draft)) {
    if (task.status !== 'Ready') continue;
    const { issue_number } = task;
    if (issue_number === null) {
      update(draft, task, { status_reason: 'waits_issue' });
      intend(draft, createIssue(draft.sprint, task));
      continue;
    }
    const busy = taken.has(task.agent_id) ? 'agent_busy' : null;
    const wait = pauseReason(draft, task, hold) ?? busy ?? roomReason(draft, task);
    if (wait === null) taken.add(task.agent_id);
    const put_back = wait === null ? intendAuthor(draft, task, issue_number) : null;
    update(draft, task, { status_reason: wait ?? put_back });
  }
}
