import type { ForgeRepo } from '@caloron/types';

import { ForgeError } from './forge-errors.ts';
import { fitBody, fitTitle } from './github-body.ts';
import type { ForgeClient, ForgeRequest } from './github-client.ts';
import { branchPath, type ForgeDialect } from './github-dialect.ts';
import { forgeError, isForgeError } from './github-errors.ts';
import { labelWrites } from './github-labels.ts';
import { mergeWrite } from './github-merge.ts';
import type { ForgeReads } from './github-read.ts';
import { CommentShape, IssueShape, PullShape, ReviewShape } from './github-shapes.ts';

/** The writing half of a ForgeRepo: every request is sent once. */
export type ForgeWrites = Omit<ForgeRepo, keyof ForgeReads>;

/** What the writes need. */
export interface ForgeWriteDeps {
  readonly client: ForgeClient;
  readonly dialect: ForgeDialect;
  /** Look-ups that tell refusals apart without reading their words. */
  readonly reads: Pick<ForgeReads, 'whoami' | 'pull'>;
}

function reviewWrite({ client, dialect, reads }: ForgeWriteDeps): ForgeWrites['review'] {
  return async (pr_number, review) => {
    const event = dialect === 'gitea' && review.event === 'APPROVE' ? 'APPROVED' : review.event;
    const request: ForgeRequest = {
      doing: `review pull request #${pr_number}`,
      method: 'POST',
      path: `/pulls/${pr_number}/reviews`,
      body: { event, body: fitBody(review.body), commit_id: review.commit_id },
    };
    try {
      const written = await client.json(ReviewShape, request);
      if (written !== null) return written;
    } catch (error) {
      if (
        review.event === 'COMMENT' ||
        !(error instanceof ForgeError) ||
        !isForgeError(error, 'FORGE_INVALID')
      )
        throw error;
      if (!('status' in error.details)) throw error;
      const [login, { author }] = await Promise.all([ownLogin(reads), reads.pull(pr_number)]);
      const own =
        login === null ? saysOwn(error.details.answer) : author?.toLowerCase() === login.toLowerCase();
      if (author === null || !own) throw error;
      const hint = 'let a second identity review (reviewer_token_env), or review with a comment';
      throw new ForgeError(
        'FORGE_SELF_REVIEW',
        { ...error.details, pr_number, login: login ?? author },
        { hint },
      );
    }
    const facts = { host: client.host, repo: client.repo, doing: request.doing, status: 200 };
    throw forgeError('FORGE_ANSWER_INVALID', { ...facts, answer: 'the review was left pending' });
  };
}

/** Null for a token of an app, which may not ask who it is. */
async function ownLogin(reads: Pick<ForgeReads, 'whoami'>): Promise<string | null> {
  try {
    return await reads.whoami();
  } catch (error) {
    if (isForgeError(error, 'FORGE_FORBIDDEN')) return null;
    throw error;
  }
}

/** GitHub's words for a verdict on one's own: "Can not approve your own pull request". */
const saysOwn = (answer: string): boolean => /your own pull request/iu.test(answer);

function branchWrite({ client, dialect }: ForgeWriteDeps): ForgeWrites['deleteBranch'] {
  return async (branch) => {
    const doing = `delete the branch ${branch}`;
    const path =
      dialect === 'gitea' ? `/branches/${branchPath(branch)}` : `/git/refs/heads/${branchPath(branch)}`;
    try {
      await client.send({ doing, method: 'DELETE', path });
    } catch (error) {
      if (isForgeError(error, 'FORGE_NOT_FOUND')) return;
      if (!isForgeError(error, 'FORGE_INVALID') || dialect === 'gitea') throw error;
      // GitHub says 422 both for a branch that is gone and for one it protects: the look-up tells.
      const look = `/git/ref/heads/${branchPath(branch)}`;
      try {
        await client.send({ doing, method: 'GET', path: look });
      } catch (missing) {
        if (isForgeError(missing, 'FORGE_NOT_FOUND')) return;
      }
      throw error;
    }
  };
}

/** The writes of one repository. */
export function forgeWrites(deps: ForgeWriteDeps): ForgeWrites {
  const { client } = deps;
  const labels = labelWrites(client, deps.dialect);

  async function setIssueState(number: number, state: 'open' | 'closed'): Promise<void> {
    const doing = `${state === 'open' ? 'reopen' : 'close'} issue #${number}`;
    await client.send({ doing, method: 'PATCH', path: `/issues/${number}`, body: { state } });
  }

  return {
    ensureLabel: labels.ensureLabel,
    addLabels: labels.addLabels,
    removeLabel: labels.removeLabel,
    async createIssue(issue) {
      const { title, body, assignees = [] } = issue;
      const written = {
        title: fitTitle(title),
        body: fitBody(body),
        labels: await labels.asWritten(issue.labels),
        ...(assignees.length === 0 ? {} : { assignees }),
      };
      return client.json(IssueShape, {
        doing: 'create an issue',
        method: 'POST',
        path: '/issues',
        body: written,
      });
    },
    comment: (issue_number, body) =>
      client.json(CommentShape, {
        doing: `comment on #${issue_number}`,
        method: 'POST',
        path: `/issues/${issue_number}/comments`,
        body: { body: fitBody(body) },
      }),
    editComment: (id, body) =>
      client.json(CommentShape, {
        doing: `change comment ${id}`,
        method: 'PATCH',
        path: `/issues/comments/${id}`,
        body: { body: fitBody(body) },
      }),
    closeIssue: (number) => setIssueState(number, 'closed'),
    reopenIssue: (number) => setIssueState(number, 'open'),
    async createPull(pull) {
      try {
        return await client.json(PullShape, {
          doing: `open a pull request of ${pull.head}`,
          method: 'POST',
          path: '/pulls',
          body: { ...pull, title: fitTitle(pull.title), body: fitBody(pull.body) },
        });
      } catch (error) {
        // Gitea says 409 where GitHub says 422 for a branch that has its pull request already.
        if (error instanceof ForgeError && error.code === 'FORGE_CONFLICT' && 'status' in error.details) {
          throw forgeError('FORGE_INVALID', error.details);
        }
        throw error;
      }
    },
    updatePull: (pr_number, change) =>
      client.json(PullShape, {
        doing: `change pull request #${pr_number}`,
        method: 'PATCH',
        path: `/pulls/${pr_number}`,
        body: change.body === undefined ? { ...change } : { ...change, body: fitBody(change.body) },
      }),
    async requestReview(pr_number, logins) {
      if (logins.length === 0) return;
      await client.send({
        doing: `ask ${logins.join(', ')} to review #${pr_number}`,
        method: 'POST',
        path: `/pulls/${pr_number}/requested_reviewers`,
        body: { reviewers: logins },
      });
    },
    review: reviewWrite(deps),
    merge: mergeWrite(deps),
    deleteBranch: branchWrite(deps),
  };
}
