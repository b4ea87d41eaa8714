import type { ForgeContext } from '../context.ts';
import type { ChangedFile } from '../git/diff.ts';
import type { CommitRecord } from '../git/history.ts';
import { assigneesOf } from '../model/issues.ts';
import { labelsOfIssue } from '../model/labels.ts';
import { requestedReviewers, type Pull } from '../model/pulls.ts';
import type { Repo } from '../model/repos.ts';
import type { Review } from '../model/reviews.ts';
import { userByLogin } from '../model/users.ts';
import type { PullFacts } from '../pull-facts.ts';
import { association, issuePage } from './issue.ts';
import { authorJson, labelJson, repoJson, repoUrl, userJson } from './repo.ts';
import { nodeId, seconds, secondsOrNull } from './time.ts';

function branchJson(ctx: ForgeContext, repo: Repo, ref: string, sha: string) {
  return {
    label: `${repo.owner}:${ref}`,
    ref,
    sha,
    user: userJson(ctx, { id: repo.owner_id, login: repo.owner }),
    repo: repoJson(ctx, repo, null),
  };
}

/** A pull request as GitHub lists it. */
export function pullJson(ctx: ForgeContext, repo: Repo, pull: Pull) {
  const url = `${repoUrl(ctx, repo)}/pulls/${pull.number}`;
  const issueUrl = `${repoUrl(ctx, repo)}/issues/${pull.number}`;
  const page = issuePage(ctx, repo, pull);
  const assignees = assigneesOf(ctx.sql, pull.id).map((user) => userJson(ctx, user));
  return {
    id: pull.id,
    node_id: nodeId('PR', pull.id),
    url,
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    issue_url: issueUrl,
    commits_url: `${url}/commits`,
    comments_url: `${issueUrl}/comments`,
    statuses_url: `${repoUrl(ctx, repo)}/statuses/${pull.head_sha}`,
    number: pull.number,
    state: pull.state,
    locked: false,
    title: pull.title,
    body: pull.body,
    user: authorJson(ctx, { id: pull.author_id, login: pull.author }),
    author_association: association(ctx, repo, pull.author_id),
    labels: labelsOfIssue(ctx.sql, pull.id).map((label) => labelJson(ctx, repo, label)),
    milestone: null,
    draft: pull.draft === 1,
    assignee: assignees[0] ?? null,
    assignees,
    requested_reviewers: requestedReviewers(ctx.sql, pull.id).map((user) => userJson(ctx, user)),
    requested_teams: [],
    head: branchJson(ctx, repo, pull.head_ref, pull.head_sha),
    base: branchJson(ctx, repo, pull.base_ref, pull.base_sha),
    auto_merge: null,
    merge_commit_sha: pull.merge_sha,
    created_at: seconds(pull.created_ms),
    updated_at: seconds(pull.updated_ms),
    closed_at: secondsOrNull(pull.closed_ms),
    merged_at: secondsOrNull(pull.merged_ms),
  };
}

/** A pull request as GitHub shows it alone, with what git says of it. */
export function pullDetailJson(ctx: ForgeContext, repo: Repo, pull: Pull, facts: PullFacts) {
  const merger = pull.merged_by === null ? undefined : userByLogin(ctx.sql, pull.merged_by);
  return {
    ...pullJson(ctx, repo, pull),
    merged: pull.merged_ms !== null,
    mergeable: facts.mergeable,
    rebaseable: facts.mergeable,
    mergeable_state: facts.mergeable_state,
    merged_by: merger === undefined ? null : userJson(ctx, merger),
    comments: pull.comments,
    review_comments: 0,
    maintainer_can_modify: false,
    commits: facts.commits,
    additions: facts.additions,
    deletions: facts.deletions,
    changed_files: facts.changed_files,
  };
}

/** A review in GitHub's shape. */
export function reviewJson(ctx: ForgeContext, repo: Repo, pull: Pull, review: Review) {
  return {
    id: review.id,
    node_id: nodeId('PRR', review.id),
    user: authorJson(ctx, { id: review.author_id, login: review.author }),
    body: review.body,
    state: review.state,
    html_url: `${issuePage(ctx, repo, pull)}#pullrequestreview-${review.id}`,
    pull_request_url: `${repoUrl(ctx, repo)}/pulls/${pull.number}`,
    author_association: association(ctx, repo, review.author_id),
    commit_id: review.commit_id,
    submitted_at: seconds(review.submitted_ms),
  };
}

/** A changed file in GitHub's shape. */
export function fileJson(ctx: ForgeContext, repo: Repo, head_sha: string, file: ChangedFile) {
  const { patch, previous_filename, ...rest } = file;
  return {
    ...rest,
    changes: file.additions + file.deletions,
    contents_url: `${repoUrl(ctx, repo)}/contents/${encodeURI(file.filename)}?ref=${head_sha}`,
    ...(previous_filename === null ? {} : { previous_filename }),
    ...(patch === null ? {} : { patch }),
  };
}

/** A commit in GitHub's shape. Its author is a user when the address is one the forge gives. */
export function commitJson(ctx: ForgeContext, repo: Repo, commit: CommitRecord) {
  const url = repoUrl(ctx, repo);
  const person = (email: string) => {
    const login = /^(?:\d+\+)?([^@]+)@users\.noreply\.caloron\.local$/.exec(email)?.[1];
    const user = login === undefined ? undefined : userByLogin(ctx.sql, login);
    return user === undefined ? null : userJson(ctx, user);
  };
  return {
    sha: commit.sha,
    node_id: nodeId('C', commit.sha),
    url: `${url}/commits/${commit.sha}`,
    html_url: `${url}/commits/${commit.sha}`,
    commit: {
      message: commit.message,
      author: commit.author,
      committer: commit.committer,
      tree: { sha: commit.tree, url: `${url}/git/trees/${commit.tree}` },
      url: `${url}/git/commits/${commit.sha}`,
      comment_count: 0,
    },
    author: person(commit.author.email),
    committer: person(commit.committer.email),
    parents: commit.parents.map((sha) => ({ sha, url: `${url}/commits/${sha}` })),
  };
}
