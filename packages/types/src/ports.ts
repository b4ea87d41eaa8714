import type { Action, ActionError, ActionResult, OutboxRow } from './action.ts';
import type { Cursors } from './cursors.ts';
import type { DagState } from './dag.ts';
import type { Event } from './event.ts';
import type { ForgeRepo, ForgeTarget } from './forge-port.ts';
import type {
  FileRead,
  FileWrite,
  Http,
  ProcessHost,
  StageCatalog,
  Stdio,
  Timer,
  TraceRead,
  Variables,
} from './host-ports.ts';
import type { Id } from './ids.ts';
import type {
  CleanupReply,
  CleanupRequest,
  HealthReply,
  NudgeReply,
  NudgeRequest,
  SpawnReply,
  SpawnRequest,
  StatusReply,
  StopReply,
  StopRequest,
} from './shell-api.ts';
import type { Timestamp } from './time.ts';

/** Where a key lies. */
export interface KvPlace {
  /** Keys of different namespaces know nothing of each other; Caloron's own are in the empty one, which is meant when none is given. */
  readonly namespace?: string;
}

/** `kv.read`: the projection of the event log. */
export interface KvRead {
  /** Undefined when the key is absent; a stored null is `{ value: null }`. Throws STORE_VALUE_INVALID for a damaged row. */
  get(key: string, options?: KvPlace): Promise<{ readonly value: unknown; readonly rev: number } | undefined>;
  /** Keys that start with `prefix`, exactly, in byte order. */
  list(prefix: string, options?: KvPlace): Promise<readonly string[]>;
}

/** `kv.write`. */
export interface KvWrite {
  /** Equal bytes write nothing and keep the rev. `expect_rev` 0 means absent; another rev throws STORE_CONFLICT. */
  put(
    key: string,
    value: unknown,
    options?: KvPlace & { readonly expect_rev?: number },
  ): Promise<{ readonly rev: number }>;
  /** False when there was nothing to delete. */
  delete(key: string, options?: KvPlace): Promise<boolean>;
}

/** One row of the event log. */
export interface LoggedEvent {
  readonly seq: number;
  readonly event: Event;
}

/** `log.read`. */
export interface LogRead {
  /** Agents' and actions' events (LOG_EVENT_TYPES) of one sprint with seq > after, oldest first; `last_seq` is the log's newest seq at that moment. */
  since(query: {
    readonly sprint_id: Id;
    readonly after: number;
  }): Promise<{ readonly events: readonly LoggedEvent[]; readonly last_seq: number }>;
  /** Of the given forge event ids, those this sprint has consumed already. */
  seen(sprint_id: Id, event_ids: readonly string[]): Promise<readonly string[]>;
}

/** A sprint as one transaction reads it. */
export interface SprintSnapshot {
  readonly state: DagState;
  /** Revision of the state's KV row. */
  readonly rev: number;
  readonly cursors: Cursors;
  readonly last_poll: Timestamp | null;
}

/** Something of the forge that does not count, and why. */
export interface Ignored {
  /** The same for the same thing: it is told once. */
  readonly id: string;
  /** In words for a person. */
  readonly reason: string;
  /** The task it would have moved, where that is known. */
  readonly task_id?: Id | undefined;
}

/** What one transaction makes true: T1, T2 and the kickoff's store step. */
export interface SprintCommit {
  readonly sprint_id: Id;
  /** Revision the state was read at; 0 for a new sprint. Another one throws STORE_CONFLICT and nothing is written. */
  readonly expect_rev: number;
  readonly state: DagState;
  readonly cursors: Cursors;
  readonly last_poll: Timestamp | null;
  /** Forge events consumed: appended to the log as history and remembered in seen_events. */
  readonly events: readonly Event[];
  /** What was seen and does not count, once per id: appended to the log as `forge.ignored`. */
  readonly ignored?: readonly Ignored[];
  /** Rows of the outbox; one whose action_id is there already is left as it is. */
  readonly actions: readonly Action[];
  /** `sprint.*` events to append, e.g. sprint.started, sprint.stuck. */
  readonly announce: readonly { readonly kind: `sprint.${string}`; readonly payload: unknown }[];
  /** Further KV rows of the same transaction. */
  readonly puts: Readonly<Record<string, unknown>>;
  readonly now: Timestamp;
}

/** `state.commit`: fenced by the run's graph lease where it has one (STORE_FENCED when it was lost). */
export interface StateCommit {
  /** Throws SPRINT_UNKNOWN for a sprint that was never kicked off. */
  load(sprint_id: Id): Promise<SprintSnapshot>;
  exists(sprint_id: Id): Promise<boolean>;
  /** Writes nothing and answers `changed: false` when nothing would change. */
  commit(change: SprintCommit): Promise<{ readonly changed: boolean; readonly rev: number }>;
}

