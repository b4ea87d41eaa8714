import type { Id, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { nextReview } from './causes.ts';
import type { Draft } from './draft.ts';
import { intendStart } from './room.ts';

/** Intends a run on a task's head: a review, or the verify commands alone. Gives why the start was put back, if it was. */
export function intendReviewer(
  draft: Draft,
  task: Task,
  start: { readonly agent_id: Id; readonly mode: 'review' | 'verify'; readonly cause: string },
): string | null {
  const { issue_number, pr_number, head_sha } = task;
  if (issue_number === null || pr_number === null || head_sha === null) return null;
  return intendStart(
    draft,
    task,
    action('spawn_agent', {
      ...start,
      sprint_id: draft.sprint.sprint_id,
      task_id: task.id,
      issue_number,
      role: 'reviewer',
      attempt: nextReview(task),
      instruction: null,
      pr_number,
      head_sha,
    }),
  );
}
