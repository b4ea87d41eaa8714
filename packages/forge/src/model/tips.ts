import { z } from 'zod';
import type { Sql } from '../database.ts';

const Tip = z.strictObject({ branch: z.string(), sha: z.string() });

/** Where the branches of a repository were when their last move was written down. */
export function knownTips(sql: Sql, repo_id: number): ReadonlyMap<string, string> {
  const rows = sql.all(Tip, 'SELECT branch, sha FROM branch_tips WHERE repo_id = ?', repo_id);
  return new Map(rows.map(({ branch, sha }) => [branch, sha]));
}

/** Writes down where one branch is now; null is a branch that is gone. Runs inside a transaction. */
export function saveTip(sql: Sql, repo_id: number, branch: string, sha: string | null): void {
  if (sha === null) {
    sql.run('DELETE FROM branch_tips WHERE repo_id = ? AND branch = ?', repo_id, branch);
    return;
  }
  const text = `INSERT INTO branch_tips (repo_id, branch, sha) VALUES (?, ?, ?)
    ON CONFLICT (repo_id, branch) DO UPDATE SET sha = excluded.sha`;
  sql.run(text, repo_id, branch, sha);
}
