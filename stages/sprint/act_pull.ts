import { codeOf, messageOf } from '@caloron/noether/stage';
import { addMs, isConflict } from '@caloron/types';
import type { ActionOf, Drift, ForgePull } from '@caloron/types';

import { isOneOf } from '../github/trust.ts';
import { taskOf, type ActContext, type Acted } from './act_context.ts';
import { ActError } from './errors.ts';
import { throwOvertaken } from './overtaken.ts';
import { isLastLook } from './retry_policy.ts';

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

/** Milliseconds between two looks at a merge that waits: at first, and once it is known to. */
const FIRST_LOOK_MS = 5_000;
const LOOK_MS = 60_000;
/** Milliseconds after which a merge that a rule of the repository forbids is not asked for again while the host says that it still does. */
const SURELY_BLOCKED_MS = 120_000;

/** Merges the head that was approved and no other. `attempts` counts those that failed before. */
export async function merge(
  action: ActionOf<'merge_pr'>,
  context: ActContext,
  attempts: number,
): Promise<Acted> {
  const { pr_number, head_sha } = action;
  const repo = context.forge();
  const { merge_method } = context.snapshot.state.sprint;
  const line = `merge:PR#${String(pr_number)}`;
  const pull = await repo.pull(pr_number);
  if (pull.merged_at !== null) {
    return {
      result: { already: true, ...(pull.merge_sha === null ? {} : { merge_sha: pull.merge_sha }) },
      line,
    };
  }
  throwOvertaken(action, taskOf(action, context));
  throwObstacle(pull, action, context);
  await throwConflict(pull, action, context, isLastLook(attempts + 1));
  const { drift, notes } = await baseOf(action, context);
  try {
    const { merge_sha } = await repo.merge(pr_number, { sha: head_sha, method: merge_method });
    const behind = drift === null || drift.behind === 0 ? {} : { drift };
    return { result: { merge_sha, ...behind }, line, notes };
  } catch (error) {
    if (codeOf(error) !== 'FORGE_MERGE_BLOCKED') throw error;
    throw waiting('MERGE_BLOCKED', action, context, messageOf(error));
  }
}

/** Throws what stands against merging a pull request as it is now. */
function throwObstacle(pull: ForgePull, action: ActionOf<'merge_pr'>, context: ActContext): void {
  const { pr_number, head_sha } = action;
  const { base_branch } = context.snapshot.state.sprint;
  const { head_sha: actual, base_ref } = pull;
  if (pull.state === 'closed') throw new ActError('MERGE_CLOSED', { pr_number });
  if (actual !== head_sha) throw new ActError('FORGE_HEAD_MOVED', { pr_number, expected: head_sha, actual });
  if (pull.fork) throw new ActError('MERGE_FROM_FORK', { pr_number });
  if (base_ref !== base_branch) throw new ActError('MERGE_OTHER_BASE', { pr_number, base_ref, base_branch });
  if (pull.draft) throw waiting('MERGE_DRAFT', action, context);
  if (pull.merge_state === 'blocked' && isSurelyBlocked(action, context))
    throw waiting('MERGE_BLOCKED', action, context, 'a rule of the repository still stands against it');
}

/** Throws FORGE_NOT_MERGEABLE for a conflict, and MERGE_NOT_KNOWN_YET while the host may still be looking. */
async function throwConflict(
  pull: ForgePull,
  action: ActionOf<'merge_pr'>,
  context: ActContext,
  is_last_look: boolean,
): Promise<void> {
  const { pr_number } = action;
  const { base_branch } = context.snapshot.state.sprint;
  // Hosts call what a rule forbids unmergeable too: only the merge itself tells.
  const conflict = pull.merge_state === 'blocked' && pull.mergeable === false ? false : isConflict(pull);
  if (conflict === false) return;
  const believed = pull.mergeable === false && is_last_look && (await mayConflict(action, context));
  if (conflict === true || believed) throw new ActError('FORGE_NOT_MERGEABLE', { pr_number, base_branch });
  throw new ActError('MERGE_NOT_KNOWN_YET', { pr_number }, { retryable: true });
}

/** Whether the base has anything the head lacks: what has all of its base cannot conflict with it. */
async function mayConflict(
  { head_sha }: ActionOf<'merge_pr'>,
  { forge, snapshot }: ActContext,
): Promise<boolean> {
  try {
    return (await forge().compare(snapshot.state.sprint.base_branch, head_sha)).behind > 0;
  } catch (error) {
    if (codeOf(error) !== 'FORGE_NOT_FOUND') throw error;
    return true;
  }
}

/** Since when it is known that a merge waits; null when it is not. */
function waitsSince(action: ActionOf<'merge_pr'>, context: ActContext): string | null {
  const { put_back } = taskOf(action, context);
  return put_back?.action_id === action.action_id ? (put_back.since ?? null) : null;
}

function isSurelyBlocked(action: ActionOf<'merge_pr'>, context: ActContext): boolean {
  const since = waitsSince(action, context);
  return since !== null && addMs(since, SURELY_BLOCKED_MS) <= context.now();
}

function waiting(
  code: 'MERGE_DRAFT' | 'MERGE_BLOCKED',
  action: ActionOf<'merge_pr'>,
  context: ActContext,
  answer = '',
): ActError {
  const { pr_number } = action;
  const look = waitsSince(action, context) === null ? FIRST_LOOK_MS : LOOK_MS;
  const facts = { pr_number, answer, reset_at: addMs(context.now(), look) };
  return new ActError(code, facts, { retryable: true });
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
