import { z } from 'zod';
import type { Sql } from '../database.ts';

/** How far a check run is. */
export const CheckStatus = z.enum(['queued', 'in_progress', 'completed']);

/** How a completed check run ended. */
export const CheckConclusion = z.enum([
  'success',
  'failure',
  'neutral',
  'cancelled',
  'skipped',
  'timed_out',
  'action_required',
]);

/** Conclusions that stand in no merge's way. Source: GitHub's required checks. */
export const GREEN_CONCLUSIONS: readonly (string | null)[] = ['success', 'neutral', 'skipped'];

/** A check run of a commit. */
export const CheckRun = z.strictObject({
  id: z.number(),
  sha: z.string(),
  name: z.string(),
  status: CheckStatus,
  conclusion: CheckConclusion.nullable(),
  details_url: z.string().nullable(),
  title: z.string().nullable(),
  summary: z.string().nullable(),
  started_ms: z.number(),
  completed_ms: z.number().nullable(),
});
export type CheckRun = z.infer<typeof CheckRun>;

const SELECT =
  'SELECT id, sha, name, status, conclusion, details_url, title, summary, started_ms, completed_ms FROM check_runs';

/** The newest run of each name of a commit. */
export function checkRunsOf(sql: Sql, repo_id: number, sha: string): CheckRun[] {
  const newest = 'SELECT max(id) FROM check_runs WHERE repo_id = ? AND sha = ? GROUP BY name';
  return sql.all(CheckRun, `${SELECT} WHERE id IN (${newest}) ORDER BY id DESC`, repo_id, sha);
}

/** A check run of a repository. */
export function checkRunById(sql: Sql, repo_id: number, id: number): CheckRun | undefined {
  return sql.one(CheckRun, `${SELECT} WHERE repo_id = ? AND id = ?`, repo_id, id);
}

/** Adds a check run. Runs inside a transaction. */
export function insertCheckRun(sql: Sql, repo_id: number, run: Omit<CheckRun, 'id'>): number {
  return sql.run(
    `INSERT INTO check_runs (repo_id, sha, name, status, conclusion, details_url, title, summary, started_ms, completed_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    repo_id,
    run.sha,
    run.name,
    run.status,
    run.conclusion,
    run.details_url,
    run.title,
    run.summary,
    run.started_ms,
    run.completed_ms,
  ).id;
}

/** Changes a check run. Runs inside a transaction. */
export function updateCheckRun(sql: Sql, run: CheckRun): void {
  sql.run(
    `UPDATE check_runs SET name = ?, status = ?, conclusion = ?, details_url = ?, title = ?, summary = ?, completed_ms = ?
     WHERE id = ?`,
    run.name,
    run.status,
    run.conclusion,
    run.details_url,
    run.title,
    run.summary,
    run.completed_ms,
    run.id,
  );
}
