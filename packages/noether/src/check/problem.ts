/** Why the checker refuses a graph. */
export type ProblemCode =
  /** What flows into a node does not fit what it takes. */
  | 'GRAPH_TYPE_MISMATCH'
  /** A Branch's predicate gives something else than Bool. */
  | 'GRAPH_PREDICATE_NOT_BOOL'
  /** An operator without children. */
  | 'GRAPH_EMPTY_NODE'
  /** A path of Project or Map names a field the input cannot have. */
  | 'GRAPH_FIELD_MISSING'
  /** Map's path does not lead to a list. */
  | 'GRAPH_NOT_A_LIST'
  /** A literal of a stage's config does not fit its field. */
  | 'GRAPH_CONFIG_INVALID'
  /** A Parallel branch has the name of an input field, but needs the whole input. */
  | 'GRAPH_BRANCH_AMBIGUOUS'
  /** The value given to the graph does not fit its input. */
  | 'GRAPH_INPUT_INVALID'
  | 'GRAPH_STAGE_UNKNOWN'
  | 'GRAPH_STAGE_AMBIGUOUS'
  /** A word of a policy is not known: it would allow or forbid nothing. */
  | 'GRAPH_POLICY_INVALID'
  /** A node does what a policy does not allow. */
  | 'GRAPH_POLICY_REFUSED'
  /** The lease's name needs a text the input does not have. */
  | 'GRAPH_LEASE_INVALID';

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
  readonly effects: readonly string[];
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
