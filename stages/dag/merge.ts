import type { Sha, Task, Timestamp } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { causeOf, intend, isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { release } from './escalation.ts';

/** Intends the merge of a task's pull request at the head that was approved. */
export function intendMerge(draft: Draft, task: Task, pr_number: number, head_sha: Sha): void {
  const { sprint_id } = draft.sprint;
  const cause = causeOf(task, `${pr_number}:${head_sha}`);
  intend(
    draft,
    action('merge_pr', { cause, sprint_id, task_id: task.id, agent_id: null, pr_number, head_sha }),
  );
}

/** Completes a task: its issue is marked and closed, its agent stopped, its worktree cleaned up. A terminal task stays as it is. */
export function complete(draft: Draft, task: Task, at: Timestamp, merge_sha: Sha | null): void {
  if (isTerminal(task)) return;
  const { sprint_id } = draft.sprint;
  const { id: task_id, issue_number, pr_number, head_sha, branch } = task;
  update(draft, task, { ...release(draft, task), status: 'Done', status_reason: null, completed_at: at });
  if (issue_number !== null && pr_number !== null) {
    intend(
      draft,
      action('mark_done', {
        cause: `${pr_number}`,
        sprint_id,
        task_id,
        agent_id: null,
        issue_number,
        pr_number,
      }),
    );
  }
  if (merge_sha !== null) {
    intend(
      draft,
      action('cleanup', {
        cause: `${branch}:${head_sha ?? merge_sha}`,
        sprint_id,
        task_id,
        agent_id: null,
        branch,
        merge_sha,
      }),
    );
  }
}
