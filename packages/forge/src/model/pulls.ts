import { z } from 'zod';
import type { Sql, SqlValue } from '../database.ts';
import { Issue, ISSUE_COLUMNS } from './issues.ts';
import { User } from './users.ts';

/** A pull request: its issue and its branches. `base_sha` is the base branch when the pull request last looked. */
export const Pull = Issue.extend({
  head_ref: z.string(),
  head_sha: z.string(),
  base_ref: z.string(),
  base_sha: z.string(),
  draft: z.number(),
  merged_ms: z.number().nullable(),
  merged_by: z.string().nullable(),
  merge_sha: z.string().nullable(),
});
export type Pull = z.infer<typeof Pull>;

const SELECT = `SELECT ${ISSUE_COLUMNS}, p.head_ref, p.head_sha, p.base_ref, p.base_sha, p.draft, p.merged_ms,
  (SELECT login FROM users WHERE id = p.merged_by_id) AS merged_by, p.merge_sha
  FROM pulls p JOIN issues i ON i.id = p.issue_id`;

const Count = z.strictObject({ n: z.number() });

/** Which pull requests a list shows. */
export interface PullQuery {
  readonly state: 'open' | 'closed' | 'all';
  readonly head_ref: string | null;
  readonly base_ref: string | null;
  readonly sort: 'created' | 'updated';
  readonly direction: 'asc' | 'desc';
}

/** The pull request with this number. */
export function pullByNumber(sql: Sql, repo_id: number, number: number): Pull | undefined {
  return sql.one(Pull, `${SELECT} WHERE i.repo_id = ? AND i.number = ?`, repo_id, number);
}

/** The pull request with this issue id; a reference to a missing one throws. */
export function pullById(sql: Sql, issue_id: number): Pull {
  return Pull.parse(sql.one(Pull, `${SELECT} WHERE i.id = ?`, issue_id));
}

/** All open pull requests of a repository, oldest first. */
export function openPulls(sql: Sql, repo_id: number): Pull[] {
  return sql.all(Pull, `${SELECT} WHERE i.repo_id = ? AND i.state = 'open' ORDER BY i.number`, repo_id);
}

/** One page of a repository's pull requests, and how many there are in all. */
export function listPulls(
  sql: Sql,
  repo_id: number,
  query: PullQuery,
  page: { readonly limit: number; readonly offset: number },
): { readonly items: Pull[]; readonly total: number } {
  const parts = ['i.repo_id = ?'];
  const values: SqlValue[] = [repo_id];
  const add = (part: string, value: string | null): void => {
    if (value === null) return;
    parts.push(part);
    values.push(value);
  };
  add('i.state = ?', query.state === 'all' ? null : query.state);
  add('p.head_ref = ?', query.head_ref);
  add('p.base_ref = ?', query.base_ref);
  const where = parts.join(' AND ');
  const column = query.sort === 'updated' ? 'i.updated_ms' : 'i.created_ms';
  const from = 'FROM pulls p JOIN issues i ON i.id = p.issue_id';
  const total = sql.one(Count, `SELECT count(*) AS n ${from} WHERE ${where}`, ...values)?.n ?? 0;
  const items = sql.all(
    Pull,
    `${SELECT} WHERE ${where} ORDER BY ${column} ${query.direction}, i.id ${query.direction} LIMIT ? OFFSET ?`,
    ...values,
    page.limit,
    page.offset,
  );
  return { items, total };
}

/** Adds the branches of an issue that is a pull request. Runs inside a transaction. */
export function insertPull(
  sql: Sql,
  pull: Pick<Pull, 'head_ref' | 'head_sha' | 'base_ref' | 'base_sha'> & {
    readonly issue_id: number;
    readonly repo_id: number;
    readonly draft: boolean;
  },
): void {
  sql.run(
    'INSERT INTO pulls (issue_id, repo_id, head_ref, head_sha, base_ref, base_sha, draft) VALUES (?, ?, ?, ?, ?, ?, ?)',
    pull.issue_id,
    pull.repo_id,
    pull.head_ref,
    pull.head_sha,
    pull.base_ref,
    pull.base_sha,
    pull.draft ? 1 : 0,
  );
}

