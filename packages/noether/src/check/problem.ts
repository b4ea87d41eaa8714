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

/** One value's way between two nodes, with its type. */
export interface CheckEdge {
  readonly path: string;
  readonly from: string;
  readonly to: string;
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
  /** What each stage takes and gives. */
  readonly edges: readonly CheckEdge[];
}
