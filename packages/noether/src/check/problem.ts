import type { ProblemCode } from './errors.ts';

/** One thing the checker found wrong. */
export interface CheckProblem {
  /** Place in the graph, e.g. `root.body.stages[2]`; `input.…` for the value given. */
  readonly path: string;
  readonly code: ProblemCode;
  /** The original's name of the error, for edges. */
  readonly kind: string;
  readonly message: string;
  readonly expected: string | null;
  readonly actual: string | null;
  /** The existing field or stage closest to the one asked for. */
  readonly nearest: string | null;
}

/** One stage call of a graph. */
export interface CheckStep {
  readonly path: string;
  readonly stage: string;
  readonly stage_id: string;
  /** Effect kinds in set order, those of the stages it calls among them. */
  readonly effects: readonly string[];
  /** Names of the stages its config names. */
  readonly calls: readonly string[];
}

/** One value's way into a node. */
export interface CheckEdge {
  /** The node that takes it; `PATH.over` for the list of a Map, `PATH.predicate` for what decides a Branch. */
  readonly path: string;
  /** Type of what flows in. */
  readonly from: string;
  /** Type of what the node takes. */
  readonly to: string;
  /** Type of what the node gives; null where nothing comes out. */
  readonly gives: string | null;
}

/** One stage call of a plan. */
export interface PlanStep {
  readonly index: number;
  readonly path: string;
  readonly stage: string;
  readonly stage_id: string;
  /** Steps whose outputs its input is made of. */
  readonly depends_on: readonly number[];
}

/** Declared cost of a graph: sums, for memory the most; null where nothing is declared. */
export interface PlanCost {
  readonly time_ms_p50: number | null;
  readonly tokens_est: number | null;
  readonly memory_mb: number | null;
  readonly cents: number | null;
}

/** Which stages wait for which. */
export interface CheckPlan {
  readonly steps: readonly PlanStep[];
  /** First steps of branches, targets, sources and bindings that begin at once. */
  readonly groups: readonly (readonly number[])[];
  readonly cost: PlanCost;
}

/** What the checker found; a graph with problems does not run. */
export interface CheckReport {
  readonly ok: boolean;
  readonly composition_id: string;
  readonly problems: readonly CheckProblem[];
  readonly warnings: readonly string[];
  /** Type of the input, as people read it. */
  readonly input: string;
  /** Type of the output, as people read it. */
  readonly output: string;
  /** Effect kinds of all stages, in set order. */
  readonly effects: readonly string[];
  readonly capabilities: readonly string[];
  /** Stage calls in the order of the graph. */
  readonly steps: readonly CheckStep[];
  /** What flows into each node, in the order of the graph. */
  readonly edges: readonly CheckEdge[];
  readonly plan: CheckPlan;
}

/** What a problem may say beside its place and words. */
export type Facts = Partial<Pick<CheckProblem, 'kind' | 'expected' | 'actual' | 'nearest'>>;

/** A problem; what is not known of it is null, its kind is its code. */
export function problemOf(path: string, code: ProblemCode, message: string, facts: Facts = {}): CheckProblem {
  return { path, code, message, kind: code, expected: null, actual: null, nearest: null, ...facts };
}
