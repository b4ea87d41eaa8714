import { codeOf, messageOf } from '@caloron/noether/stage';
import type { ActionOf, Drift, ForgePull, Task } from '@caloron/types';

import { isOneOf } from '../github/trust.ts';
import { taskOf, type ActContext, type Acted } from './act_context.ts';
import { ActError } from './errors.ts';

/** The label of a pull request that waits for its review. */
const REVIEW_LABEL = 'caloron:review-pending';

/** Shows that a pull request waits: label, and a request to the reviewers who are not its author. A refused request stops nothing. */
export async function submitForReview(
  action: ActionOf<'submit_pr_for_review'>,
  context: ActContext,
): Promise<Acted> {
  const { pr_number } = action;
  const repo = context.forge();
  await context.ensureLabel(REVIEW_LABEL);
  await repo.addLabels(pr_number, [REVIEW_LABEL]);
  const { reviewer_logins, agent_logins } = context.snapshot.state.sprint;
  const asked = reviewer_logins.filter((login) => !isOneOf(login, agent_logins));
  const line = `review:PR#${String(pr_number)}`;
  if (asked.length === 0) return { result: {}, line };
  try {
    await repo.requestReview(pr_number, asked);
    return { result: {}, line };
  } catch (error) {
    return { result: {}, line, notes: [`${line}: ${codeOf(error)}: ${messageOf(error)}`] };
  }
}

/** Merges the head that was approved and no other. */
export async function merge(action: ActionOf<'merge_pr'>, context: ActContext): Promise<Acted> {
  const { pr_number, head_sha } = action;
  const repo = context.forge();
  const { base_branch, merge_method } = context.snapshot.state.sprint;
  const line = `merge:PR#${String(pr_number)}`;
  const pull = await repo.pull(pr_number);
  if (pull.merged_at !== null) {
    return {
      result: { already: true, ...(pull.merge_sha === null ? {} : { merge_sha: pull.merge_sha }) },
      line,
    };
  }
  const overtaken = overtakenBy(taskOf(action, context));
  if (overtaken !== null) {
    const facts = { action: `the merge of PR #${String(pr_number)}`, why: overtaken };
    throw new ActError('ACTION_OVERTAKEN', facts, { retryable: true });
  }
  const actual = pull.head_sha;
  if (actual !== head_sha) throw new ActError('FORGE_HEAD_MOVED', { pr_number, expected: head_sha, actual });
  const reason = obstacle(pull, base_branch);
  if (reason !== null) throw new ActError('FORGE_NOT_MERGEABLE', { pr_number, reason });
  if (pull.mergeable === null) throw new ActError('MERGE_NOT_KNOWN_YET', { pr_number }, { retryable: true });
  const { drift, notes } = await baseOf(action, context);
  const { merge_sha } = await repo.merge(pr_number, { sha: head_sha, method: merge_method });
  const behind = drift === null || drift.behind === 0 ? {} : { drift };
  return { result: { merge_sha, ...behind }, line, notes };
}

/**
 * What has happened to a task since its merge was intended that stands against it: a merge may have waited, for a forge or a paused
 * sprint, while its approval was taken back. Null when nothing has.
 */
function overtakenBy({ status, status_reason }: Task): string | null {
  if (status === 'InReview')
    return status_reason === null || status_reason === 'merging' ? null : status_reason;
  return status === 'InProgress' || status === 'Blocked' || status === 'HumanAssigned'
    ? `its task is ${status}${status_reason === null ? '' : ` (${status_reason})`}`
    : null;
}

interface BaseFacts {
  /** Null where the forge cannot compare. */
  readonly drift: Drift | null;
  readonly notes: readonly string[];
}

/**
 * Asks the forge, the last who can tell before the merge, how head and base stand. Throws MERGE_BASE_LOST, MERGE_BASE_REWRITTEN,
 * MERGE_BASE_BEHIND. A forge that cannot compare is told of: the harness has asserted the base at hand-over and review.
 */
async function baseOf(action: ActionOf<'merge_pr'>, context: ActContext): Promise<BaseFacts> {
  const { pr_number, head_sha } = action;
  const { base_branch, require_up_to_date = false } = context.snapshot.state.sprint;
  const { base_sha } = taskOf(action, context);
  const repo = context.forge();
  try {
    if (base_sha !== null && (await repo.compare(base_sha, head_sha)).behind > 0)
      throw new ActError('MERGE_BASE_LOST', { pr_number, head_sha, base_sha });
    if (base_sha !== null && (await repo.compare(base_sha, base_branch)).behind > 0)
      throw new ActError('MERGE_BASE_REWRITTEN', { pr_number, base_branch, base_sha });
    const { behind, base_sha: base_head } = await repo.compare(base_branch, head_sha);
    if (require_up_to_date && behind > 0)
      throw new ActError('MERGE_BASE_BEHIND', { pr_number, base_branch, behind });
    return { drift: { head_sha, behind, base_head }, notes: [] };
  } catch (error) {
    if (codeOf(error) !== 'FORGE_NOT_FOUND') throw error;
    return {
      drift: null,
      notes: [`merge:PR#${String(pr_number)}: its base was not compared: ${messageOf(error)}`],
    };
  }
}

function obstacle(pull: ForgePull, base_branch: string): string | null {
  if (pull.state === 'closed') return 'it is closed';
  if (pull.draft) return 'it is a draft';
  if (pull.fork) return 'its head lies in another repository';
  if (pull.base_ref !== base_branch) return `its base is ${pull.base_ref}, not ${base_branch}`;
  return pull.mergeable === false ? `it conflicts with ${base_branch}` : null;
}
