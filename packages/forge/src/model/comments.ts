import { z } from 'zod';
import type { Sql, SqlValue } from '../database.ts';

/** A comment on an issue or pull request. */
export const Comment = z.strictObject({
  id: z.number(),
  issue_id: z.number(),
  issue_number: z.number(),
  author_id: z.number(),
  author: z.string(),
  body: z.string(),
  created_ms: z.number(),
  updated_ms: z.number(),
});
export type Comment = z.infer<typeof Comment>;

const SELECT = `SELECT c.id, c.issue_id, i.number AS issue_number, c.author_id, u.login AS author, c.body, c.created_ms,
  c.updated_ms FROM comments c JOIN issues i ON i.id = c.issue_id JOIN users u ON u.id = c.author_id`;

const Count = z.strictObject({ n: z.number() });

/** A comment of a repository. */
export function commentById(sql: Sql, repo_id: number, id: number): Comment | undefined {
  return sql.one(Comment, `${SELECT} WHERE c.repo_id = ? AND c.id = ?`, repo_id, id);
}

/** One page of the comments of an issue, oldest first, or of a whole repository, and how many there are. */
export function listComments(
  sql: Sql,
  query: {
    readonly repo_id: number;
    readonly issue_id: number | null;
    readonly since_ms: number | null;
    readonly sort: 'created' | 'updated';
    readonly direction: 'asc' | 'desc';
  },
  page: { readonly limit: number; readonly offset: number },
): { readonly items: Comment[]; readonly total: number } {
  const parts = ['c.repo_id = ?'];
  const values: SqlValue[] = [query.repo_id];
  if (query.issue_id !== null) {
    parts.push('c.issue_id = ?');
    values.push(query.issue_id);
  }
  if (query.since_ms !== null) {
    parts.push('c.updated_ms >= ?');
    values.push(query.since_ms);
  }
  const where = parts.join(' AND ');
  const column = query.sort === 'updated' ? 'c.updated_ms' : 'c.created_ms';
  const total = sql.one(Count, `SELECT count(*) AS n FROM comments c WHERE ${where}`, ...values)?.n ?? 0;
  const items = sql.all(
    Comment,
    `${SELECT} WHERE ${where} ORDER BY ${column} ${query.direction}, c.id ${query.direction} LIMIT ? OFFSET ?`,
    ...values,
    page.limit,
    page.offset,
  );
  return { items, total };
}

/** Adds a comment. Runs inside a transaction. */
export function insertComment(
  sql: Sql,
  comment: {
    readonly repo_id: number;
    readonly issue_id: number;
    readonly author_id: number;
    readonly body: string;
    readonly at_ms: number;
  },
): number {
  return sql.run(
    'INSERT INTO comments (repo_id, issue_id, author_id, body, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?)',
    comment.repo_id,
    comment.issue_id,
    comment.author_id,
    comment.body,
    comment.at_ms,
    comment.at_ms,
  ).id;
}

/** Changes a comment's text. Runs inside a transaction. */
export function updateComment(sql: Sql, id: number, body: string, at_ms: number): void {
  sql.run('UPDATE comments SET body = ?, updated_ms = ? WHERE id = ?', body, at_ms, id);
}

/** Removes a comment. Runs inside a transaction. */
export function deleteComment(sql: Sql, id: number): void {
  sql.run('DELETE FROM comments WHERE id = ?', id);
}
