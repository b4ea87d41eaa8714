import type { Json } from '../ports.ts';
import type { NType } from '../types/ntype.ts';

/** Nodes by name, in byte order of the name. */
export type NodeMap = ReadonlyMap<string, GraphNode>;

/** What any node may carry beside its op. */
export interface NodeLimits {
  /** Deadline of one execution of the node, ms; its stages see their signal aborted. Not part of the original. */
  readonly timeout_ms?: number;
}

/** Calls a stage; `config` is laid over its input. */
export interface StageNode extends NodeLimits {
  readonly op: 'Stage';
  /** Stage id, signature id, hex prefix or name. */
  readonly id: string;
  readonly pinning: 'signature' | 'both';
  readonly config: { readonly [key: string]: Json } | null;
}

/** Calls a stage of another process by HTTP. */
export interface RemoteStageNode extends NodeLimits {
  readonly op: 'RemoteStage';
  readonly url: string;
  readonly input: NType;
  readonly output: NType;
  /** Alias of the credential sent as bearer token; the runner knows what it stands for. Not part of the original. */
  readonly auth?: string;
}

/** Gives a value whatever its input. */
export interface ConstNode extends NodeLimits {
  readonly op: 'Const';
  readonly value: Json;
}

/** Runs stages one after another, each on the output of the one before. */
export interface SequentialNode extends NodeLimits {
  readonly op: 'Sequential';
  readonly stages: readonly GraphNode[];
}

/** Runs branches at once; each gets the input's field of its name, or the whole input where there is none. */
export interface ParallelNode extends NodeLimits {
  readonly op: 'Parallel';
  readonly branches: NodeMap;
}

/** Runs one of two nodes on the input; only `true` chooses the first. */
export interface BranchNode extends NodeLimits {
  readonly op: 'Branch';
  readonly predicate: GraphNode;
  readonly if_true: GraphNode;
  readonly if_false: GraphNode;
}

/** Hands the source's output to every target. */
export interface FanoutNode extends NodeLimits {
  readonly op: 'Fanout';
  readonly source: GraphNode;
  readonly targets: readonly GraphNode[];
}

/** Joins the sources' outputs as `source_0`, `source_1`, … for the target. */
export interface MergeNode extends NodeLimits {
  readonly op: 'Merge';
  readonly sources: readonly GraphNode[];
  readonly target: GraphNode;
}

/** Runs a node again while it fails. */
export interface RetryNode extends NodeLimits {
  readonly op: 'Retry';
  readonly stage: GraphNode;
  /** Executions in all. */
  readonly max_attempts: number;
  /** Wait before the second attempt, ms; null is none. */
  readonly delay_ms: number | null;
  /** Factor each further wait grows by; null is 1. */
  readonly backoff: number | null;
  /** Longest wait, ms; null is no limit. */
  readonly max_delay_ms: number | null;
  /** Which failures are tried again: all but refusals (absent), those that say they may pass, or those of these codes. Not part of the original. */
  readonly retry_on?: 'retryable' | readonly string[];
}

/** Binds names to outputs over the input, and runs the body on the input with them. */
export interface LetNode extends NodeLimits {
  readonly op: 'Let';
  readonly bindings: NodeMap;
  readonly body: GraphNode;
}

/** Runs a node per item of a list; the node sees the input's fields and the item under `as`. */
export interface MapNode extends NodeLimits {
  readonly op: 'Map';
  /** Dotted path to the list in the input. */
  readonly over: string;
  readonly as: string;
  readonly stage: GraphNode;
  /** Items at once; default 1. */
  readonly concurrency: number;
  /** `collect` gives `{results, errors}` and never fails. */
  readonly on_error: 'fail' | 'collect';
}

/** One field of a Project: a dotted path into the input (empty: all of it), or a literal. */
export type Projection = { readonly path: string } | { readonly value: Json };

/** Makes a record out of paths into the input and literals. */
export interface ProjectNode extends NodeLimits {
  readonly op: 'Project';
  readonly fields: ReadonlyMap<string, Projection>;
}

/** A node of a graph. */
export type GraphNode =
  | StageNode
  | RemoteStageNode
  | ConstNode
  | SequentialNode
  | ParallelNode
  | BranchNode
  | FanoutNode
  | MergeNode
  | RetryNode
  | LetNode
  | MapNode
  | ProjectNode;

/** What a graph may do; an absent list allows everything, an empty one nothing. */
export interface Policy {
  readonly effects?: readonly string[];
  readonly capabilities?: readonly string[];
  /** Hosts remote stages and literal addresses may have. */
  readonly hosts?: readonly string[];
  /** Names of variables a token may come from. */
  readonly auth?: readonly string[];
}

/** The lease a run of the graph holds; `{field}` in its name comes from the input's top-level fields. */
export interface LeaseSpec {
  readonly name: string;
  readonly ttl_ms: number;
  readonly renew_ms: number;
}

/** A composition as read. */
export interface Graph {
  readonly description: string;
  readonly version: string;
  readonly root: GraphNode;
  readonly policy: Policy | null;
  readonly lease: LeaseSpec | null;
}
