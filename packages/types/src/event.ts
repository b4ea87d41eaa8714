import { z } from 'zod';

import { Action, ActionError, ActionResult } from './action.ts';
import { Exit, Report } from './agent.ts';
import { Checks, Role } from './dag.ts';
import { Id, Sha } from './ids.ts';
import { Amounts } from './spending.ts';
import { Timestamp } from './time.ts';
import { Usage } from './usage.ts';

const base = {
  /** Kind, node id and state: the same happening has the same id in every poll. */
  event_id: z.string().min(1).max(200),
  created_at: Timestamp,
  actor: z.string().nullable(),
  /** True when the actor is one the sprint lets act; decided where the event is read. */
  trusted: z.boolean(),
};
const number = z.number().int().positive();

/** The task a hidden marker names. */
export const Marker = z.strictObject({ sprint_id: Id, task_id: Id });
export type Marker = z.infer<typeof Marker>;

const pr = {
  pr_number: number,
  head_sha: Sha,
  head_ref: z.string(),
  base_ref: z.string(),
  draft: z.boolean(),
  fork: z.boolean(),
  linked_issue: number.nullable(),
  marker: Marker.nullable(),
};

/** The words a person steers a task with. */
export const HumanWord = z.enum([
  'resolved',
  'assign-human',
  'break-down',
  'caloron:take-over',
  'approve',
  'adopt',
  'cancel',
]);
export type HumanWord = z.infer<typeof HumanWord>;

/** What happened. Rows of the event log carry `type` as their kind. */
export const Event = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    type: z.literal('issue_opened'),
    issue_number: number,
    labels: z.array(z.string()),
    marker: Marker.nullable(),
  }),
  z.strictObject({ ...base, type: z.literal('issue_closed'), issue_number: number }),
  z.strictObject({ ...base, type: z.literal('issue_reopened'), issue_number: number }),
  z.strictObject({ ...base, type: z.literal('label_added'), issue_number: number, label: z.string() }),
  z.strictObject({ ...base, type: z.literal('label_removed'), issue_number: number, label: z.string() }),
  z.strictObject({
    ...base,
    type: z.literal('issue_comment'),
    issue_number: number,
    comment_id: number,
    body: z.string(),
  }),
  z.strictObject({ ...base, type: z.literal('pr_opened'), ...pr }),
  z.strictObject({ ...base, type: z.literal('pr_updated'), ...pr }),
  z.strictObject({ ...base, type: z.literal('pr_closed'), ...pr }),
  z.strictObject({ ...base, type: z.literal('pr_reopened'), ...pr }),
  z.strictObject({ ...base, type: z.literal('pr_merged'), pr_number: number, merge_sha: Sha }),
  z.strictObject({
    ...base,
    type: z.literal('pr_review_submitted'),
    pr_number: number,
    review_id: z.string().min(1),
    head_sha: Sha,
    body: z.string(),
    review_state: z.enum(['approved', 'changes_requested', 'commented', 'dismissed']),
  }),
  z.strictObject({
    ...base,
    type: z.literal('checks_changed'),
    pr_number: number,
    head_sha: Sha,
    checks: Checks,
  }),
  z.strictObject({ ...base, type: z.literal('agent_reported'), report: Report }),
  z.strictObject({
    ...base,
    type: z.literal('agent_exited'),
    process_id: z.string().min(1),
    task_id: Id,
    role: Role,
    exit: Exit,
    /** What its heartbeats told that it used. */
    usage: Usage.optional(),
    /** Milliseconds from its start to its end. */
    duration_ms: z.number().min(0).optional(),
    /** Where its uncommitted work is; null when nothing was uncommitted. */
    wip_ref: z.string().nullable().optional(),
    /** Why something of it could not be saved; null when all is. */
    wip_error: z.string().nullable().optional(),
  }),
  z.strictObject({ ...base, type: z.literal('action_succeeded'), action: Action, result: ActionResult }),
  z.strictObject({
    ...base,
    type: z.literal('action_failed'),
    action: Action,
    error: ActionError,
    final: z.boolean(),
  }),
  z.strictObject({
    ...base,
    type: z.literal('human_command'),
    task_id: Id,
    word: HumanWord,
    /** Whose work `adopt` takes; absent takes the newest that is offered. */
    process_id: z.string().min(1).optional(),
    /** What `approve` answers; absent answers whatever is asked of the task. */
    approval: z
      .strictObject({
        scope: z.enum(['task', 'sprint']),
        /** The breach by its number: an answer to one counts for no other. */
        n: z.number().int().min(1),
        /** What may be used from now on, beside the first limit again where it is absent. */
        more: Amounts,
      })
      .optional(),
  }),
]);
export type Event = z.infer<typeof Event>;
export type EventType = Event['type'];

/** The events a sprint reads from the log; all others come from the forge. */
export const LOG_EVENT_TYPES = [
  'agent_reported',
  'agent_exited',
  'action_succeeded',
  'action_failed',
  'human_command',
] as const satisfies readonly EventType[];
