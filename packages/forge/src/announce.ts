import type { ForgeContext } from './context.ts';
import type { CommitRecord } from './git/history.ts';
import { NO_SHA } from './git/refs.ts';
import { commentById } from './model/comments.ts';
import { hooksFor, type HookEvent } from './model/hooks.ts';
import { issueById } from './model/issues.ts';
import { pullById } from './model/pulls.ts';
import { repoById, type Repo } from './model/repos.ts';
import { reviewById } from './model/reviews.ts';
import { userById, userByLogin, type User } from './model/users.ts';
import { commentJson, issueJson } from './wire/issue.ts';
import { commitJson, pullJson, reviewJson } from './wire/pull.ts';
import { repoJson, repoPage, userJson } from './wire/repo.ts';

/**
 * Tells webhooks what happened, in GitHub's payloads. Every function here runs inside the transaction of the change it
 * tells, after it: the message is kept with the change or not at all.
 */
export interface Happened {
  readonly repo: Pick<Repo, 'id'>;
  readonly actor: Pick<User, 'id'>;
}

function emit(
  ctx: ForgeContext,
  { repo, actor }: Happened,
  event: HookEvent,
  action: string | null,
  content: (repo: Repo) => object,
): void {
  const hooks = hooksFor(ctx.sql, repo.id, event);
  if (hooks.length === 0) return;
  const now = repoById(ctx.sql, repo.id);
  const payload = {
    ...(action === null ? {} : { action }),
    ...content(now),
    repository: repoJson(ctx, now, null),
    sender: userJson(ctx, userById(ctx.sql, actor.id)),
  };
  for (const { id } of hooks) ctx.hooks.add({ hook_id: id, event, action, payload });
}

/** A pull request as webhooks show it: how it merges is asked of the API. */
function hookPull(ctx: ForgeContext, repo: Repo, issue_id: number) {
  const pull = pullById(ctx.sql, issue_id);
  const merger = pull.merged_by === null ? undefined : userByLogin(ctx.sql, pull.merged_by);
  return {
    ...pullJson(ctx, repo, pull),
    merged: pull.merged_ms !== null,
    merged_by: merger === undefined ? null : userJson(ctx, merger),
    mergeable: null,
    rebaseable: null,
    mergeable_state: 'unknown',
    comments: pull.comments,
  };
}

/** Something happened to an issue or a pull request: GitHub has one event for each, with the same actions. */
export function announceIssue(
  ctx: ForgeContext,
  of: Happened & { readonly issue: { readonly id: number } },
  action: string,
  extra: object = {},
): void {
  const issue = issueById(ctx.sql, of.issue.id);
  if (issue.is_pull === 0) {
    emit(ctx, of, 'issues', action, (repo) => ({ issue: issueJson(ctx, repo, issue), ...extra }));
    return;
  }
  const { number } = issue;
  emit(ctx, of, 'pull_request', action, (repo) => ({
    number,
    pull_request: hookPull(ctx, repo, issue.id),
    ...extra,
  }));
}

/** A comment was made, changed, or is about to be deleted. */
export function announceComment(
  ctx: ForgeContext,
  of: Happened & { readonly comment_id: number },
  action: 'created' | 'edited' | 'deleted',
  extra: object = {},
): void {
  emit(ctx, of, 'issue_comment', action, (repo) => {
    const comment = commentById(ctx.sql, repo.id, of.comment_id);
    if (comment === undefined) return extra;
    const issue = issueJson(ctx, repo, issueById(ctx.sql, comment.issue_id));
    return { issue, comment: commentJson(ctx, repo, comment), ...extra };
  });
}

/** A review was submitted, changed or dismissed. */
export function announceReview(
  ctx: ForgeContext,
  of: Happened & { readonly issue_id: number; readonly review_id: number },
  action: 'submitted' | 'edited' | 'dismissed',
): void {
  emit(ctx, of, 'pull_request_review', action, (repo) => {
    const pull = pullById(ctx.sql, of.issue_id);
    const review = reviewById(ctx.sql, of.issue_id, of.review_id);
    if (review === undefined) return {};
    const shown = reviewJson(ctx, repo, pull, review);
    // Webhooks write the state in lower case, the API in upper case.
    return {
      review: { ...shown, state: review.state.toLowerCase() },
      pull_request: hookPull(ctx, repo, of.issue_id),
    };
  });
}

/** A status was set, or a check run made or completed. */
export function announceCheck(
  ctx: ForgeContext,
  of: Happened,
  event: 'status' | 'check_run',
  action: 'created' | 'completed' | null,
  content: object,
): void {
  // The status event alone repeats the repository's name, at the top.
  emit(ctx, of, event, action, (repo) =>
    event === 'status' ? { ...content, name: `${repo.owner}/${repo.name}` } : content,
  );
}

/** A move of a branch; null is a branch that was not there before, or is not there any more. */
export interface BranchMove {
  readonly branch: string;
  readonly before: string | null;
  readonly after: string | null;
  /** The commits it brought, oldest first. */
  readonly commits: readonly CommitRecord[];
  /** Whether commits were left behind. */
  readonly forced: boolean;
}

/** A branch moved. */
export function announcePush(ctx: ForgeContext, of: Happened, move: BranchMove): void {
  emit(ctx, of, 'push', null, (repo) => {
    const pusher = userById(ctx.sql, of.actor.id);
    const commits = move.commits.map((commit) => pushedCommit(ctx, repo, commit));
    const [before, after] = [move.before ?? NO_SHA, move.after ?? NO_SHA];
    return {
      ref: `refs/heads/${move.branch}`,
      before,
      after,
      created: move.before === null,
      deleted: move.after === null,
      forced: move.forced,
      base_ref: null,
      compare: `${repoPage(ctx, repo)}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
      commits,
      head_commit: commits.at(-1) ?? null,
      pusher: { name: pusher.login, email: null },
    };
  });
}

function pushedCommit(ctx: ForgeContext, repo: Repo, commit: CommitRecord) {
  const { author, committer, url } = commitJson(ctx, repo, commit);
  const person = ({ name, email }: CommitRecord['author'], user: { readonly login: string } | null) => ({
    name,
    email,
    ...(user === null ? {} : { username: user.login }),
  });
  return {
    id: commit.sha,
    tree_id: commit.tree,
    distinct: true,
    message: commit.message,
    timestamp: commit.committer.date,
    url,
    author: person(commit.author, author),
    committer: person(commit.committer, committer),
  };
}
