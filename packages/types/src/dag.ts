import { z } from 'zod';

import { Id, RepoName, Sha, TokenEnv } from './ids.ts';
import { SprintPolicy } from './policy.ts';
import { RunSpending, SprintBudget, TaskBudget } from './spending.ts';
import { Timestamp } from './time.ts';

/** Where a task stands. Terminal: Done, Cancelled. */
export const Status = z.enum([
  'Pending',
  'Ready',
  'InProgress',
  'InReview',
  'Done',
  'Blocked',
  'Cancelled',
  'HumanAssigned',
]);
export type Status = z.infer<typeof Status>;

/** The combined state of a commit's checks; `none` when the host has no check for it. */
export const Checks = z.enum(['unknown', 'none', 'pending', 'green', 'red']);
export type Checks = z.infer<typeof Checks>;

/** What an agent is started as. */
export const Role = z.enum(['author', 'reviewer']);
export type Role = z.infer<typeof Role>;

/** Why an agent is started; `verify` only runs the sprint's verify commands on a head. */
export const Mode = z.enum(['start', 'resume', 'review', 'rebase', 'verify']);
export type Mode = z.infer<typeof Mode>;

/** How pull requests are merged. */
export const MergeMethod = z.enum(['merge', 'squash', 'rebase']);
export type MergeMethod = z.infer<typeof MergeMethod>;

/** The settings a sprint was kicked off with; frozen for its whole life. */
export const Sprint = z.strictObject({
  sprint_id: Id,
  goal: z.string(),
  /** Which brief it was made of, as the hash of its text; absent in sprints begun before this was kept. */
  brief_id: z.string().optional(),
  repo: RepoName,
  /** API address of the forge; null is github.com. */
  host: z.string().nullable(),
  base_branch: z.string().min(1),
  token_env: TokenEnv,
  reviewer_token_env: TokenEnv.nullable(),
  agent_logins: z.array(z.string()),
  reviewer_logins: z.array(z.string()),
  human_logins: z.array(z.string()),
  required_approvals: z.number().int().min(0),
  max_review_cycles: z.number().int().min(1),
  max_attempts: z.number().int().min(1),
  stall_threshold_m: z.number().positive(),
  cooldown_m: z.number().min(0),
  merge_method: MergeMethod,
  /** Commands that must exit 0 on a head before it is approved, each an argv. */
  verify: z.array(z.array(z.string())),
  framework: z.string().min(1),
  framework_options: z.record(z.string(), z.string()),
  agent_timeout_ms: z.number().int().positive(),
  /** House rules every agent is given. */
  conventions: z.string(),
  ...SprintPolicy,
});
export type Sprint = z.infer<typeof Sprint>;

/** The latest verdict of one reviewer. */
export const Review = z.strictObject({
  login: z.string(),
  state: z.enum(['approved', 'changes_requested', 'dismissed']),
  review_id: z.string().min(1),
  head_sha: Sha,
  at: Timestamp,
  body: z.string(),
});
export type Review = z.infer<typeof Review>;

/** How far the base branch has moved on without a head. */
export const Drift = z.strictObject({
  /** The head that was looked at. */
  head_sha: Sha,
  /** Commits of the base branch that the head lacks. */
  behind: z.number().int().min(0),
  /** The base branch's commit then; null when the forge did not say. */
  base_head: Sha.nullable(),
});
export type Drift = z.infer<typeof Drift>;

