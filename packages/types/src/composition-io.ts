import { z } from 'zod';

import { ForgeAway } from './cursors.ts';
import { DagState } from './dag.ts';
import { Id, RepoName, TokenEnv } from './ids.ts';
import { SprintPolicy } from './policy.ts';
import { Kpis } from './retro.ts';
import { Timestamp } from './time.ts';

/** Input of compositions/sprint_tick.json. */
export const TickInput = z.object({
  sprint_id: Id,
  repo: RepoName,
  stall_threshold_m: z.number().positive().nullish(),
  token_env: TokenEnv.nullish(),
  shell_url: z.string().nullish(),
  host: z.string().nullish(),
});
export type TickInput = z.infer<typeof TickInput>;

/** Output of a tick. */
export const TickOutput = z.strictObject({
  actions_taken: z.array(z.string()),
  errors: z.array(z.string()),
  complete: z.boolean(),
  polled_at: Timestamp,
  /** Reason per task that cannot move without a person or another task. */
  stuck: z.record(Id, z.string()),
  /** Highest log seq whose events this tick consumed: the scheduler fires again for later ones only. */
  consumed_seq: z.number().int().min(0),
  /** The forge did not answer the poll: since when, until when, and why. Absent while it answers. */
  forge_away: ForgeAway.optional(),
  /** What was seen on the forge and does not count, with the reason; absent without any. */
  ignored: z.array(z.string()).optional(),
});
export type TickOutput = z.infer<typeof TickOutput>;

/** Input of compositions/kickoff.json. */
export const KickoffInput = z.object({
  brief: z.string(),
  repo: RepoName,
  sprint_id: Id.nullish(),
  num_agents: z.number().int().min(1).nullish(),
  host: z.string().nullish(),
  token_env: TokenEnv.nullish(),
});
export type KickoffInput = z.infer<typeof KickoffInput>;

/** How a DAG was made. */
export const Generator = z.enum(['list', 'template', 'llm']);
export type Generator = z.infer<typeof Generator>;

/** Output of a kickoff; `already_exists` when the sprint was known and nothing was changed. */
export const KickoffOutput = z.strictObject({
  sprint_id: Id,
  dag: DagState,
  issues_created: z.array(z.number().int().positive()),
  generator: Generator,
  already_exists: z.boolean(),
});
export type KickoffOutput = z.infer<typeof KickoffOutput>;

/** Input of compositions/retro.json. */
export const RetroInput = z.object({ sprint_id: Id, repo: RepoName.nullish() });
export type RetroInput = z.infer<typeof RetroInput>;

/** Output of a retro; `interim` when the sprint was still open. */
export const RetroOutput = z.strictObject({
  sprint_id: Id,
  kpis: Kpis,
  report_path: z.string(),
  learnings: z.array(z.string()),
  interim: z.boolean(),
});
export type RetroOutput = z.infer<typeof RetroOutput>;

/** KV `caloron:active_sprint`: the sprint that cron jobs with `input_from` work on. */
export const ActiveSprint = z.strictObject({
  sprint_id: Id,
  repo: RepoName,
  stall_threshold_m: z.number().positive(),
});
export type ActiveSprint = z.infer<typeof ActiveSprint>;

/** The project's settings: file caloron.json, mirrored to KV `caloron:config`. */
export const ProjectConfig = z.strictObject({
  $schema: z.string().optional(),
  repo: RepoName.optional(),
  host: z.string().nullable().default(null),
  base_branch: z.string().min(1).nullable().default(null),
  token_env: TokenEnv.default('GITHUB_TOKEN'),
  reviewer_token_env: TokenEnv.nullable().default(null),
  agent_logins: z.array(z.string()).default([]),
  reviewer_logins: z.array(z.string()).default([]),
  human_logins: z.array(z.string()).default([]),
  required_approvals: z.number().int().min(0).default(1),
  max_review_cycles: z.number().int().min(1).default(3),
  max_attempts: z.number().int().min(1).default(3),
  stall_threshold_m: z.number().positive().default(20),
  cooldown_m: z.number().min(0).default(10),
  merge_method: z.enum(['merge', 'squash', 'rebase']).default('merge'),
  verify: z.array(z.array(z.string()).min(1)).default([]),
  framework: z.string().min(1).default('claude-code'),
  framework_options: z.record(z.string(), z.string()).default({}),
  agent_timeout_ms: z.number().int().positive().default(3_600_000),
  num_agents: z.number().int().min(1).default(2),
  conventions: z.string().default(''),
  ...SprintPolicy,
});
export type ProjectConfig = z.infer<typeof ProjectConfig>;
