import { z } from 'zod';

import { Drift, Mode, Role } from './dag.ts';
import { Id, Sha } from './ids.ts';
import { EndCause } from './run-end.ts';
import { Timestamp } from './time.ts';
import { Usage } from './usage.ts';

/** How a process ended; `known` is false when it was adopted and left no exit file. */
export const Exit = z.strictObject({
  code: z.number().int().nullable(),
  signal: z.string().nullable(),
  at: Timestamp,
  known: z.boolean(),
  /** Why it ended without work; absent after work, and where nobody could say: then it counts as a crash. */
  cause: EndCause.optional(),
});
export type Exit = z.infer<typeof Exit>;

/** What a sign of progress was: output of the agent, a change in its worktree, a commit, or work of its processes that shows nowhere else. */
export const ProgressKind = z.enum(['output', 'files', 'commit', 'cpu']);
export type ProgressKind = z.infer<typeof ProgressKind>;

/** What an agent's program was confined by, and what of the network it has. */
export const Sandboxed = z.strictObject({
  by: z.literal('bubblewrap'),
  network: z.enum(['host', 'none']),
});
export type Sandboxed = z.infer<typeof Sandboxed>;

/** One agent as the sprint sees it. */
export const AgentInfo = z.strictObject({
  sprint_id: Id,
  task_id: Id,
  role: Role,
  process_id: z.string().min(1),
  pid: z.number().int().nullable(),
  alive: z.boolean(),
  status: z.enum(['spawning', 'working', 'blocked', 'finished']),
  task_started_at: Timestamp,
  last_heartbeat_at: Timestamp.nullable(),
  last_progress_at: Timestamp.nullable(),
  /** What that progress was; null or absent where nobody said. */
  progress_kind: ProgressKind.nullable().optional(),
  /** When its processes last used the processor for more than waiting. It is no progress by itself: how long it counts is decided where health is. */
  last_cpu_at: Timestamp.nullable().optional(),
  /** When the agent itself says it will show progress next. */
  next_by: Timestamp.nullable(),
  tokens_used: z.number().int().min(0),
  /** By model and kind, as far as its harness told. */
  usage: Usage.optional(),
  exit: Exit.nullable(),
  /** The sandbox of its program; null: it runs without one. Absent where nobody wrote it down. */
  sandboxed: Sandboxed.nullable().optional(),
});
export type AgentInfo = z.infer<typeof AgentInfo>;

/** The agents of one sprint: KV `caloron:{sprint}:agents`. */
export const AgentsMap = z.record(Id, AgentInfo);
export type AgentsMap = z.infer<typeof AgentsMap>;

/** One agent's health at an instant. */
export const Health = z.strictObject({
  agent_id: Id,
  task_id: Id,
  minutes_since: z.number(),
  status: z.enum(['healthy', 'missing', 'stalled', 'unknown', 'dead']),
  /** What the evidence of this instant says; nothing is kept of it, so that new evidence takes it back. Only a lost agent's work is given on. */
  liveness: z.enum(['live', 'quiet', 'suspect', 'lost']).optional(),
  /** The latest sign of progress of its process, work of its processes included while that counts; null when it showed none. */
  last_progress_at: Timestamp.nullable().optional(),
  /** What that sign was. */
  progress_kind: ProgressKind.nullable().optional(),
  /** Its last heartbeat, where its harness has not been heard of for longer than a few beats. */
  silent_since: Timestamp.optional(),
});
export type Health = z.infer<typeof Health>;

/** One process the shell started, written before the fork. */
export const ProcessRow = z.strictObject({
  process_id: z.string().min(1),
  action_id: z.string(),
  agent_id: Id,
  sprint_id: Id,
  task_id: Id,
  role: Role,
  mode: Mode,
  attempt: z.number().int().min(1),
  pid: z.number().int().nullable(),
  /** Field 22 of /proc/{pid}/stat: with the boot id it tells a reused pid apart. */
  start_ticks: z.string().nullable(),
  boot_id: z.string(),
  pid_ns: z.string(),
  pgid: z.number().int().nullable(),
  worktree: z.string(),
  branch: z.string(),
  base_sha: Sha,
  log_file: z.string(),
  state: z.enum(['spawning', 'running', 'exited', 'lost']),
  exit: Exit.nullable(),
  /** Why it is to pause, from when it was told; absent: it is not. */
  pause: z.string().optional(),
  /** The sandbox it was started with; null: none. Absent in rows of an earlier version. */
  sandboxed: Sandboxed.nullable().optional(),
});
export type ProcessRow = z.infer<typeof ProcessRow>;

/** What an agent says of the task it worked on. */
export const Feedback = z.strictObject({
  task_id: Id,
  agent_role: z.string(),
  /** 1 to 10; 0 is unknown. */
  task_clarity: z.number().min(0).max(10),
  blockers: z.array(z.string()),
  tools_used: z.array(z.string()),
  tokens_consumed: z.number().min(0),
  time_to_complete_min: z.number().min(0),
  notes: z.string(),
  self_assessment: z.enum(['completed', 'partial', 'blocked', 'failed', 'crashed']),
});
export type Feedback = z.infer<typeof Feedback>;

/** Proof that a verify command ran on a commit. */
export const Receipt = z.strictObject({
  commit: Sha,
  command: z.array(z.string()),
  exit_code: z.number().int(),
  duration_ms: z.number().min(0),
  log_sha256: z.string(),
  /** The last lines of its output. */
  tail: z.string(),
  /** The tree of the commit: what was checked out, file by file. */
  tree_sha: Sha.optional(),
  /** When the command ended. */
  at: Timestamp.optional(),
  /** Why it proves nothing whatever its exit code: what was checked out was not the commit any more. */
  void: z.string().optional(),
  /** Files the command left that are neither in the commit nor ignored; the first few. */
  left: z.array(z.string()).optional(),
});
export type Receipt = z.infer<typeof Receipt>;

/** What an agent's harness says when it is through; one per process_id. */
export const Report = z.strictObject({
  sprint_id: Id,
  task_id: Id,
  agent_id: Id,
  process_id: z.string().min(1),
  role: Role,
  attempt: z.number().int().min(1),
  outcome: z.enum([
    'completed',
    'no_changes',
    'failed',
    'timeout',
    'blocked',
    'approved',
    'changes_requested',
  ]),
  head_sha: Sha.nullable(),
  pr_number: z.number().int().positive().nullable(),
  exit: Exit,
  tokens_used: z.number().int().min(0),
  /** By model and kind; its sum is `tokens_used`. */
  usage: Usage.optional(),
  duration_ms: z.number().min(0),
  body: z.string(),
  receipt: Receipt.nullable(),
  feedback: Feedback.nullable(),
  synthetic: z.boolean(),
  /** Why it was started. */
  mode: Mode.optional(),
  /** A receipt per verify command that ran, in their order. */
  receipts: z.array(Receipt).optional(),
  /** The base its head was seen to contain. */
  base_sha: Sha.optional(),
  /** The base its head should contain and does not: the branch has to be rebased. */
  base_lost: Sha.optional(),
  drift: Drift.optional(),
});
export type Report = z.infer<typeof Report>;
