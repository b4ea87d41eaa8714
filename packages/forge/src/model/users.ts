import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Sql } from '../database.ts';

/** A person or program with a login. `admin` may do everything in every repository. */
export const User = z.strictObject({ id: z.number(), login: z.string(), admin: z.number() });
export type User = z.infer<typeof User>;

/** Words a login may not be: they begin other addresses of the server. */
const RESERVED = ['repos', 'user', 'users', 'ui', 'rate_limit', 'api'];

/** A login: letters, digits and single hyphens inside, at most 39 characters, as on GitHub. */
export const Login = z
  .string()
  .max(39)
  .regex(/^[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*$/, 'expected letters, digits and single hyphens inside')
  .refine((login) => !RESERVED.includes(login.toLowerCase()), 'this word is reserved');

/** SHA-256 (hex) of a token: what is stored, and what is looked up, so no comparison of secrets takes place. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The user a login names, in any case. */
export function userByLogin(sql: Sql, login: string): User | undefined {
  return sql.one(User, 'SELECT id, login, admin FROM users WHERE login = ?', login);
}

/** The user with this id; a row that refers to a missing user is a damaged database and throws. */
export function userById(sql: Sql, id: number): User {
  return User.parse(sql.one(User, 'SELECT id, login, admin FROM users WHERE id = ?', id));
}

/** The user a token stands for. */
export function userByToken(sql: Sql, token: string): User | undefined {
  return sql.one(
    User,
    'SELECT u.id, u.login, u.admin FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = ?',
    hashToken(token),
  );
}

/** Gives a login a token; creates the user when there is none. Runs inside a transaction. */
export function grantToken(
  sql: Sql,
  grant: { readonly login: string; readonly admin: boolean; readonly token: string; readonly at_ms: number },
): User {
  const known = userByLogin(sql, grant.login);
  const id =
    known?.id ??
    sql.run('INSERT INTO users (login, admin, created_ms) VALUES (?, 0, ?)', grant.login, grant.at_ms).id;
  sql.run('UPDATE users SET removed_ms = NULL WHERE id = ?', id);
  if (grant.admin) sql.run('UPDATE users SET admin = 1 WHERE id = ?', id);
  sql.run(
    'INSERT INTO tokens (hash, user_id, created_ms) VALUES (?, ?, ?)',
    hashToken(grant.token),
    id,
    grant.at_ms,
  );
  return userById(sql, id);
}

/** A user as an administrator sees them. */
export const Account = z.strictObject({ login: z.string(), admin: z.boolean(), tokens: z.number() });
export type Account = z.infer<typeof Account>;

/** All users that were not removed, by login. */
export function listAccounts(sql: Sql): Account[] {
  const row = Account.extend({ admin: z.number() });
  const text = `SELECT u.login, u.admin, (SELECT count(*) FROM tokens t WHERE t.user_id = u.id) AS tokens
    FROM users u WHERE u.removed_ms IS NULL ORDER BY u.login`;
  return sql.all(row, text).map((found) => ({ ...found, admin: found.admin === 1 }));
}

const Removed = z.strictObject({ removed_ms: z.number().nullable() });

/** Whether a user was removed. */
export function isRemoved(sql: Sql, id: number): boolean {
  return typeof sql.one(Removed, 'SELECT removed_ms FROM users WHERE id = ?', id)?.removed_ms === 'number';
}

/** Removes a user: no permission is left, what they wrote stays. Runs inside a transaction. */
export function markRemoved(sql: Sql, id: number, at_ms: number): void {
  sql.run('UPDATE users SET removed_ms = ?, admin = 0 WHERE id = ?', at_ms, id);
  for (const table of ['collaborators', 'assignees', 'requested_reviewers'])
    sql.run(`DELETE FROM ${table} WHERE user_id = ?`, id);
}

/** Revokes a token; gives how many there were. Runs inside a transaction. */
export function dropToken(sql: Sql, token: string): number {
  return sql.run('DELETE FROM tokens WHERE hash = ?', hashToken(token)).changes;
}

/** Revokes all tokens of a user; gives how many there were. Runs inside a transaction. */
export function dropTokensOf(sql: Sql, user_id: number): number {
  return sql.run('DELETE FROM tokens WHERE user_id = ?', user_id).changes;
}
