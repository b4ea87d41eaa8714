import { z } from 'zod';

import { Drift, Mode, Role } from './dag.ts';
import { Id, Sha } from './ids.ts';
import { Timestamp } from './time.ts';

/** Why an action failed. */
export const ActionError = z.strictObject({ code: z.string(), message: z.string(), retryable: z.boolean() });
export type ActionError = z.infer<typeof ActionError>;

const number = z.number().int().positive();

/** What an action brought about. */
export const ActionResult = z.strictObject({
  issue_number: number.optional(),
  comment_id: number.optional(),
  pid: number.optional(),
  process_id: z.string().optional(),
  base_sha: Sha.optional(),
  merge_sha: Sha.optional(),
  /** How far the base branch was ahead of what was merged. */
  drift: Drift.optional(),
  /** True when the effect was found done and nothing was repeated. */
  already: z.boolean().optional(),
  /** Where the unfinished work of a stopped process is kept. */
  wip_ref: z.string().optional(),
  /** Why an intervention was not carried out: what it was decided for had passed. */
  taken_back: z.string().optional(),
  /** The last lines a stopped process printed. */
  tail: z.string().optional(),
});
export type ActionResult = z.infer<typeof ActionResult>;

const base = {
  /** First 32 hex of SHA-256 over JCS of [sprint_id, type, task_id, cause]. A retry is the same row. */
  action_id: z.string().regex(/^[0-9a-f]{32}$/),
  cause: z.string().min(1),
  sprint_id: Id.nullable(),
  task_id: Id.nullable(),
  agent_id: Id.nullable(),
};

/** What is intended. The causes per type stand in docs/architecture.md. */
export const Action = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    type: z.literal('create_issue'),
    title: z.string(),
    body: z.string(),
    labels: z.array(z.string()),
  }),
  z.strictObject({
    ...base,
    type: z.literal('spawn_agent'),
    issue_number: number,
    role: Role,
    mode: Mode,
    attempt: z.number().int().min(1),
    instruction: z.string().nullable(),
    pr_number: number.nullable(),
    head_sha: Sha.nullable(),
  }),
  z.strictObject({
    ...base,
    type: z.literal('submit_pr_for_review'),
    pr_number: number,
    reviewer_id: Id,
    head_sha: Sha,
  }),
  z.strictObject({ ...base, type: z.literal('merge_pr'), pr_number: number, head_sha: Sha }),
  z.strictObject({ ...base, type: z.literal('mark_done'), issue_number: number, pr_number: number }),
  z.strictObject({
    ...base,
    type: z.literal('notify_agent'),
    issue_number: number,
    message: z.string(),
    /** Labels given to the issue with it, and taken from it; the message is left out when it is empty. */
    add_labels: z.array(z.string()).optional(),
    remove_labels: z.array(z.string()).optional(),
  }),
  z.strictObject({
    ...base,
    type: z.literal('supervisor'),
    action: z.enum(['probe', 'restart', 'reassign']),
    /** The process it was decided about: no other is stopped. */
    process_id: z.string().min(1).optional(),
    /** When it was decided: progress after it takes a restart back. */
    decided_at: Timestamp.optional(),
    /** Who gets the task, with `reassign`. */
    to: Id.optional(),
    reason: z.string(),
    message: z.string(),
  }),
  z.strictObject({
    ...base,
    type: z.literal('escalate'),
    reason_code: z.string(),
    reason: z.string(),
    message: z.string(),
    pr_number: number.nullable(),
  }),
  z.strictObject({
    ...base,
    type: z.literal('stop_agent'),
    process_id: z.string(),
    grace_ms: z.number().int().min(0),
    reason: z.string().optional(),
    /** Not to be ended: told to finish what it is at and to pause, and why. */
    pause: z.string().optional(),
  }),
  z.strictObject({ ...base, type: z.literal('cleanup'), branch: z.string(), merge_sha: Sha.nullable() }),
  z.strictObject({
    ...base,
    type: z.literal('deliver_webhook'),
    url: z.string(),
    body: z.unknown(),
    secret_env: z.string().nullable(),
    /** Attempts after the first. */
    retries: z.number().int().min(0).optional(),
    /** The run it tells of, and what the run was fired for. */
    run_id: z.string().optional(),
    slot: z.string().optional(),
  }),
  z.strictObject({ ...base, type: z.literal('close_sprint') }),
]);
export type Action = z.infer<typeof Action>;
export type ActionType = Action['type'];
/** An action of one type. */
export type ActionOf<T extends ActionType> = Extract<Action, { type: T }>;

/** One intended effect and how far it has come. */
export const OutboxRow = z.strictObject({
  action_id: z.string(),
  sprint_id: Id.nullable(),
  action: Action,
  fence: z.number().int().min(0),
  attempts: z.number().int().min(0),
  status: z.enum(['pending', 'running', 'done', 'failed', 'dead']),
  next_at: Timestamp,
  result: ActionResult.nullable(),
  error: ActionError.nullable(),
});
export type OutboxRow = z.infer<typeof OutboxRow>;
