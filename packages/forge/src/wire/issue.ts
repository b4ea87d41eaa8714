import type { ForgeContext } from '../context.ts';
import type { Comment } from '../model/comments.ts';
import type { IssueEvent } from '../model/events.ts';
import { assigneesOf, issueById, type Issue } from '../model/issues.ts';
import { labelsOfIssue } from '../model/labels.ts';
import { pullById } from '../model/pulls.ts';
import { permissionOf, type Repo } from '../model/repos.ts';
import { userById, userByLogin } from '../model/users.ts';
import { authorJson, labelJson, repoPage, repoUrl, userJson } from './repo.ts';
import { nodeId, seconds, secondsOrNull } from './time.ts';

/** What an author is to a repository. */
export function association(
  ctx: ForgeContext,
  repo: Repo,
  author_id: number,
): 'OWNER' | 'COLLABORATOR' | 'NONE' {
  if (author_id === repo.owner_id) return 'OWNER';
  const permission = permissionOf(ctx.sql, repo, userById(ctx.sql, author_id));
  return permission === null || permission === 'pull' ? 'NONE' : 'COLLABORATOR';
}

/** The page of an issue or pull request. */
export function issuePage(ctx: ForgeContext, repo: Repo, issue: Pick<Issue, 'is_pull' | 'number'>): string {
  return `${repoPage(ctx, repo)}/${issue.is_pull === 1 ? 'pulls' : 'issues'}/${issue.number}`;
}

/** An issue (or a pull request seen as one) in GitHub's shape. */
export function issueJson(ctx: ForgeContext, repo: Repo, issue: Issue) {
  const url = `${repoUrl(ctx, repo)}/issues/${issue.number}`;
  const assignees = assigneesOf(ctx.sql, issue.id).map((user) => userJson(ctx, user));
  const closer = issue.closed_by === null ? undefined : userByLogin(ctx.sql, issue.closed_by);
  return {
    id: issue.id,
    node_id: nodeId(issue.is_pull === 1 ? 'PR' : 'I', issue.id),
    url,
    repository_url: repoUrl(ctx, repo),
    comments_url: `${url}/comments`,
    events_url: `${url}/events`,
    html_url: issuePage(ctx, repo, issue),
    number: issue.number,
    title: issue.title,
    body: issue.body,
    state: issue.state,
    state_reason: issue.state_reason,
    locked: false,
    user: authorJson(ctx, { id: issue.author_id, login: issue.author }),
    author_association: association(ctx, repo, issue.author_id),
    labels: labelsOfIssue(ctx.sql, issue.id).map((label) => labelJson(ctx, repo, label)),
    assignee: assignees[0] ?? null,
    assignees,
    milestone: null,
    comments: issue.comments,
    created_at: seconds(issue.created_ms),
    updated_at: seconds(issue.updated_ms),
    closed_at: secondsOrNull(issue.closed_ms),
    closed_by: closer === undefined ? null : userJson(ctx, closer),
    ...(issue.is_pull === 1 ? pullKey(ctx, repo, issue) : {}),
  };
}

/** The key that tells a pull request from an issue. */
function pullKey(ctx: ForgeContext, repo: Repo, issue: Issue) {
  const pull = pullById(ctx.sql, issue.id);
  const url = `${repoUrl(ctx, repo)}/pulls/${issue.number}`;
  const page = issuePage(ctx, repo, issue);
  return {
    draft: pull.draft === 1,
    pull_request: {
      url,
      html_url: page,
      diff_url: `${page}.diff`,
      patch_url: `${page}.patch`,
      merged_at: secondsOrNull(pull.merged_ms),
    },
  };
}

/** A comment in GitHub's shape. */
export function commentJson(ctx: ForgeContext, repo: Repo, comment: Comment) {
  const issue = issueById(ctx.sql, comment.issue_id);
  return {
    id: comment.id,
    node_id: nodeId('IC', comment.id),
    url: `${repoUrl(ctx, repo)}/issues/comments/${comment.id}`,
    html_url: `${issuePage(ctx, repo, issue)}#issuecomment-${comment.id}`,
    issue_url: `${repoUrl(ctx, repo)}/issues/${comment.issue_number}`,
    body: comment.body,
    user: authorJson(ctx, { id: comment.author_id, login: comment.author }),
    author_association: association(ctx, repo, comment.author_id),
    created_at: seconds(comment.created_ms),
    updated_at: seconds(comment.updated_ms),
  };
}

/** An issue event in GitHub's shape; the repository-wide list also shows the issue. */
export function eventJson(ctx: ForgeContext, repo: Repo, event: IssueEvent, withIssue: boolean) {
  const url = repoUrl(ctx, repo);
  return {
    id: event.id,
    node_id: nodeId('EV', event.id),
    url: `${url}/issues/events/${event.id}`,
    actor: authorJson(ctx, { id: event.actor_id, login: event.actor }),
    event: event.event,
    commit_id: event.commit_id,
    commit_url: event.commit_id === null ? null : `${url}/commits/${event.commit_id}`,
    created_at: seconds(event.created_ms),
    ...event.extra,
    ...(withIssue ? { issue: issueJson(ctx, repo, issueById(ctx.sql, event.issue_id)) } : {}),
  };
}
