import { CodedError, type CodedErrorOptions, type Messages } from '../errors.ts';

/** One thing wrong with a graph. */
export interface GraphIssue {
  /** Place in the graph, e.g. `root.body.stages[2]`; empty for the file itself. */
  readonly path: string;
  readonly message: string;
}

/** Why a graph cannot be read, resolved or run. */
export interface GraphErrorDetails {
  /** The text is no JSON, or the JSON no graph. Every issue is listed. */
  GRAPH_INVALID: { readonly where: string; readonly issues: readonly GraphIssue[] };
  /** A stage node names a stage nobody provides. */
  GRAPH_STAGE_UNKNOWN: {
    readonly path: string | null;
    readonly reference: string;
    readonly nearest: readonly string[];
  };
  /** A reference fits several stages. */
  GRAPH_STAGE_AMBIGUOUS: {
    readonly path: string | null;
    readonly reference: string;
    readonly matches: readonly string[];
  };
  /** The graph does not pass the checker; problems are in the result. */
  GRAPH_REFUSED: { readonly count: number; readonly first: string };
  /** The value given to the graph does not have the type the graph needs. */
  GRAPH_INPUT_INVALID: { readonly path: string; readonly expected: string; readonly actual: string };
  /** The graph asks for a lease and the runner has none to give, or its name cannot be filled. */
  GRAPH_LEASE_INVALID: { readonly name: string; readonly reason: string };
  /** Another run took the lease while this one was running. */
  GRAPH_LEASE_LOST: { readonly name: string };
  /** The run was interrupted or reached its deadline. */
  GRAPH_RUN_ABORTED: { readonly reason: string };
  /** A node did not end within its own deadline. */
  GRAPH_NODE_TIMEOUT: { readonly path: string; readonly timeout_ms: number };
  /** A stage called another that its node's config does not name. */
  GRAPH_REFERENCE_UNKNOWN: {
    readonly path: string;
    readonly reference: string;
    readonly known: readonly string[];
  };
  /** A Retry that allows no attempt. */
  GRAPH_RETRY_EXHAUSTED: { readonly path: string; readonly attempts: number };
  /** A stage's declared cost does not fit what is left of the run's budget. */
  GRAPH_BUDGET_EXCEEDED: {
    readonly path: string;
    readonly spent_cents: number;
    readonly budget_cents: number;
  };
  /** A value on the way through the graph has a shape the node cannot use. */
  GRAPH_VALUE_INVALID: { readonly path: string; readonly expected: string; readonly actual: string };
}

/** Issues a message names; the details have them all. */
const MAX_SHOWN = 20;

function shown(issues: readonly GraphIssue[]): string {
  const named = issues.slice(0, MAX_SHOWN);
  const more = issues.length > MAX_SHOWN ? `; and ${issues.length - MAX_SHOWN} more` : '';
  return named.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ') + more;
}

const message: Messages<GraphErrorDetails> = {
  GRAPH_INVALID: ({ where, issues }) => `${where} is not a graph: ${shown(issues)}`,
  GRAPH_STAGE_UNKNOWN: ({ path, reference, nearest }) =>
    `${path === null ? '' : `${path}: `}no stage is called \`${reference}\`${nearest.length === 0 ? '' : `; did you mean ${nearest.join(', ')}?`}`,
  GRAPH_STAGE_AMBIGUOUS: ({ path, reference, matches }) =>
    `${path === null ? '' : `${path}: `}\`${reference}\` fits ${matches.length} stages (${matches.slice(0, 3).join(', ')}); use a longer prefix or the full id`,
  GRAPH_REFUSED: ({ count, first }) =>
    `the graph has ${count} ${count === 1 ? 'problem' : 'problems'}: ${first}`,
  GRAPH_INPUT_INVALID: ({ path, expected, actual }) =>
    `the input ${path === '' ? '' : `at \`${path}\` `}is ${actual} where the graph needs ${expected}`,
  GRAPH_LEASE_INVALID: ({ name, reason }) => `the lease \`${name}\` cannot be asked for: ${reason}`,
  GRAPH_LEASE_LOST: ({ name }) => `the lease \`${name}\` went to another run; this run stopped`,
  GRAPH_RUN_ABORTED: ({ reason }) => `the run was stopped: ${reason}`,
  GRAPH_NODE_TIMEOUT: ({ path, timeout_ms }) => `${path}: not done within its deadline of ${timeout_ms} ms`,
  GRAPH_REFERENCE_UNKNOWN: ({ path, reference, known }) =>
    `${path}: \`${reference}\` is not named in the node's config, which names ${known.join(', ') || 'no stage'}`,
  GRAPH_RETRY_EXHAUSTED: ({ path, attempts }) => `${path}: retry exhausted after ${attempts} attempts`,
  GRAPH_BUDGET_EXCEEDED: ({ path, spent_cents, budget_cents }) =>
    `${path}: cost budget exceeded: spent ${spent_cents}¢ of ${budget_cents}¢ limit`,
  GRAPH_VALUE_INVALID: ({ path, expected, actual }) => `${path}: expected ${expected}, got ${actual}`,
};

/** A graph cannot be read, resolved or run. */
export class GraphError<C extends keyof GraphErrorDetails = keyof GraphErrorDetails> extends CodedError<
  GraphErrorDetails,
  C
> {
  override readonly name = 'GraphError';

  constructor(code: C, details: GraphErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