/** Records where the branches are now. Runs inside a transaction. */
export function updateRefs(
  sql: Sql,
  issue_id: number,
  refs: Pick<Pull, 'head_sha' | 'base_ref' | 'base_sha'>,
): void {
  sql.run(
    'UPDATE pulls SET head_sha = ?, base_ref = ?, base_sha = ? WHERE issue_id = ?',
    refs.head_sha,
    refs.base_ref,
    refs.base_sha,
    issue_id,
  );
}

/** Changes the draft mark. Runs inside a transaction. */
export function updateDraft(sql: Sql, issue_id: number, draft: boolean): void {
  sql.run('UPDATE pulls SET draft = ? WHERE issue_id = ?', draft ? 1 : 0, issue_id);
}

/** Records a merge. Runs inside a transaction. */
export function markMerged(
  sql: Sql,
  issue_id: number,
  merge: { readonly by_id: number; readonly sha: string; readonly base_sha: string; readonly at_ms: number },
): void {
  sql.run(
    'UPDATE pulls SET merged_ms = ?, merged_by_id = ?, merge_sha = ?, base_sha = ? WHERE issue_id = ?',
    merge.at_ms,
    merge.by_id,
    merge.sha,
    merge.base_sha,
    issue_id,
  );
}

/** A merge that is about to move the base branch. */
export const MergeIntent = z.strictObject({
  issue_id: z.number(),
  actor_id: z.number(),
  base_ref: z.string(),
  old_sha: z.string(),
  new_sha: z.string(),
});
export type MergeIntent = z.infer<typeof MergeIntent>;

/** All merges that were begun and not finished. */
export function mergeIntents(sql: Sql): MergeIntent[] {
  return sql.all(MergeIntent, 'SELECT issue_id, actor_id, base_ref, old_sha, new_sha FROM merge_intents');
}

/** Writes down what a merge is about to do. Runs inside a transaction. */
export function recordIntent(sql: Sql, intent: MergeIntent): void {
  sql.run(
    'INSERT OR REPLACE INTO merge_intents (issue_id, actor_id, base_ref, old_sha, new_sha) VALUES (?, ?, ?, ?, ?)',
    intent.issue_id,
    intent.actor_id,
    intent.base_ref,
    intent.old_sha,
    intent.new_sha,
  );
}

/** Forgets a merge that is done or was refused. Runs inside a transaction. */
export function dropIntent(sql: Sql, issue_id: number): void {
  sql.run('DELETE FROM merge_intents WHERE issue_id = ?', issue_id);
}

/** Who is asked for a review and has not given one. */
export function requestedReviewers(sql: Sql, issue_id: number): User[] {
  return sql.all(
    User,
    `SELECT u.id, u.login, u.admin FROM requested_reviewers r JOIN users u ON u.id = r.user_id
     WHERE r.issue_id = ? ORDER BY r.rowid`,
    issue_id,
  );
}

/** Asks a user for a review; false when that was so. Runs inside a transaction. */
export function requestReviewer(sql: Sql, issue_id: number, user_id: number): boolean {
  const text = 'INSERT OR IGNORE INTO requested_reviewers (issue_id, user_id) VALUES (?, ?)';
  return sql.run(text, issue_id, user_id).changes > 0;
}

/** Takes the question back; false when there was none. Runs inside a transaction. */
export function unrequestReviewer(sql: Sql, issue_id: number, user_id: number): boolean {
  const text = 'DELETE FROM requested_reviewers WHERE issue_id = ? AND user_id = ?';
  return sql.run(text, issue_id, user_id).changes > 0;
}