/** One node of the DAG. */
export const Task = z.strictObject({
  id: Id,
  title: z.string(),
  description: z.string(),
  depends_on: z.array(Id),
  agent_id: Id,
  reviewer_id: Id.nullable(),
  status: Status,
  status_reason: z.string().nullable(),
  status_at: Timestamp,
  issue_number: z.number().int().positive().nullable(),
  pr_number: z.number().int().positive().nullable(),
  branch: z.string(),
  base_sha: Sha.nullable(),
  head_sha: Sha.nullable(),
  started_at: Timestamp.nullable(),
  completed_at: Timestamp.nullable(),
  /** The n-th author spawn, resumes included. */
  attempt: z.number().int().min(0),
  /** Author attempts that ended without work to review; bounded by max_attempts. */
  failed_attempts: z.number().int().min(0),
  /** Reviewer runs on the current head that ended without a verdict; bounded by max_attempts. */
  review_attempts: z.number().int().min(0),
  /** The author process that has the task now: only its exit counts. */
  process_id: z.string().min(1).nullable(),
  review_cycles: z.number().int().min(0),
  rebases: z.number().int().min(0),
  intervention_count: z.number().int().min(0),
  last_progress_at: Timestamp.nullable(),
  last_intervention_at: Timestamp.nullable(),
  escalation_issue: z.number().int().positive().nullable(),
  /** Latest per `agent:{reviewer_id}` (verdicts from reports) or per login (people). */
  reviews: z.record(z.string(), Review),
  checks: Checks,
  /** How often a person has answered for it: makes an action that ended for good before the answer a new one after it. */
  episode: z.number().int().min(0).optional(),
  /** Interventions since the agent's last progress: where its ladder stands. */
  rung: z.number().int().min(0).optional(),
  /** Pull requests of it that were closed without merge. */
  reworks: z.number().int().min(0).optional(),
  /** The latest reviewer process; `over` once it reported, exited or its head was superseded. */
  reviewer_run: z
    .strictObject({
      process_id: z.string().min(1),
      over: z.boolean(),
      /** `verify` for a run that gives no verdict; absent is a review. */
      mode: Mode.optional(),
    })
    .nullable()
    .optional(),
  /** The latest proof of the verify commands: of which commit, and whether every one of them passed on it. It counts for that commit alone. */
  receipt: z
    .strictObject({ commit: Sha, ok: z.boolean(), at: Timestamp, process_id: z.string().min(1) })
    .nullable()
    .optional(),
  /** Verify runs that ended with a result: tells them apart on one head. */
  verifications: z.number().int().min(0).optional(),
  /** How far the base branch was ahead of the head when that was looked at last. */
  drift: z
    .strictObject({ ...Drift.shape, at: Timestamp })
    .nullable()
    .optional(),
  /** Runs that were stopped from outside since work last came of one. */
  stops: z.number().int().min(0).optional(),
  /** What the run was like that supervision stopped last; its successor is told. */
  last_stop: z
    .strictObject({
      /** The number of the run that was stopped. */
      attempt: z.number().int().min(0),
      agent_id: Id,
      reason: z.string(),
      /** Where its unfinished work is kept; null when there was none. */
      wip_ref: z.string().nullable(),
      /** The last lines it printed. */
      tail: z.string(),
    })
    .nullable()
    .optional(),
  /** Work that processes reported which had lost the task: a person can have it taken. The newest last. */
  offers: z
    .array(
      z.strictObject({
        process_id: z.string().min(1),
        agent_id: Id,
        head_sha: Sha,
        pr_number: z.number().int().positive(),
        at: Timestamp,
      }),
    )
    .optional(),
  /** No agent is started on it before this instant. */
  retry_at: Timestamp.nullable().optional(),
  /** Runs that ended at a provider's limit since work last came of one. */
  parked: z.number().int().min(0).optional(),
  /** The limit its last run ended at; `until` is null when only a person can lift it. */
  provider_limit: z
    .strictObject({ provider: z.string().min(1), until: Timestamp.nullable() })
    .nullable()
    .optional(),
  /** Starts of its reviewers, merges and requests for reviews that have ended, as `type cause`: what is due again where they stood is another action. */
  spent: z.array(z.string()).optional(),
  /** The start that was put back for want of room, or the merge that waits for its pull request or repository, and why. */
  put_back: z
    .strictObject({
      action_id: z.string(),
      reason: z.string(),
      /** Since when a merge waits. */
      since: Timestamp.optional(),
    })
    .nullable()
    .optional(),
  /** What its runs have used, and what is kept for those to come. */
  runs: z.array(RunSpending).optional(),
  budget: TaskBudget.optional(),
});
export type Task = z.infer<typeof Task>;

/** The sprint's whole state: KV `caloron:{sprint}:state`. */
export const DagState = z.strictObject({
  v: z.literal(1),
  sprint_id: Id,
  sprint: Sprint,
  /** Task ids in their authored order; integer-like keys of `tasks` would be reordered. */
  order: z.array(Id),
  tasks: z.record(Id, Task),
  status: z.enum(['active', 'waiting_for_human', 'completed', 'cancelled']),
  budget: SprintBudget.optional(),
});
export type DagState = z.infer<typeof DagState>;

/** The branch an author's work goes to. */
export function branchOf(sprint_id: Id, task_id: Id): string {
  return `caloron/${sprint_id}/${task_id}`;
}

/** The hidden line in issue and pull request bodies that binds them to a task. */
export function markerOf(sprint_id: Id, task_id: Id): string {
  return `<!-- caloron:${sprint_id}:${task_id} -->`;
}

/** The task a body's first marker names; undefined without one. */
export function parseMarker(body: string): { sprint_id: Id; task_id: Id } | undefined {
  const found = /<!-- caloron:([a-z0-9_-]{1,64}):([a-z0-9_-]{1,64}) -->/.exec(body);
  const [, sprint_id, task_id] = found ?? [];
  return sprint_id === undefined || task_id === undefined ? undefined : { sprint_id, task_id };
}

/** What a task begins with. */
export type TaskStart = Pick<Task, 'id' | 'title' | 'description' | 'agent_id' | 'reviewer_id'> & {
  readonly depends_on: readonly Id[];
};

/** A task nobody has touched: Pending since `now`, on the branch of its sprint. */
export function newTask(
  sprint_id: Id,
  { id, title, description, depends_on, agent_id, reviewer_id }: TaskStart,
  now: Timestamp,
): Task {
  return {
    id,
    title,
    description,
    depends_on: [...depends_on],
    agent_id,
    reviewer_id,
    status: 'Pending',
    status_reason: null,
    status_at: now,
    issue_number: null,
    pr_number: null,
    branch: branchOf(sprint_id, id),
    base_sha: null,
    head_sha: null,
    started_at: null,
    completed_at: null,
    attempt: 0,
    failed_attempts: 0,
    review_attempts: 0,
    process_id: null,
    review_cycles: 0,
    rebases: 0,
    intervention_count: 0,
    last_progress_at: null,
    last_intervention_at: null,
    escalation_issue: null,
    reviews: {},
    checks: 'unknown',
  };
}
