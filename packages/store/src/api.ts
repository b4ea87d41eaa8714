import type {
  LeaseGrant,
  Leases,
  OutputCache,
  RunFinished,
  RunStarted,
  StepFinished,
  TraceSink,
} from '@caloron/noether';
import type {
  AgentInfo,
  Action,
  Event,
  Exit,
  Id,
  KvRead,
  KvWrite,
  LogRead,
  Outbox,
  OutboxRow,
  ProcessRow,
  ProgressKind,
  Role,
  StateCommit,
  Timestamp,
  Usage,
} from '@caloron/types';

import type { ForgeBudgets } from './forge-budgets.ts';
import type { JobSlots } from './job-slots.ts';
import type { WorktreeLeases } from './worktree-leases.ts';

/** One row of the append-only log. */
export interface LogRow {
  readonly seq: number;
  readonly event_id: string;
  readonly at: Timestamp;
  /** An Event type, or kv.*, outbox.*, run.*, config.*, sprint.*. */
  readonly kind: string;
  readonly version: number;
  readonly run_id: string | null;
  readonly actor: string | null;
  /** The sprint the row is about; null for what belongs to none. */
  readonly sprint_id: Id | null;
  readonly target: string | null;
  readonly causation_id: string | null;
  readonly correlation_id: string | null;
  readonly lamport: number;
  readonly payload: unknown;
}

/** What a caller appends; the store adds seq, at (its clock), version 1 and lamport. An event_id that is there already appends nothing. */
export interface NewLogRow {
  readonly event_id: string;
  readonly kind: string;
  readonly sprint_id: Id | null;
  readonly actor?: string | null;
  readonly target?: string | null;
  readonly run_id?: string | null;
  readonly causation_id?: string | null;
  readonly payload: unknown;
}

/** The log. */
export interface EventLog {
  append(rows: readonly NewLogRow[]): Promise<{ readonly appended: number; readonly last_seq: number }>;
  /** Appends one domain Event of a sprint; kind and event_id are its own. */
  appendEvent(sprint_id: Id, event: Event): Promise<{ readonly appended: boolean; readonly seq: number }>;
  /** Rows with seq > after, oldest first; `kinds` are exact or end in `*`. */
  read(query: {
    readonly after: number;
    readonly kinds?: readonly string[];
    readonly sprint_id?: Id;
    readonly limit?: number;
  }): readonly LogRow[];
  /** A few microseconds: made to be asked every 200 ms. */
  lastSeq(): number;
}

/** What an agent's heartbeat says. */
export interface Beat {
  readonly status: string | null;
  readonly tokens_used: number | null;
  /** By model and kind, from the start of the process. */
  readonly usage?: Usage | null;
  readonly progress_at: Timestamp | null;
  /** What that progress was. */
  readonly progress_kind?: ProgressKind | null;
  /** When its processes last computed. */
  readonly cpu_at?: Timestamp | null;
  readonly next_by: Timestamp | null;
}

/** What became of the uncommitted work of a process that ended. */
export interface KeptOnExit {
  /** The newest ref it is under; null when nothing was uncommitted, or nothing could be saved. */
  readonly wip_ref: string | null;
  /** Why something could not be saved; null when all is. */
  readonly wip_error: string | null;
}

/** Processes, agents and their tokens: the shell's rows. Each change shows in KV (`:agents`, `:agent:{id}:pid`, `:agent:{id}:last_heartbeat`). */
export interface Processes {
  /** Writes the row as `spawning`, before the fork. Throws PROCESS_EXISTS when the action_id has a row. */
  begin(row: ProcessRow, token_hash: string): Promise<void>;
  running(
    process_id: string,
    started: { readonly pid: number; readonly start_ticks: string | null; readonly pgid: number },
  ): Promise<void>;
  /** Settles the process and appends `agent_exited` once; `state` lost when nobody can say how it ended. */
  settle(process_id: string, exit: Exit, state: 'exited' | 'lost', kept?: KeptOnExit): Promise<void>;
  /** From now on the process is to pause; the first reason stays. One that ended is not told. Throws PROCESS_UNKNOWN. */
  pause(process_id: string, reason: string): Promise<void>;
  get(process_id: string): ProcessRow | undefined;
  byAction(action_id: string): ProcessRow | undefined;
  /** The newest process of a task and role. */
  latest(sprint_id: Id, task_id: Id, role: Role): ProcessRow | undefined;
  /** Rows in state spawning or running, all sprints. */
  open(): readonly ProcessRow[];
  list(sprint_id?: Id): readonly ProcessRow[];
  /** False when this agent was never spawned in this sprint. */
  beat(
    agent: { readonly sprint_id: Id; readonly agent_id: Id; readonly process_id: string | null },
    beat: Beat,
    at: Timestamp,
  ): Promise<boolean>;
  /** When the process of this agent was last heard, or was started where it never was; undefined when another has replaced it. */
  seenAt(process: Pick<ProcessRow, 'sprint_id' | 'agent_id' | 'process_id'>): Timestamp | undefined;
  /** The process whose agent token hashes (SHA-256 hex) to this; undefined when unknown or its process is settled for more than an hour. */
  byTokenHash(token_hash: string): ProcessRow | undefined;
  /** Latest process per agent as the sprint sees it. */
  agents(sprint_id?: Id): readonly (AgentInfo & { readonly agent_id: Id })[];
}

