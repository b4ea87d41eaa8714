import type { Sha, Task, Timestamp } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { mergeCause } from './causes.ts';
import { intend, isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, release } from './escalation.ts';

/** Intends the merge of a task's pull request at the head that was approved; gives its id. */
export function intendMerge(draft: Draft, task: Task, pr_number: number, head_sha: Sha): string {
  const { sprint_id } = draft.sprint;
  const cause = mergeCause(task, pr_number, head_sha);
  const merge = action('merge_pr', {
    cause,
    sprint_id,
    task_id: task.id,
    agent_id: null,
    pr_number,
    head_sha,
  });
  intend(draft, merge);
  return merge.action_id;
}

/** Rebases an author is asked for before a person is, per answer of a person. */
const MAX_REBASES = 2;

/** Has a task's branch rebased by its author; a person is asked where that did not help before. */
export function sendToRebase(
  draft: Draft,
  task: Task,
  needed: {
    /** What is wrong with the base, for the author; null for a conflict. */
    readonly why: 'base_lost' | 'base_rewritten' | 'base_behind' | null;
    /** The code a person is asked by. */
    readonly code: string;
    /** In a sentence, without its full stop. */
    readonly problem: string;
  },
): void {
  const rebases = task.rebases + 1;
  if (rebases > MAX_REBASES * ((task.episode ?? 0) + 1)) {
    const reason = `${needed.problem}, after ${task.rebases} rebases.`;
    return blockAndEscalate(draft, task, { code: needed.code, reason });
  }
  const status_reason = needed.why === null ? 'rebase' : `rebase: ${needed.why}`;
  const free = { ...release(draft, task), process_id: null };
  update(draft, task, { ...free, status: 'InProgress', status_reason, rebases });
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
