import { type ForgePull, type ForgeRepo, isConflict, type MergeMethod, type Sha } from '@caloron/types';
import { z } from 'zod';

import { ForgeError, type ForgeFacts } from './forge-errors.ts';
import type { ForgeClient, ForgeRequest } from './github-client.ts';
import type { ForgeDialect } from './github-dialect.ts';
import { forgeError } from './github-errors.ts';
import type { ForgeReads } from './github-read.ts';

/** What a merge needs. */
export interface MergeDeps {
  readonly client: ForgeClient;
  readonly dialect: ForgeDialect;
  readonly reads: Pick<ForgeReads, 'pull'>;
}

const MergeShape = z.object({ sha: z.string().nullish(), merged: z.boolean().nullish() });

/** Statuses by which a host refuses a merge: GitHub 405 and 409, Gitea as well; 422 for what it cannot read. */
const REFUSED: readonly (number | null)[] = [405, 409, 422];

/** The body of a merge in the host's words. */
function mergeBody(
  dialect: ForgeDialect,
  merge: {
    readonly sha: Sha;
    readonly method: MergeMethod;
    readonly title?: string;
    readonly message?: string;
  },
): Readonly<Record<string, unknown>> {
  const { sha, method, title, message } = merge;
  if (dialect === 'gitea') {
    return {
      Do: method,
      head_commit_id: sha,
      MergeTitleField: title ?? '',
      MergeMessageField: message ?? '',
    };
  }
  return {
    sha,
    merge_method: method,
    ...(title === undefined ? {} : { commit_title: title }),
    ...(message === undefined ? {} : { commit_message: message }),
  };
}

const BLOCKED =
  'look at the protection of the base branch (reviews, checks, who may push) and at the merge methods that the repository allows';

/** Which refusal of a merge it was, told by what the pull request is now and not by the host's words. */
function refusalOf(facts: ForgeFacts, pull: ForgePull, sha: Sha): ForgeError {
  if (pull.head_sha !== sha) return forgeError('FORGE_HEAD_MOVED', facts);
  if (facts.status === 422) return forgeError('FORGE_INVALID', facts);
  // A draft or a protected branch says nothing of conflicts: hosts call those unmergeable too.
  const blocked = new ForgeError('FORGE_MERGE_BLOCKED', facts, { hint: BLOCKED });
  if (pull.state === 'closed' || pull.draft) return blocked;
  if (pull.merge_state === 'dirty') return forgeError('FORGE_NOT_MERGEABLE', facts);
  if (pull.merge_state === 'behind') return forgeError('FORGE_BEHIND', facts);
  if (pull.merge_state === 'blocked') return blocked;
  const conflict = isConflict(pull);
  if (conflict === true) return forgeError('FORGE_NOT_MERGEABLE', facts);
  const unsettled = facts.status === 409 || conflict === null;
  return unsettled ? new ForgeError('FORGE_MERGE_UNSETTLED', facts, { retryable: true }) : blocked;
}

/** The merge of a pull request at one head, sent once. A refusal of what is merged by now is none. */
export function mergeWrite({ client, dialect, reads }: MergeDeps): ForgeRepo['merge'] {
  async function refused(facts: ForgeFacts, pr_number: number, sha: Sha): Promise<{ merge_sha: Sha }> {
    const pull = await reads.pull(pr_number);
    if (pull.merge_sha !== null) return { merge_sha: pull.merge_sha };
    throw refusalOf(facts, pull, sha);
  }

  return async (pr_number, merge) => {
    const request: ForgeRequest = {
      doing: `merge pull request #${pr_number}`,
      method: dialect === 'gitea' ? 'POST' : 'PUT',
      path: `/pulls/${pr_number}/merge`,
      body: mergeBody(dialect, merge),
    };
    let answer;
    try {
      answer = await client.send(request);
    } catch (error) {
      if (!(error instanceof ForgeError) || !('status' in error.details)) throw error;
      if (!REFUSED.includes(error.details.status)) throw error;
      return refused(error.details, pr_number, merge.sha);
    }
    const merged = MergeShape.safeParse(answer.data);
    const { host, repo } = client;
    const facts = {
      host,
      repo,
      doing: request.doing,
      status: answer.status,
      answer: 'the host did not merge it',
    };
    if (merged.success && merged.data.merged === false) return refused(facts, pr_number, merge.sha);
    // Gitea answers a merge with nothing: the pull request knows its commit.
    const told = merged.success ? merged.data.sha : undefined;
    const merge_sha = told ?? (await reads.pull(pr_number)).merge_sha;
    if (merge_sha === null)
      throw forgeError('FORGE_ANSWER_INVALID', { ...facts, answer: 'it names no merge commit' });
    return { merge_sha };
  };
}
