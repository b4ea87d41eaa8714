import { z } from 'zod';
import type { Sql } from '../database.ts';

/** What a status says. */
export const StatusState = z.enum(['error', 'failure', 'pending', 'success']);

/** A commit status. */
export const Status = z.strictObject({
  id: z.number(),
  sha: z.string(),
  state: StatusState,
  context: z.string(),
  description: z.string().nullable(),
  target_url: z.string().nullable(),
  creator_id: z.number(),
  creator: z.string(),
  created_ms: z.number(),
});
export type Status = z.infer<typeof Status>;

const SELECT = `SELECT s.id, s.sha, s.state, s.context, s.description, s.target_url, s.creator_id, u.login AS creator,
  s.created_ms FROM statuses s JOIN users u ON u.id = s.creator_id`;

/** All statuses of a commit, newest first. */
export function statusesOf(sql: Sql, repo_id: number, sha: string): Status[] {
  return sql.all(Status, `${SELECT} WHERE s.repo_id = ? AND s.sha = ? ORDER BY s.id DESC`, repo_id, sha);
}

/** The newest status of each context of a commit, and what they say together: any failure, else any pending. */
export function combinedStatus(
  sql: Sql,
  repo_id: number,
  sha: string,
): { readonly state: 'failure' | 'pending' | 'success'; readonly statuses: readonly Status[] } {
  const latest = new Map<string, Status>();
  for (const status of statusesOf(sql, repo_id, sha)) {
    const context = status.context.toLowerCase();
    if (!latest.has(context)) latest.set(context, status);
  }
  const statuses = [...latest.values()];
  if (statuses.some(({ state }) => state === 'failure' || state === 'error'))
    return { state: 'failure', statuses };
  // No status at all is pending with an empty list, as GitHub answers; a client tells the two apart by the count.
  const pending = statuses.length === 0 || statuses.some(({ state }) => state === 'pending');
  return { state: pending ? 'pending' : 'success', statuses };
}

/** Adds a status. Runs inside a transaction. */
export function insertStatus(
  sql: Sql,
  status: Omit<Status, 'id' | 'creator'> & { readonly repo_id: number },
): number {
  return sql.run(
    `INSERT INTO statuses (repo_id, sha, state, context, description, target_url, creator_id, created_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    status.repo_id,
    status.sha,
    status.state,
    status.context,
    status.description,
    status.target_url,
    status.creator_id,
    status.created_ms,
  ).id;
}
