import { z } from 'zod';
import type { Sql } from '../database.ts';
import type { User } from './users.ts';

/** A repository. `private` is 0 or 1. */
export const Repo = z.strictObject({
  id: z.number(),
  owner_id: z.number(),
  owner: z.string(),
  name: z.string(),
  private: z.number(),
  description: z.string().nullable(),
  default_branch: z.string(),
  created_ms: z.number(),
  updated_ms: z.number(),
  pushed_ms: z.number(),
  /** 1 once its bare repository is there. */
  made: z.number(),
});
export type Repo = z.infer<typeof Repo>;

/** What a collaborator may do, least first. */
export const Permission = z.enum(['pull', 'triage', 'push', 'maintain', 'admin']);
export type Permission = z.infer<typeof Permission>;

/** A repository's name, as on GitHub. */
export const RepoName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected up to 100 letters, digits, ".", "_" or "-"')
  .refine(
    (name) => name !== '.' && name !== '..' && !name.toLowerCase().endsWith('.git'),
    'not a usable name',
  );

const SELECT = `SELECT r.id, r.owner_id, u.login AS owner, r.name, r.private, r.description, r.default_branch,
  r.created_ms, r.updated_ms, r.pushed_ms, r.made FROM repos r JOIN users u ON u.id = r.owner_id`;

/** The repository `owner/name`, in any case. */
export function repoByName(sql: Sql, owner: string, name: string): Repo | undefined {
  return sql.one(Repo, `${SELECT} WHERE u.login = ? AND r.name = ?`, owner, name);
}

/** The repository with this id; a reference to a missing one throws. */
export function repoById(sql: Sql, id: number): Repo {
  return Repo.parse(sql.one(Repo, `${SELECT} WHERE r.id = ?`, id));
}

/** All repositories, by owner and name. */
export function allRepos(sql: Sql): Repo[] {
  return sql.all(Repo, `${SELECT} ORDER BY u.login, r.name`);
}

/** Adds a repository's row. Runs inside a transaction. */
export function insertRepo(
  sql: Sql,
  repo: {
    readonly owner_id: number;
    readonly name: string;
    readonly private: boolean;
    readonly description: string | null;
    readonly default_branch: string;
    readonly at_ms: number;
  },
): Repo {
  const { id } = sql.run(
    `INSERT INTO repos (owner_id, name, private, description, default_branch, created_ms, updated_ms, pushed_ms, made)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    repo.owner_id,
    repo.name,
    repo.private ? 1 : 0,
    repo.description,
    repo.default_branch,
    repo.at_ms,
    repo.at_ms,
    repo.at_ms,
  );
  return repoById(sql, id);
}

/** Records that a repository's bare repository is there. Runs inside a transaction. */
export function markMade(sql: Sql, id: number): void {
  sql.run('UPDATE repos SET made = 1 WHERE id = ?', id);
}

// Made once: a shape costs more to make than to use.
const Granted = z.strictObject({ permission: Permission });

/** What a user may do in a repository; null is nothing, a null user is an anonymous one. */
export function permissionOf(sql: Sql, repo: Repo, user: User | null): Permission | null {
  const open = repo.private === 0 ? 'pull' : null;
  if (user === null) return open;
  if (user.id === repo.owner_id || user.admin === 1) return 'admin';
  const granted = sql.one(
    Granted,
    'SELECT permission FROM collaborators WHERE repo_id = ? AND user_id = ?',
    repo.id,
    user.id,
  );
  return granted?.permission ?? open;
}

/** Whether a permission is at least the needed one. */
export function allows(permission: Permission | null, needed: Permission): boolean {
  if (permission === null) return false;
  return Permission.options.indexOf(permission) >= Permission.options.indexOf(needed);
}

/** Gives a user a permission, or another than before. Runs inside a transaction. */
export function setCollaborator(sql: Sql, repo: Repo, user: User, permission: Permission): void {
  sql.run(
    `INSERT INTO collaborators (repo_id, user_id, permission) VALUES (?, ?, ?)
     ON CONFLICT (repo_id, user_id) DO UPDATE SET permission = excluded.permission`,
    repo.id,
    user.id,
    permission,
  );
}

/** Takes a user's permission away. Runs inside a transaction. */
export function removeCollaborator(sql: Sql, repo: Repo, user: User): void {
  sql.run('DELETE FROM collaborators WHERE repo_id = ? AND user_id = ?', repo.id, user.id);
}
