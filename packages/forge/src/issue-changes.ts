import { announceIssue } from './announce.ts';
import type { ForgeContext } from './context.ts';
import { refused } from './errors.ts';
import { appendEvent } from './model/events.ts';
import {
  assign,
  assigneesOf,
  issueById,
  touchIssue,
  unassign,
  updateState,
  updateText,
  type Issue,
} from './model/issues.ts';
import {
  attachLabel,
  detachLabel,
  insertLabel,
  labelByName,
  labelsOfIssue,
  type Label,
} from './model/labels.ts';
import type { Repo } from './model/repos.ts';
import { userByLogin, type User } from './model/users.ts';
import { labelJson, userJson } from './wire/repo.ts';

/** Who changes which issue. All functions here run inside one transaction of the caller. */
export interface ChangeOf {
  readonly repo: Repo;
  readonly issue: Pick<Issue, 'id'>;
  readonly actor: Pick<User, 'id'>;
}

/** Closes or reopens; says nothing when it is so already. `commit_id` is the commit that closed it. */
export function changeState(
  ctx: ForgeContext,
  of: ChangeOf,
  to: { readonly state: 'open' | 'closed'; readonly reason?: string | null; readonly commit_id?: string },
): void {
  const now = issueById(ctx.sql, of.issue.id);
  if (now.state === to.state) {
    if (
      to.state === 'closed' &&
      to.reason !== undefined &&
      to.reason !== now.state_reason &&
      now.is_pull === 0
    ) {
      ctx.sql.run('UPDATE issues SET state_reason = ? WHERE id = ?', to.reason, now.id);
      touchIssue(ctx.sql, now.id, ctx.stamp());
    }
    return;
  }
  const at_ms = ctx.stamp();
  const plain = now.is_pull === 1;
  if (to.state === 'closed') {
    const reason = plain ? null : (to.reason ?? 'completed');
    updateState(ctx.sql, now.id, { state: 'closed', reason, by_id: of.actor.id, at_ms });
  } else {
    updateState(ctx.sql, now.id, { state: 'open', reason: plain ? null : 'reopened' });
  }
  touchIssue(ctx.sql, now.id, at_ms);
  appendEvent(ctx.sql, {
    repo_id: of.repo.id,
    issue_id: now.id,
    actor_id: of.actor.id,
    event: to.state === 'closed' ? 'closed' : 'reopened',
    commit_id: to.commit_id ?? null,
    at_ms,
  });
  announceIssue(ctx, of, to.state === 'closed' ? 'closed' : 'reopened');
}

/** Changes title and body where they differ. */
export function changeText(
  ctx: ForgeContext,
  of: ChangeOf,
  to: { readonly title?: string | undefined; readonly body?: string | null | undefined },
): void {
  const now = issueById(ctx.sql, of.issue.id);
  const title = to.title ?? now.title;
  const body = to.body === undefined ? now.body : to.body;
  if (title === now.title && body === now.body) return;
  const at_ms = ctx.stamp();
  updateText(ctx.sql, now.id, { title, body });
  touchIssue(ctx.sql, now.id, at_ms);
  const changes = {
    ...(title === now.title ? {} : { title: { from: now.title } }),
    ...(body === now.body ? {} : { body: { from: now.body } }),
  };
  announceIssue(ctx, of, 'edited', { changes });
  if (title === now.title) return;
  appendEvent(ctx.sql, {
    repo_id: of.repo.id,
    issue_id: now.id,
    actor_id: of.actor.id,
    event: 'renamed',
    extra: { rename: { from: now.title, to: title } },
    at_ms,
  });
}

/** Puts labels on an issue; a label the repository does not know yet is made. */
export function addLabels(ctx: ForgeContext, of: ChangeOf, names: readonly string[]): void {
  for (const name of names) {
    const label = labelByName(ctx.sql, of.repo.id, name) ?? insertLabel(ctx.sql, of.repo.id, { name });
    if (!attachLabel(ctx.sql, of.issue.id, label.id)) continue;
    labelEvent(ctx, of, 'labeled', label);
  }
}

/** Takes labels from an issue; gives the names that were not on it. */
export function removeLabels(ctx: ForgeContext, of: ChangeOf, names: readonly string[]): readonly string[] {
  const missing: string[] = [];
  for (const name of names) {
    const label = labelByName(ctx.sql, of.repo.id, name);
    if (label === undefined || !detachLabel(ctx.sql, of.issue.id, label.id)) missing.push(name);
    else labelEvent(ctx, of, 'unlabeled', label);
  }
  return missing;
}

/** Makes the labels of an issue exactly these. */
export function replaceLabels(ctx: ForgeContext, of: ChangeOf, names: readonly string[]): void {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const surplus = labelsOfIssue(ctx.sql, of.issue.id).filter(({ name }) => !wanted.has(name.toLowerCase()));
  removeLabels(
    ctx,
    of,
    surplus.map(({ name }) => name),
  );
  addLabels(ctx, of, names);
}

function labelEvent(ctx: ForgeContext, of: ChangeOf, event: 'labeled' | 'unlabeled', label: Label): void {
  const at_ms = ctx.stamp();
  touchIssue(ctx.sql, of.issue.id, at_ms);
  appendEvent(ctx.sql, {
    repo_id: of.repo.id,
    issue_id: of.issue.id,
    actor_id: of.actor.id,
    event,
    extra: { label: { name: label.name, color: label.color } },
    at_ms,
  });
  announceIssue(ctx, of, event, { label: labelJson(ctx, of.repo, label) });
}

/** Makes the assignees of an issue exactly these. Throws LOCAL_FORGE_REFUSED for a login nobody has. */
export function replaceAssignees(ctx: ForgeContext, of: ChangeOf, logins: readonly string[]): void {
  const wanted = logins.map((login) => {
    const user = userByLogin(ctx.sql, login);
    if (user !== undefined) return user;
    throw refused({ resource: 'Issue', field: 'assignees', code: 'invalid', message: `no user ${login}` });
  });
  for (const user of assigneesOf(ctx.sql, of.issue.id)) {
    if (wanted.some(({ id }) => id === user.id)) continue;
    if (unassign(ctx.sql, of.issue.id, user.id)) assigneeEvent(ctx, of, 'unassigned', user);
  }
  for (const user of wanted)
    if (assign(ctx.sql, of.issue.id, user.id)) assigneeEvent(ctx, of, 'assigned', user);
}

function assigneeEvent(ctx: ForgeContext, of: ChangeOf, event: 'assigned' | 'unassigned', user: User): void {
  const at_ms = ctx.stamp();
  touchIssue(ctx.sql, of.issue.id, at_ms);
  appendEvent(ctx.sql, {
    repo_id: of.repo.id,
    issue_id: of.issue.id,
    actor_id: of.actor.id,
    event,
    extra: { assignee: userJson(ctx, user) },
    at_ms,
  });
  announceIssue(ctx, of, event, { assignee: userJson(ctx, user) });
}
