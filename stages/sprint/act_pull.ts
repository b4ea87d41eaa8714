import { codeOf, messageOf } from '@caloron/noether/stage';
import type { ActionOf, ForgePull } from '@caloron/types';

import { isOneOf } from '../github/trust.ts';
import type { ActContext, Acted } from './act_context.ts';
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
  const actual = pull.head_sha;
  if (actual !== head_sha) throw new ActError('FORGE_HEAD_MOVED', { pr_number, expected: head_sha, actual });
  const reason = obstacle(pull, base_branch);
  if (reason !== null) throw new ActError('FORGE_NOT_MERGEABLE', { pr_number, reason });
  if (pull.mergeable === null) throw new ActError('MERGE_NOT_KNOWN_YET', { pr_number }, { retryable: true });
  const { merge_sha } = await repo.merge(pr_number, { sha: head_sha, method: merge_method });
  return { result: { merge_sha }, line };
}

function obstacle(pull: ForgePull, base_branch: string): string | null {
  if (pull.state === 'closed') return 'it is closed';
  if (pull.draft) return 'it is a draft';
  if (pull.fork) return 'its head lies in another repository';
  if (pull.base_ref !== base_branch) return `its base is ${pull.base_ref}, not ${base_branch}`;
  return pull.mergeable === false ? `it conflicts with ${base_branch}` : null;
}
