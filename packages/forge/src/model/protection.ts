import { z } from 'zod';
import type { Sql } from '../database.ts';

/** What a protected branch asks of a merge and of a push. Words and meanings are GitHub's. */
export const ProtectionRules = z.strictObject({
  /** Verdicts a merge needs; null lets anybody who may push do so directly. */
  reviews: z
    .strictObject({
      approvals: z.number().int().min(0).max(6),
      /** Whether only approvals of the present head count. */
      dismiss_stale: z.boolean(),
    })
    .nullable(),
  /** Statuses or check runs that must be green; `strict` asks that the head holds all of its base. */
  checks: z.strictObject({ strict: z.boolean(), contexts: z.array(z.string()) }).nullable(),
  /** Whether admins are bound as well. */
  enforce_admins: z.boolean(),
  allow_force_pushes: z.boolean(),
  allow_deletions: z.boolean(),
});
export type ProtectionRules = z.infer<typeof ProtectionRules>;

const Row = z.strictObject({
  rules: z.string().transform((text) => ProtectionRules.parse(JSON.parse(text))),
});

/** The rules of a branch; undefined when it is not protected. */
export function protectionOf(sql: Sql, repo_id: number, branch: string): ProtectionRules | undefined {
  return sql.one(Row, 'SELECT rules FROM protections WHERE repo_id = ? AND branch = ?', repo_id, branch)
    ?.rules;
}

/** Protects a branch, or changes how. Runs inside a transaction. */
export function saveProtection(sql: Sql, repo_id: number, branch: string, rules: ProtectionRules): void {
  const text = `INSERT INTO protections (repo_id, branch, rules) VALUES (?, ?, ?)
    ON CONFLICT (repo_id, branch) DO UPDATE SET rules = excluded.rules`;
  sql.run(text, repo_id, branch, JSON.stringify(rules));
}

/** Takes the protection of a branch away. Runs inside a transaction. */
export function dropProtection(sql: Sql, repo_id: number, branch: string): void {
  sql.run('DELETE FROM protections WHERE repo_id = ? AND branch = ?', repo_id, branch);
}