/** `outbox`: intended effects. Every step checks the run's fence and appends its event in the same transaction. */
export interface Outbox {
  /** Rows that may run at `now`, oldest first: pending; failed with next_at <= now; running ones whose lease is lost (`interrupted`). */
  due(query: {
    readonly sprint_id: Id;
    readonly now: Timestamp;
    readonly limit: number;
  }): Promise<readonly (OutboxRow & { readonly interrupted: boolean })[]>;
  /** Compare-and-set to running before acting; false when another run has it. Counts the attempt. */
  start(action_id: string): Promise<boolean>;
  /** Records the effect and appends `action_succeeded`. */
  succeed(action_id: string, result: ActionResult): Promise<void>;
  /** Records the failure: due again at `next_at`, or dead when null (then `final`). Appends `action_failed`. */
  fail(action_id: string, error: ActionError, next_at: Timestamp | null): Promise<void>;
  /** Puts a started action back for which there is no room now: due again at `next_at`, its attempt not counted. Appends `action_failed` when the code is another than before, and with `again` in any case. */
  postpone(action_id: string, error: ActionError, next_at: Timestamp, again?: boolean): Promise<void>;
  /** When the sprint's next failed row falls due; null without one. */
  nextDue(sprint_id: Id): Promise<Timestamp | null>;
}

/** `forge`: repositories on a forge. */
export interface Forges {
  /** Throws FORGE_TOKEN_NOT_ALLOWED, FORGE_TOKEN_MISSING, FORGE_TOKEN_MALFORMED or FORGE_HOST_INVALID; makes no request. */
  open(target: ForgeTarget): ForgeRepo;
}

/** `shell`: the process that starts agents. Every method throws a CodedError with `retryable`. */
export interface Shell {
  spawn(request: SpawnRequest): Promise<SpawnReply>;
  stop(request: StopRequest): Promise<StopReply>;
  status(): Promise<StatusReply>;
  /** Leaves a message for an agent's next heartbeat; a newer one replaces it, and a restart of the shell loses it. */
  nudge(request: NudgeRequest): Promise<NudgeReply>;
  cleanup(request: CleanupRequest): Promise<CleanupReply>;
  health(): Promise<HealthReply>;
}

/** `shell` capability: opens the shell at an address; null means the configured one. Refuses one with another database (SHELL_OTHER_DATABASE). */
export interface Shells {
  open(shell_url: string | null): Shell;
}

/** `llm`: one completion. */
export interface Llm {
  /** False when no provider is configured: nothing is sent then. */
  readonly available: boolean;
  complete(request: {
    /** Empty where there is nothing to say beside the prompt. */
    readonly system: string;
    readonly prompt: string;
    readonly max_tokens: number;
    /** The provider's name of a model; absent: the configured one. */
    readonly model?: string | undefined;
    /** 0 to 1, or to 2 where the provider goes further; absent: the provider's own. */
    readonly temperature?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<{ readonly text: string; readonly model: string; readonly tokens_used: number }>;
}

/** `clock`. */
export interface Clock {
  now(): Timestamp;
}

/** `random`. */
export interface Random {
  /** A fresh lower-case UUID. */
  uuid(): string;
  /** In [0, 1). */
  fraction(): number;
}

/** `reports`: Markdown files a person reads. */
export interface Reports {
  /** Writes `reports/{sprint_id}.md` atomically; gives its path as a person can open it. */
  write(sprint_id: Id, markdown: string): Promise<{ readonly path: string }>;
}

/** The capabilities a stage can ask for and what its context then holds. */
export interface CaloronCapabilities {
  'kv.read': { readonly kv: KvRead };
  'kv.write': { readonly kv: KvWrite };
  'log.read': { readonly log: LogRead };
  'state.commit': { readonly state: StateCommit };
  outbox: { readonly outbox: Outbox };
  forge: { readonly forge: Forges };
  shell: { readonly shell: Shells };
  llm: { readonly llm: Llm };
  clock: { readonly clock: Clock };
  random: { readonly random: Random };
  reports: { readonly reports: Reports };
  http: { readonly http: Http };
  'fs.read': { readonly fs: FileRead };
  'fs.write': { readonly fs: FileWrite };
  environment: { readonly environment: Variables };
  process: { readonly process: ProcessHost };
  timer: { readonly timer: Timer };
  stdio: { readonly stdio: Stdio };
  catalog: { readonly catalog: StageCatalog };
  'trace.read': { readonly trace: TraceRead };
}
/** The name of a capability. */
export type CapabilityName = keyof CaloronCapabilities;
