import { addMs } from '@caloron/types';
import type { ActionError, ActionOf, Event, Task } from '@caloron/types';

import { update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, escalate } from './escalation.ts';
import { sendToRebase } from './merge.ts';
import { reworkClosed } from './on_pull.ts';
import { MERGE_WAITS } from './room.ts';

type Merge = ActionOf<'merge_pr'>;
type Failed = Extract<Event, { type: 'action_failed' }>;

/** What a rebase may help against, by the code a merge was refused with. */
const REBASED: ReadonlyMap<string, Pick<Parameters<typeof sendToRebase>[2], 'why' | 'code'>> = new Map([
  ['FORGE_NOT_MERGEABLE', { why: null, code: 'merge_conflict' }],
  ['FORGE_BEHIND', { why: 'base_behind', code: 'base_behind' }],
  ['MERGE_BASE_LOST', { why: 'base_lost', code: 'base_lost' }],
  ['MERGE_BASE_REWRITTEN', { why: 'base_rewritten', code: 'base_lost' }],
  ['MERGE_BASE_BEHIND', { why: 'base_behind', code: 'base_behind' }],
]);

/** Milliseconds a merge waits for what its host does not allow before a person is asked. */
const ASK_AFTER_MS = 1_800_000;

function isAbout(action: Merge, { status, pr_number, head_sha }: Task): boolean {
  return status === 'InReview' && pr_number === action.pr_number && head_sha === action.head_sha;
}

/** What a merge was refused with for good: a conflict and a base that is lost are the author's, all else is a person's. */
export function onMergeRefused(draft: Draft, task: Task, action: Merge, error: ActionError): void {
  // Another merge of the same head is due.
  if (error.code === 'MERGE_NOT_WANTED' || !isAbout(action, task)) return;
  if (error.code === 'MERGE_CLOSED') return reworkClosed(draft, task, action.pr_number);
  const needed = REBASED.get(error.code);
  if (needed !== undefined) {
    const problem = `Pull request #${action.pr_number} still cannot be merged: ${error.message}`;
    return sendToRebase(draft, task, { ...needed, problem });
  }
  const reason = `Pull request #${action.pr_number} could not be merged: ${error.message}`;
  if (error.code === 'MERGE_OTHER_BASE')
    return blockAndEscalate(draft, task, { code: 'pr_base_changed', reason });
  blockAndEscalate(draft, task, { code: 'merge_failed', detail: error.code, reason });
}

/** Notes that a merge waits, and since when: for its pull request to be ready, or for a rule of the repository. */
export function onMergeWaits(draft: Draft, task: Task, { action, error, created_at }: Failed): void {
  if (!MERGE_WAITS.includes(error.code)) return;
  if (action.type !== 'merge_pr' || !isAbout(action, task)) return;
  const reason = error.code === 'MERGE_DRAFT' ? 'draft' : `merge_blocked: ${error.message}`;
  const known = task.put_back?.action_id === action.action_id ? task.put_back : null;
  update(draft, task, {
    put_back: { action_id: action.action_id, reason, since: known?.since ?? created_at },
  });
}

/** Why a merge that is intended was not made yet, or that it is under way. A person is asked where it has waited for half an hour. */
export function mergeReason(draft: Draft, task: Task, action_id: string): string {
  const { put_back, pr_number } = task;
  if (put_back?.action_id !== action_id) return 'merging';
  const { reason, since = draft.now } = put_back;
  if (addMs(since, ASK_AFTER_MS) > draft.now) return reason;
  const why = reason === 'draft' ? 'it is a draft' : reason.replace(/^merge_blocked: /, '');
  escalate(
    draft,
    task,
    'merge_blocked',
    `Pull request #${pr_number ?? '?'} is approved and has waited for its merge since ${since}: ${why}. It is merged by itself once nothing stands against it.`,
  );
  return reason;
}

/** Whether an approved task's reason says that its merge waits for its pull request, or for a rule of the repository. */
export function waitsForMerge(reason: string | null): boolean {
  return reason === 'draft' || reason?.startsWith('merge_blocked: ') === true;
}

/** Whether an approved task's reason says that its merge is under way, or waits for what only the forge can tell. */
export function isMerging(reason: string | null): boolean {
  return reason === null || reason === 'merging' || waitsForMerge(reason);
}
