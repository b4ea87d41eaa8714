import { checkGraph } from '../check/check.ts';
import type { Graph } from '../graph/ast.ts';
import { GraphError } from '../graph/errors.ts';
import { parseGraph } from '../graph/parse.ts';
import { printGraph } from '../graph/print.ts';
import { compositionId } from '../graph/composition-id.ts';
import type { Json } from '../ports.ts';
import { runGraph } from '../run/run.ts';
import type { Catalog } from '../stage/catalog.ts';

/** How far a graph and its input came, and what was said where it ended. */
export interface Fuzzed {
  readonly ended: 'parse' | 'check' | 'run' | 'output';
  readonly code: string | null;
  readonly message: string;
  readonly output?: Json;
}

/**
 * Takes whatever it is given through parse, check and run. Anything but a coded error with a place, or a result, throws.
 */
export async function fuzzed(
  source: unknown,
  input: unknown,
  catalog: Catalog,
  timeout_ms = 5000,
): Promise<Fuzzed> {
  let graph: Graph;
  try {
    graph = parseGraph(source, 'fuzz');
  } catch (error) {
    if (!(error instanceof GraphError) || error.code !== 'GRAPH_INVALID') throw error;
    const { issues } = (error as GraphError<'GRAPH_INVALID'>).details;
    if (issues.length === 0) throw new Error('a refusal without an issue', { cause: error });
    return { ended: 'parse', code: error.code, message: error.message };
  }
  compositionId(graph);
  parseGraph(printGraph(graph), 'printed');
  const report = checkGraph(graph, catalog, { input: input as Json });
  for (const problem of report.problems) requirePlace(problem);
  const result = await runGraph({
    graph,
    graph_name: 'fuzz',
    input: input as Json,
    catalog,
    capabilities: () => ({}),
    clock: { now: () => '2026-01-01T00:00:00.000Z' },
    uuid: () => 'run',
    timeout_ms,
    fetch: () => Promise.reject(new TypeError('no network here')),
  });
  if (result.ok) return { ended: 'output', code: null, message: '', output: result.output };
  // Without a lease to give, and without an input to check, the run finds more than the check.
  const more = result.error.code === 'GRAPH_LEASE_INVALID' || input === undefined;
  if (!more && report.ok === (result.status === 'refused'))
    throw new Error(`check and run disagree: ${JSON.stringify([report.problems, result.error])}`);
  if (!/^(?:GRAPH|STAGE|REMOTE|VALUE)_[A-Z_]+$/u.test(result.error.code))
    throw new Error(`no code: ${JSON.stringify(result.error)}`);
  const { code, message } = result.error;
  return { ended: result.status === 'refused' ? 'check' : 'run', code, message };
}

function requirePlace(problem: {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}): void {
  if (!/^(?:root|input|policy|lease)/u.test(problem.path) || problem.message === '')
    throw new Error(`a problem without a place: ${JSON.stringify(problem)}`);
}