/** A conditional answer of a forge. */
export interface CachedAnswer {
  readonly etag: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly at: Timestamp;
}

/** ETag cache: key is URL and token id. */
export interface ForgeCache {
  get(key: string): Promise<CachedAnswer | undefined>;
  put(key: string, answer: CachedAnswer): Promise<void>;
}

/** A run as it can be looked up. */
export type RunRow = RunStarted &
  Partial<Omit<RunFinished, 'run_id' | 'status'>> & { readonly status: RunFinished['status'] | 'running' };

/** Which runs to list; what is absent selects nothing. */
export interface RunQuery {
  /** At most so many; 50 unless told. */
  readonly limit?: number;
  /** A composition id or the beginning of one. */
  readonly composition_id?: string;
  readonly status?: RunRow['status'];
  /** Only runs that carry these labels with these values. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Only runs that started at this time or later. */
  readonly since?: Timestamp;
  /** The graph's path or name as the run was given it, or its file's name, `.json` or not. */
  readonly graph?: string;
}

/** A run with its node attempts. */
export interface RunTrace {
  readonly run: RunRow;
  readonly steps: readonly StepFinished[];
}

/**
 * Runs and their node attempts. Rows are written in batches, a running run's within milliseconds and all of them when it ends;
 * what this store has not written yet is written before it is read here.
 */
export interface Runs extends TraceSink {
  /** Newest first. */
  list(query?: RunQuery): readonly RunRow[];
  /** By run id, or the latest run of a composition by its id; the beginning of either will do. Throws RUN_AMBIGUOUS. */
  get(reference: string): RunTrace | undefined;
}

/** The outbox of one run: also for actions of no sprint (scheduler webhooks, `sprint_id` null), whose outcomes append no domain event. */
export interface OutboxQueue extends Outbox {
  due(query: {
    readonly sprint_id: Id | null;
    readonly now: Timestamp;
    readonly limit: number;
  }): Promise<readonly (OutboxRow & { readonly interrupted: boolean })[]>;
  nextDue(sprint_id: Id | null): Promise<Timestamp | null>;
  /** How many rows are not over. */
  countOpen(sprint_id: Id | null): Promise<number>;
  /** Adds pending rows, due now; an action_id that is there already is left as it is. */
  intend(actions: readonly Action[]): Promise<{ readonly added: number }>;
}

/** Ids of webhook deliveries. */
export interface Deliveries {
  /** True for the first caller with this id. */
  claim(delivery_id: string): Promise<boolean>;
  /** The same, and its row, where it has one, is appended in the same transaction; ids are kept for seven days. */
  accept(delivery_id: string, row: NewLogRow | null): Promise<boolean>;
}

/** What one batch of a pruning has deleted. */
export interface Pruned {
  readonly table: 'job_slots' | 'runs' | 'outbox' | 'events' | 'forge_budgets';
  /** Rows that went; those of a run's steps count as its own. */
  readonly rows: number;
}

/** What a rebuild of the kv rows found. */
export interface KvRebuild {
  /** Keys the log knows, deleted ones included. */
  readonly rows: number;
  /** Keys whose row was not what the log gives. */
  readonly differing: readonly string[];
}

/** The capabilities of one run: fenced by its lease where it holds one. */
export interface RunStore {
  readonly kv: KvRead & KvWrite;
  readonly log: LogRead;
  readonly state: StateCommit;
  readonly outbox: OutboxQueue;
}

/** Caloron's database, opened by scheduler, shell and cli and by nobody else. Reads are synchronous, writes wait for a busy database without blocking the process. */
export interface Store {
  /** Identifies this database; a tick refuses a shell with another. */
  readonly db_id: string;
  readonly path: string;
  readonly kv: KvRead & KvWrite;
  readonly events: EventLog;
  readonly leases: Leases;
  readonly processes: Processes;
  readonly worktreeLeases: WorktreeLeases;
  readonly runs: Runs;
  readonly slots: JobSlots;
  readonly deliveries: Deliveries;
  readonly forgeCache: ForgeCache;
  readonly forgeBudgets: ForgeBudgets;
  readonly cache: OutputCache;
  /** Kv, log, state and outbox as one run sees them. */
  forRun(run: { readonly run_id: string; readonly lease: LeaseGrant | null }): RunStore;
  /** Outbox rows of a sprint, oldest first. */
  outboxRows(sprint_id: Id | null): readonly (OutboxRow & { readonly interrupted: boolean })[];
  /** Ids of all sprints, newest first. */
  sprints(): readonly Id[];
  /** Replays the log and repairs kv rows that differ from it; `check_only` writes nothing. Throws STORE_VALUE_INVALID when the log itself is damaged. */
  rebuildKv(options?: { readonly check_only?: boolean }): Promise<KvRebuild>;
  /**
   * Deletes what grows with time alone and is old: one batch of at most 500 rows, a transaction of a few milliseconds, for each value
   * that is asked for. Whoever asks makes the pauses.
   */
  prune(): AsyncGenerator<Pruned>;
  close(): void;
}
