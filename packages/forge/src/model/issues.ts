import { z } from 'zod';
import type { Sql, SqlValue } from '../database.ts';
import { User } from './users.ts';

/** An issue; a pull request is one too (`is_pull` 1). */
export const Issue = z.strictObject({
  id: z.number(),
  repo_id: z.number(),
  number: z.number(),
  is_pull: z.number(),
  title: z.string(),
  body: z.string().nullable(),
  state: z.enum(['open', 'closed']),
  state_reason: z.string().nullable(),
  author_id: z.number(),
  author: z.string(),
  closed_by: z.string().nullable(),
  comments: z.number(),
  created_ms: z.number(),
  updated_ms: z.number(),
  closed_ms: z.number().nullable(),
});
export type Issue = z.infer<typeof Issue>;

/** The columns of an Issue, for queries that join `issues i`. */
export const ISSUE_COLUMNS = `i.id, i.repo_id, i.number, i.is_pull, i.title, i.body, i.state, i.state_reason, i.author_id,
  (SELECT login FROM users WHERE id = i.author_id) AS author,
  (SELECT login FROM users WHERE id = i.closed_by_id) AS closed_by,
  (SELECT count(*) FROM comments c WHERE c.issue_id = i.id) AS comments,
  i.created_ms, i.updated_ms, i.closed_ms`;

const Count = z.strictObject({ n: z.number() });

/** Which issues a list shows. */
export interface IssueQuery {
  readonly state: 'open' | 'closed' | 'all';
  readonly labels: readonly string[];
  readonly since_ms: number | null;
  readonly creator: string | null;
  readonly assignee: string | null;
  readonly sort: 'created' | 'updated' | 'comments';
  readonly direction: 'asc' | 'desc';
}

/** The issue or pull request with this number. */
export function issueByNumber(sql: Sql, repo_id: number, number: number): Issue | undefined {
  return sql.one(
    Issue,
    `SELECT ${ISSUE_COLUMNS} FROM issues i WHERE i.repo_id = ? AND i.number = ?`,
    repo_id,
    number,
  );
}

/** The issue with this id; a reference to a missing one throws. */
export function issueById(sql: Sql, id: number): Issue {
  return Issue.parse(sql.one(Issue, `SELECT ${ISSUE_COLUMNS} FROM issues i WHERE i.id = ?`, id));
}

/** One page of a repository's issues and pull requests, and how many there are in all. */
export function listIssues(
  sql: Sql,
  repo_id: number,
  query: IssueQuery,
  page: { readonly limit: number; readonly offset: number },
): { readonly items: Issue[]; readonly total: number } {
  const { where, values } = conditions(repo_id, query);
  const column = { created: 'i.created_ms', updated: 'i.updated_ms', comments: 'comments' }[query.sort];
  const order = `${column} ${query.direction}, i.id ${query.direction}`;
  const total = sql.one(Count, `SELECT count(*) AS n FROM issues i WHERE ${where}`, ...values)?.n ?? 0;
  const items = sql.all(
    Issue,
    `SELECT ${ISSUE_COLUMNS} FROM issues i WHERE ${where} ORDER BY ${order} LIMIT ? OFFSET ?`,
    ...values,
    page.limit,
    page.offset,
  );
  return { items, total };
}

function conditions(repo_id: number, query: IssueQuery): { where: string; values: SqlValue[] } {
  const parts = ['i.repo_id = ?'];
  const values: SqlValue[] = [repo_id];
  const add = (part: string, value: SqlValue): void => {
    parts.push(part);
    values.push(value);
  };
  if (query.state !== 'all') add('i.state = ?', query.state);
  if (query.since_ms !== null) add('i.updated_ms >= ?', query.since_ms);
  if (query.creator !== null) add('i.author_id = (SELECT id FROM users WHERE login = ?)', query.creator);
  if (query.assignee !== null) {
    add(
      'EXISTS (SELECT 1 FROM assignees a JOIN users u ON u.id = a.user_id WHERE a.issue_id = i.id AND u.login = ?)',
      query.assignee,
    );
  }
  for (const label of query.labels) {
    add(
      'EXISTS (SELECT 1 FROM issue_labels il JOIN labels l ON l.id = il.label_id WHERE il.issue_id = i.id AND l.name = ?)',
      label,
    );
  }
  return { where: parts.join(' AND '), values };
}

/** How many issues and pull requests are open. */
export function countOpen(sql: Sql, repo_id: number): number {
  const text = "SELECT count(*) AS n FROM issues WHERE repo_id = ? AND state = 'open'";
  return sql.one(Count, text, repo_id)?.n ?? 0;
}

/** Adds an issue with the repository's next number. Runs inside a transaction. */
export function insertIssue(
  sql: Sql,
  issue: {
    readonly repo_id: number;
    readonly is_pull: boolean;
    readonly title: string;
    readonly body: string | null;
    readonly author_id: number;
    readonly at_ms: number;
  },
): Issue {
  const { id } = sql.run(
    `INSERT INTO issues (repo_id, number, is_pull, title, body, state, author_id, created_ms, updated_ms)
     VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM issues WHERE repo_id = ?), ?, ?, ?, 'open', ?, ?, ?)`,
    issue.repo_id,
    issue.repo_id,
    issue.is_pull ? 1 : 0,
    issue.title,
    issue.body,
    issue.author_id,
    issue.at_ms,
    issue.at_ms,
  );
  return issueById(sql, id);
}

/** Changes title and body. Runs inside a transaction. */
export function updateText(
  sql: Sql,
  issue_id: number,
  text: { readonly title: string; readonly body: string | null },
): void {
  sql.run('UPDATE issues SET title = ?, body = ? WHERE id = ?', text.title, text.body, issue_id);
}

/** Changes the state; closing records who and when. Runs inside a transaction. */
export function updateState(
  sql: Sql,
  issue_id: number,
  change:
    | { readonly state: 'open'; readonly reason: string | null }
    | {
        readonly state: 'closed';
        readonly reason: string | null;
        readonly by_id: number;
        readonly at_ms: number;
      },
): void {
  const closed = change.state === 'closed' ? change : { by_id: null, at_ms: null };
  sql.run(
    'UPDATE issues SET state = ?, state_reason = ?, closed_by_id = ?, closed_ms = ? WHERE id = ?',
    change.state,
    change.reason,
    closed.by_id,
    closed.at_ms,
    issue_id,
  );
}

/** Marks an issue as changed now. Runs inside a transaction. */
export function touchIssue(sql: Sql, issue_id: number, at_ms: number): void {
  sql.run('UPDATE issues SET updated_ms = ? WHERE id = ?', at_ms, issue_id);
}

/** Who is assigned to an issue. */
export function assigneesOf(sql: Sql, issue_id: number): User[] {
  return sql.all(
    User,
    'SELECT u.id, u.login, u.admin FROM assignees a JOIN users u ON u.id = a.user_id WHERE a.issue_id = ? ORDER BY a.rowid',
    issue_id,
  );
}

/** Assigns a user; false when that was so. Runs inside a transaction. */
export function assign(sql: Sql, issue_id: number, user_id: number): boolean {
  return (
    sql.run('INSERT OR IGNORE INTO assignees (issue_id, user_id) VALUES (?, ?)', issue_id, user_id).changes >
    0
  );
}

/** Takes an assignment back; false when there was none. Runs inside a transaction. */
export function unassign(sql: Sql, issue_id: number, user_id: number): boolean {
  return sql.run('DELETE FROM assignees WHERE issue_id = ? AND user_id = ?', issue_id, user_id).changes > 0;
}
