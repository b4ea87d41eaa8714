import { z } from 'zod';
import type { Sql } from '../database.ts';

/** A label of a repository. `color` is six hex digits. */
export const Label = z.strictObject({
  id: z.number(),
  name: z.string(),
  color: z.string(),
  description: z.string().nullable(),
});
export type Label = z.infer<typeof Label>;

/** Colour of a label nobody gave one. Source: GitHub's default. */
export const DEFAULT_COLOR = 'ededed';

const COLUMNS = 'l.id, l.name, l.color, l.description';

/** The label a name means, in any case. */
export function labelByName(sql: Sql, repo_id: number, name: string): Label | undefined {
  return sql.one(Label, `SELECT ${COLUMNS} FROM labels l WHERE l.repo_id = ? AND l.name = ?`, repo_id, name);
}

/** All labels of a repository by name, one page of them. */
export function labelsOfRepo(
  sql: Sql,
  repo_id: number,
  page: { readonly limit: number; readonly offset: number },
) {
  return sql.all(
    Label,
    `SELECT ${COLUMNS} FROM labels l WHERE l.repo_id = ? ORDER BY l.name LIMIT ? OFFSET ?`,
    repo_id,
    page.limit,
    page.offset,
  );
}

/** How many labels a repository has. */
export function countLabels(sql: Sql, repo_id: number): number {
  const row = z.strictObject({ n: z.number() });
  return sql.one(row, 'SELECT count(*) AS n FROM labels WHERE repo_id = ?', repo_id)?.n ?? 0;
}

/** Adds a label. Runs inside a transaction. */
export function insertLabel(
  sql: Sql,
  repo_id: number,
  label: {
    readonly name: string;
    readonly color?: string | undefined;
    readonly description?: string | null | undefined;
  },
): Label {
  const { id } = sql.run(
    'INSERT INTO labels (repo_id, name, color, description) VALUES (?, ?, ?, ?)',
    repo_id,
    label.name,
    label.color ?? DEFAULT_COLOR,
    label.description ?? null,
  );
  return {
    id,
    name: label.name,
    color: label.color ?? DEFAULT_COLOR,
    description: label.description ?? null,
  };
}

/** Changes a label. Runs inside a transaction. */
export function updateLabel(sql: Sql, label: Label): void {
  sql.run(
    'UPDATE labels SET name = ?, color = ?, description = ? WHERE id = ?',
    label.name,
    label.color,
    label.description,
    label.id,
  );
}

/** Removes a label from its repository and from every issue. Runs inside a transaction. */
export function deleteLabel(sql: Sql, label: Label): void {
  sql.run('DELETE FROM issue_labels WHERE label_id = ?', label.id);
  sql.run('DELETE FROM labels WHERE id = ?', label.id);
}

/** The labels of an issue, in the order they came into being. */
export function labelsOfIssue(sql: Sql, issue_id: number): Label[] {
  return sql.all(
    Label,
    `SELECT ${COLUMNS} FROM issue_labels il JOIN labels l ON l.id = il.label_id WHERE il.issue_id = ? ORDER BY l.id`,
    issue_id,
  );
}

/** Puts a label on an issue; false when it was there. Runs inside a transaction. */
export function attachLabel(sql: Sql, issue_id: number, label_id: number): boolean {
  return (
    sql.run('INSERT OR IGNORE INTO issue_labels (issue_id, label_id) VALUES (?, ?)', issue_id, label_id)
      .changes > 0
  );
}

/** Takes a label from an issue; false when it was not there. Runs inside a transaction. */
export function detachLabel(sql: Sql, issue_id: number, label_id: number): boolean {
  return (
    sql.run('DELETE FROM issue_labels WHERE issue_id = ? AND label_id = ?', issue_id, label_id).changes > 0
  );
}
