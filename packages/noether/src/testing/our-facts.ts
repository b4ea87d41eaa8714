import { checkGraph } from '../check/check.ts';
import { effectWord } from '../check/policy.ts';
import type { CheckProblem } from '../check/problem.ts';
import { CodedError } from '../errors.ts';
import type { Graph, GraphNode, StageNode } from '../graph/ast.ts';
import { canonicalText, compositionId } from '../graph/composition-id.ts';
import { GraphError } from '../graph/errors.ts';
import { nodeJson } from '../graph/print.ts';
import { walk } from '../graph/walk.ts';
import { resolveReference } from '../graph/resolve.ts';
import type { Json } from '../ports.ts';
import { publicCode } from '../run/call-stage.ts';
import { interpret } from '../run/interpret.ts';
import type { Catalog, CatalogStage } from '../stage/catalog.ts';
import { bareContext, withSteps } from './bare-runner.ts';
import { mapNodes } from './map-nodes.ts';
import { type Facts, type OperatorCase, type Received, capabilityWord, catalogFor } from './operator-case.ts';
import { graphOf, kindOfWarning, withoutPath } from './original-facts.ts';
import { countsOf, isPure } from './original-run.ts';
import { parseFacts } from './parse-words.ts';

/** Our codes by the original's kind of error. */
const KINDS: Readonly<Record<string, string>> = {
  STAGE_FAILED: 'StageFailed',
  STAGE_INPUT_INVALID: 'StageFailed',
  STAGE_OUTPUT_INVALID: 'StageFailed',
  GRAPH_STAGE_UNKNOWN: 'StageNotFound',
  GRAPH_STAGE_AMBIGUOUS: 'Ambiguous',
  GRAPH_BUDGET_EXCEEDED: 'BudgetExceeded',
  GRAPH_RETRY_EXHAUSTED: 'RetryExhausted',
};

/** Everything our engine says of a case, in the words of its `expect` where there are such words. */
export async function ourFacts(test: OperatorCase): Promise<Facts> {
  let graph: Graph;
  try {
    graph = graphOf(test);
  } catch (error) {
    if (error instanceof GraphError) return parseFacts(error);
    throw error;
  }
  const received: Received = [];
  const catalog = catalogFor(test, received, false);
  return {
    parse_ok: true,
    canonical_json: canonicalText(graph.root),
    canonical: JSON.parse(canonicalText(graph.root)) as Json,
    composition_id: compositionId(graph),
    // Nothing is rewritten before a run.
    optimized_root: nodeJson(graph.root),
    ...resolvedFacts(graph.root, catalog),
    ...checkedFacts(test, graph, catalog),
    ...policyFacts(test, graph, catalog),
    ...(test.kind === 'run' && (await runFacts(test, graph, { catalog, received }))),
  };
}

function resolvedFacts(root: GraphNode, { entries }: Catalog): Facts {
  const pins: Json[] = [];
  const hops: Json[] = [];
  const change = (node: GraphNode): GraphNode => {
    if (node.op !== 'Stage') return mapNodes(node, change);
    const { entry, deprecated } = resolveReference(entries, node.id, null, node.pinning);
    const chain = [...deprecated, entry].map(({ record }) => record.id);
    const [first = node.id] = chain;
    if (first !== node.id) pins.push([node.id, first]);
    for (const [i, id] of chain.entries()) if (i > 0) hops.push([chain[i - 1] ?? '', id]);
    return { ...node, id: entry.record.id };
  };
  try {
    return { resolved_root: nodeJson(change(root)), pin_rewrites: pins, dep_rewrites: hops };
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const kind = error.code === 'GRAPH_STAGE_UNKNOWN' ? 'NotFound' : 'Ambiguous';
    return { resolve_error: { kind, display: error.message } };
  }
}

function kindOf({ code, kind }: CheckProblem): string {
  return KINDS[code] ?? kind;
}

function checkedFacts(test: OperatorCase, graph: Graph, catalog: Catalog): Facts {
  // A run is charged call by call; what is only checked is estimated.
  const budget_cents = test.kind === 'check' ? (test.budget_cents ?? null) : null;
  const report = checkGraph(graph, catalog, { budget_cents });
  const warnings = report.warnings.map(withoutPath);
  return {
    effects: report.effects.map(effectWord),
    warnings: warnings.map(kindOfWarning),
    warning_display: warnings,
    ...(report.ok && { check: { input: report.input, output: report.output } }),
    check_errors: report.problems.map(kindOf),
    ...(!report.ok && { check_error_display: report.problems.map(({ message }) => message) }),
  };
}

function policyFacts(test: OperatorCase, graph: Graph, catalog: Catalog): Facts {
  const refused = (policy: { effects?: readonly string[]; capabilities?: readonly string[] }): string[] =>
    checkGraph(graph, catalog, { policy })
      .problems.filter(({ code }) => code === 'GRAPH_POLICY_REFUSED')
      .map(({ message }) => message);
  const effects = test.allow_effects ? refused({ effects: test.allow_effects }) : [];
  const capabilities = test.allow_capabilities
    ? refused({ capabilities: test.allow_capabilities.map(capabilityWord) })
    : [];
  return {
    effect_violations: effects.length,
    effect_violation_messages: effects,
    capability_violations: capabilities.length,
    capability_violation_messages: capabilities,
  };
}

interface Noted {
  readonly catalog: Catalog;
  readonly received: Received;
}

async function runFacts(test: OperatorCase, graph: Graph, { catalog, received }: Noted): Promise<Facts> {
  const { entries } = catalog;
  const stageOf = (node: StageNode): CatalogStage =>
    resolveReference(entries, node.id, null, node.pinning).entry;
  const bare = bareContext(test, entries, stageOf);
  const trace: Json[] = [];
  const cache = { hits: 0, misses: 0 };
  const context = withSteps(bare, ({ stage_id, path, status }) => {
    trace.push([stage_id, path, status === 'failed' ? 'Failed' : 'Ok']);
    if (status === 'cached') cache.hits += 1;
    else if (bare.memo && isPure(entries, stage_id)) cache.misses += 1;
  });
  const start = performance.now();
  const quick = [...walk(graph.root)].some(({ node }) => waits(node)) ? QUICKER : 1;
  const root = quick === 1 ? graph.root : quicker(graph.root);
  const outcome = await outcomeOf(interpret(root, 'root', test.input ?? null, context));
  return {
    ...outcome,
    calls: countsOf(received),
    received,
    trace,
    trace_status: 'output' in outcome ? 'Ok' : 'Failed',
    cache,
    spent_cents: context.budget.spent_cents,
    wall_ms: (performance.now() - start) * quick,
  };
}

/** How much quicker time passes for a case that waits between attempts: the original never does, so its cases may ask for minutes. */
const QUICKER = 10_000;

function waits(node: GraphNode): boolean {
  return node.op === 'Retry' && (node.delay_ms ?? 0) > 0;
}

function quicker(node: GraphNode): GraphNode {
  const inner = mapNodes(node, quicker);
  return inner.op === 'Retry' && waits(inner)
    ? { ...inner, delay_ms: (inner.delay_ms ?? 0) / QUICKER }
    : inner;
}

async function outcomeOf(running: Promise<Json>): Promise<Facts> {
  try {
    return { output: await running };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const code = publicCode(error);
    return { error: { kind: KINDS[code] ?? code, display: error.message } };
  }
}
