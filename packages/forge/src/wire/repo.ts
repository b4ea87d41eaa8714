import type { ForgeContext } from '../context.ts';
import { countOpen } from '../model/issues.ts';
import type { Label } from '../model/labels.ts';
import { allows, type Permission, type Repo } from '../model/repos.ts';
import { isRemoved } from '../model/users.ts';
import { nodeId, seconds } from './time.ts';

/** A user in GitHub's shape. */
export function userJson(ctx: ForgeContext, user: { readonly id: number; readonly login: string }) {
  const base = ctx.baseUrl();
  return {
    login: user.login,
    id: user.id,
    node_id: nodeId('U', user.id),
    avatar_url: '',
    url: `${base}/users/${user.login}`,
    html_url: `${base}/ui/`,
    type: 'User',
    site_admin: false,
  };
}

/** Who wrote something, in GitHub's shape; null when the account is no more. */
export function authorJson(ctx: ForgeContext, user: { readonly id: number; readonly login: string }) {
  return isRemoved(ctx.sql, user.id) ? null : userJson(ctx, user);
}

/** The API address of a repository. */
export function repoUrl(ctx: ForgeContext, repo: Repo): string {
  return `${ctx.baseUrl()}/repos/${repo.owner}/${repo.name}`;
}

/** The page of a repository. */
export function repoPage(ctx: ForgeContext, repo: Repo): string {
  return `${ctx.baseUrl()}/ui/${repo.owner}/${repo.name}`;
}

/** A repository in GitHub's shape; `permissions` only where the caller is known. */
export function repoJson(ctx: ForgeContext, repo: Repo, permission: Permission | null) {
  const open = countOpen(ctx.sql, repo.id);
  return {
    id: repo.id,
    node_id: nodeId('R', repo.id),
    name: repo.name,
    full_name: `${repo.owner}/${repo.name}`,
    private: repo.private === 1,
    visibility: repo.private === 1 ? 'private' : 'public',
    owner: userJson(ctx, { id: repo.owner_id, login: repo.owner }),
    html_url: repoPage(ctx, repo),
    description: repo.description,
    fork: false,
    archived: false,
    disabled: false,
    url: repoUrl(ctx, repo),
    clone_url: `${ctx.baseUrl()}/${repo.owner}/${repo.name}.git`,
    default_branch: repo.default_branch,
    has_issues: true,
    open_issues: open,
    open_issues_count: open,
    allow_merge_commit: true,
    allow_squash_merge: true,
    allow_rebase_merge: true,
    created_at: seconds(repo.created_ms),
    updated_at: seconds(repo.updated_ms),
    pushed_at: seconds(repo.pushed_ms),
    ...(permission === null ? {} : { permissions: permissionsJson(permission) }),
  };
}

/** A permission as GitHub's five booleans. */
export function permissionsJson(permission: Permission) {
  return {
    admin: allows(permission, 'admin'),
    maintain: allows(permission, 'maintain'),
    push: allows(permission, 'push'),
    triage: allows(permission, 'triage'),
    pull: allows(permission, 'pull'),
  };
}

/** A label in GitHub's shape. */
export function labelJson(ctx: ForgeContext, repo: Repo, label: Label) {
  return {
    id: label.id,
    node_id: nodeId('LA', label.id),
    url: `${repoUrl(ctx, repo)}/labels/${encodeURIComponent(label.name)}`,
    name: label.name,
    color: label.color,
    default: false,
    description: label.description,
  };
}
