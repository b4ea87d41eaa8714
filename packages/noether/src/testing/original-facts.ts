import { lint } from '../check/lint.ts';
import { Checking } from '../check/state.ts';
import type { Graph, GraphNode } from '../graph/ast.ts';
import { canonicalText, compositionId } from '../graph/composition-id.ts';
import { GraphError } from '../graph/errors.ts';
import { parseGraph } from '../graph/parse.ts';
import { walk } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import type { Catalog } from '../stage/catalog.ts';
import { OriginalChecker, originalStage } from './original-check.ts';
import { originalEffects, originalViolations } from './original-effects.ts';
import { OriginalResolveError, originalPasses } from './original-passes.ts';
import { originalRun } from './original-run.ts';
import { type Facts, type OperatorCase, type Received, catalogFor } from './operator-case.ts';
import { parseFacts } from './parse-words.ts';

/** The graph of a case; unknown references and empty nodes are no matter of parsing. */
export function graphOf(test: OperatorCase): Graph {
  const source = test.graph_text ?? { description: '', version: '', root: test.root ?? null };
  return parseGraph(source, test.id);
}

/** Everything the original says of a case, by the field of `expect`. */
export async function originalFacts(test: OperatorCase): Promise<Facts> {
  let graph: Graph;
  try {
    graph = graphOf(test);
  } catch (error) {
    if (error instanceof GraphError) return parseFacts(error);
    throw error;
  }
  const identity: Facts = {
    parse_ok: true,
    canonical_json: canonicalText(graph.root),
    canonical: JSON.parse(canonicalText(graph.root)) as Json,
    composition_id: compositionId(graph),
  };
  const received: Received = [];
  const typed = catalogFor(test, [], false);
  const untyped = catalogFor(test, received, true);
  try {
    const { checked, run, facts } = originalPasses(graph.root, typed.entries, test.pipeline ?? []);
    const allow = {
      ...(test.allow_effects && { effects: test.allow_effects }),
      ...(test.allow_capabilities && { capabilities: test.allow_capabilities }),
    };
    return {
      ...identity,
      ...facts,
      ...checkFacts(test, checked, typed),
      effects: originalEffects(checked, typed.entries),
      ...originalViolations(checked, typed.entries, allow),
      ...(test.kind === 'run' && (await originalRun(test, { root: run, stages: untyped.entries, received }))),
    };
  } catch (error) {
    if (!(error instanceof OriginalResolveError)) throw error;
    return { ...identity, resolve_error: { kind: error.kind, display: error.message } };
  }
}

function checkFacts(test: OperatorCase, root: GraphNode, catalog: Catalog): Facts {
  const verdict = new OriginalChecker(catalog.entries).verdict(root);
  if (!verdict.ok) {
    return {
      check_errors: verdict.errors.map(({ kind }) => kind),
      check_error_display: verdict.errors.flatMap(({ display }) => display ?? []),
    };
  }
  const warnings = [...lintsOf(root, catalog), ...budgetWarning(test, root, catalog)];
  return {
    check: { input: verdict.input, output: verdict.output },
    check_errors: [],
    warnings: warnings.map(kindOfWarning),
    warning_display: warnings,
  };
}

/** The engine's own lints are the original's, in its words. */
function lintsOf(root: GraphNode, catalog: Catalog): readonly string[] {
  const checking = new Checking(catalog);
  for (const { node } of walk(root)) {
    const entry = node.op === 'Stage' ? originalStage(catalog.entries, node) : undefined;
    if (entry && node.op === 'Stage') checking.stages.set(node, entry);
  }
  return lint(root, checking).map(withoutPath);
}

/** A warning without the place it begins with. */
export function withoutPath(warning: string): string {
  return warning.slice(warning.indexOf(': ') + 2);
}

function budgetWarning(test: OperatorCase, root: GraphNode, { entries }: Catalog): readonly string[] {
  if (test.budget_cents === undefined) return [];
  const cents = [...walk(root)]
    .flatMap(({ node }) => (node.op === 'Stage' ? (originalStage(entries, node)?.effects ?? []) : []))
    .reduce((sum, effect) => sum + Number(effect['cents'] ?? 0), 0);
  if (cents <= test.budget_cents) return [];
  return [`estimated composition cost (${cents}¢) exceeds budget (${test.budget_cents}¢)`];
}

/** The original's name of a warning. */
export function kindOfWarning(warning: string): string {
  if (warning.startsWith('estimated composition cost')) return 'CostBudgetExceeded';
  if (warning.includes('has no Retry wrapper')) return 'FallibleWithoutRetry';
  return warning.includes('is NonDeterministic but feeds') ? 'NonDeterministicFeedingPure' : 'Other';
}
