import { z } from 'zod';

import { AgentInfo, Exit, ProgressKind } from './agent.ts';
import { Mode, Role } from './dag.ts';
import { Id, RepoName, Sha } from './ids.ts';
import { Timestamp } from './time.ts';
import { Usage } from './usage.ts';

/** `POST /spawn`. The first four fields suffice: author, start, the attempt of the sprint's state. */
export const SpawnRequest = z.strictObject({
  sprint_id: Id,
  task_id: Id,
  agent_id: Id,
  repo: RepoName,
  worktree_base: z.string().optional(),
  action_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  role: Role.optional(),
  mode: Mode.optional(),
  attempt: z.number().int().min(1).optional(),
  issue_number: z.number().int().positive().optional(),
  instruction: z.string().nullable().optional(),
  head_sha: Sha.nullable().optional(),
});
export type SpawnRequest = z.infer<typeof SpawnRequest>;

/** The answer to a spawn; the same action_id answers the same record with `existing`. */
export const SpawnReply = z.strictObject({
  ok: z.literal(true),
  pid: z.number().int(),
  process_id: z.string(),
  worktree: z.string(),
  branch: z.string(),
  base_sha: Sha,
  existing: z.boolean(),
});
export type SpawnReply = z.infer<typeof SpawnReply>;

/** `POST /heartbeat`. */
export const Heartbeat = z.strictObject({
  agent_id: Id,
  sprint_id: Id,
  status: z.string().max(200).nullable().optional(),
  tokens_used: z.number().int().min(0).nullable().optional(),
  /** What it has used since its start, by model and kind. */
  usage: Usage.nullable().optional(),
  progress_at: Timestamp.nullable().optional(),
  /** What the progress at `progress_at` was. */
  progress_kind: ProgressKind.nullable().optional(),
  /** When the agent's processes last used the processor for more than waiting. */
  cpu_at: Timestamp.nullable().optional(),
  next_by: Timestamp.nullable().optional(),
  /** When it was sent: what the machine slept between sending and hearing says nothing of its agent. */
  sent_at: Timestamp.optional(),
  /** Its program has just ended: the answer is `stop` also where the task is over, looked up for this one beat. */
  turn_ended: z.literal(true).optional(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** What the shell wants of the agent that beats. */
export const HeartbeatReply = z.strictObject({
  ok: z.literal(true),
  command: z.enum(['nudge', 'stop', 'pause']).nullable(),
  message: z.string().nullable(),
});
export type HeartbeatReply = z.infer<typeof HeartbeatReply>;

/** `GET /status`. */
export const StatusReply = z.strictObject({
  agents: z.array(z.strictObject({ ...AgentInfo.shape, agent_id: Id, last_heartbeat: Timestamp.nullable() })),
  /** Since when the shell has taken heartbeats without a gap: before, an agent's silence says nothing. */
  listening_since: Timestamp.optional(),
});
export type StatusReply = z.infer<typeof StatusReply>;

/** `POST /stop`. */
export const StopRequest = z.strictObject({
  process_id: z.string(),
  grace_ms: z.number().int().min(0).optional(),
  /** Why, in a few words: recorded with how the process ended. */
  reason: z.string().max(300).optional(),
  /** Instead of ending it: with its next heartbeat it is told to finish what it is at and to end with its work left where it is; why, in words. */
  pause: z.string().min(1).max(2000).optional(),
});
export type StopRequest = z.infer<typeof StopRequest>;

/** How the stopped process ended and where its unfinished work was kept. */
export const StopReply = z.strictObject({
  ok: z.literal(true),
  exit: Exit.nullable(),
  wip_ref: z.string().nullable(),
  /** The last lines it printed. */
  tail: z.string().optional(),
  /** What was saved while it still ran, where it left something else. */
  wip_before_ref: z.string().nullable().optional(),
  /** Why something could not be saved. */
  wip_error: z.string().nullable().optional(),
});
export type StopReply = z.infer<typeof StopReply>;

/** `POST /nudge`: a message the agent gets with its next heartbeat. */
export const NudgeRequest = z.strictObject({
  sprint_id: Id,
  agent_id: Id,
  message: z.string().min(1).max(20_000),
});
export type NudgeRequest = z.infer<typeof NudgeRequest>;

/** The answer to a nudge, which waits now. */
export const NudgeReply = z.strictObject({ ok: z.literal(true) });
export type NudgeReply = z.infer<typeof NudgeReply>;

/** `POST /credential`: an agent asks for the forge token of its role. */
export const CredentialRequest = z.strictObject({ purpose: z.enum(['push', 'api']) });
export type CredentialRequest = z.infer<typeof CredentialRequest>;

/** A forge token for one use. */
export const CredentialReply = z.strictObject({
  ok: z.literal(true),
  username: z.string(),
  token: z.string(),
  expires_at: Timestamp,
});
export type CredentialReply = z.infer<typeof CredentialReply>;

/** `POST /cleanup`: removes a task's worktree if it is clean and merged. */
export const CleanupRequest = z.strictObject({ sprint_id: Id, task_id: Id, merge_sha: Sha.nullable() });
export type CleanupRequest = z.infer<typeof CleanupRequest>;

/** Whether the worktree was removed, and why not. */
export const CleanupReply = z.strictObject({
  ok: z.literal(true),
  removed: z.boolean(),
  reason: z.string().nullable(),
});
export type CleanupReply = z.infer<typeof CleanupReply>;

/** `GET /health`, without a token. */
export const HealthReply = z.strictObject({ ok: z.literal(true), db_id: z.string(), version: z.string() });
export type HealthReply = z.infer<typeof HealthReply>;

/** Every refusal: never with a 2xx status. */
export const ErrorReply = z.object({ ok: z.literal(false), code: z.string(), error: z.string() });
export type ErrorReply = z.infer<typeof ErrorReply>;
