import type { Graph, Policy } from '../graph/ast.ts';
import { compositionId } from '../graph/composition-id.ts';
import { walk } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import type { Catalog, CatalogStage } from '../stage/catalog.ts';
import { EFFECT_KINDS } from '../stage/identity.ts';
import type { StageNode } from '../graph/ast.ts';
import { type NType, TEXT } from '../types/ntype.ts';
import { valueMismatch } from '../types/value.ts';
import { infer } from './infer.ts';
import { lint } from './lint.ts';
import { nodeCapabilities, nodeEffects } from './node-facts.ts';
import { REMOTE_EFFECTS, checkPolicy } from './policy.ts';
import type { CheckReport, CheckStep } from './problem.ts';
import { Checking } from './state.ts';

/** What a check goes by beyond the graph. */
export interface CheckOptions {
  /** The value the graph is to be run on. */
  readonly input?: Json;
  /** A policy besides the graph's own; both bind. */
  readonly policy?: Policy | null;
}

/** A report with what the runner needs of it. */
export interface Checked {
  readonly report: CheckReport;
  /** The stage each node means. */
  readonly stages: ReadonlyMap<StageNode, CatalogStage>;
  /** The stages a node's config names, by the text it names them with; for nodes whose stage calls others. */
  readonly callees: ReadonlyMap<StageNode, ReadonlyMap<string, CatalogStage>>;
  /** Warnings that concern every run: deprecated stages and unused config. */
  readonly notices: readonly string[];
}

/** Checks a graph: resolution, types of every edge, literals, effects, capabilities and policies. Every problem is listed. */
export function checkGraph(graph: Graph, catalog: Catalog, options: CheckOptions = {}): CheckReport {
  return check(graph, catalog, options).report;
}

/** {@link checkGraph}, and the stages it resolved. */
export function check(graph: Graph, catalog: Catalog, options: CheckOptions = {}): Checked {
  const checking = new Checking(catalog);
  const input = checking.solver.fresh();
  const output = infer(graph.root, 'root', input, { kind: 'input', index: 0 }, checking);
  needLeaseFields(graph, input, checking);
  checking.reportAmbiguousBranches();
  for (const policy of [graph.policy, options.policy ?? null]) {
    if (policy) checkPolicy(graph.root, policy, options.input, checking);
  }
  if (options.input !== undefined) checkInput(options.input, input, checking);
  const steps = stepsOf(graph, checking);
  const report: CheckReport = {
    ok: checking.problems.length === 0,
    composition_id: compositionId(graph),
    problems: checking.problems,
    warnings: [...checking.warnings, ...lint(graph.root, checking)],
    input: checking.showAll(input),
    output: checking.showAll(output),
    effects: effectsOf(graph, checking),
    capabilities: [
      ...new Set([...checking.stages.keys()].flatMap((node) => nodeCapabilities(node, checking))),
    ].sort(),
    steps,
    edges: checking.edges(),
  };
  const { stages, callees, warnings } = checking;
  return { report, stages, callees, notices: warnings };
}

/** Fields of the input a lease's name is filled from. */
export function leaseFields(name: string): readonly string[] {
  return [...name.matchAll(/\{([^{}]+)\}/gu)].map((match) => match[1] ?? '');
}

function needLeaseFields(graph: Graph, input: NType, checking: Checking): void {
  for (const field of leaseFields(graph.lease?.name ?? '')) {
    const type = checking.solver.fieldOf(input, field);
    const reason = type ? checking.solver.fits(type, TEXT) : 'the input has no such field';
    if (reason !== null)
      checking.problem('lease.name', 'GRAPH_LEASE_INVALID', `\`{${field}}\`: ${reason}`, {
        expected: 'Text',
      });
  }
}

function checkInput(value: Json, type: NType, checking: Checking): void {
  const wrong = valueMismatch(value, checking.solver.resolve(type));
  if (!wrong) return;
  const path = wrong.path === '' ? 'input' : `input.${wrong.path}`;
  checking.problem(path, 'GRAPH_INPUT_INVALID', `expected ${wrong.expected}, got ${wrong.actual}`, {
    expected: wrong.expected,
    actual: wrong.actual,
  });
}

function stepsOf(graph: Graph, checking: Checking): readonly CheckStep[] {
  return [...walk(graph.root)].flatMap(({ path, node }) => {
    const entry = node.op === 'Stage' ? checking.stages.get(node) : undefined;
    if (node.op !== 'Stage' || !entry) return [];
    const effects = [...new Set(nodeEffects(node, checking).map(({ effect }) => effect))];
    const calls = [...(checking.callees.get(node)?.values() ?? [])].map(({ record }) => record.name);
    return [{ path, stage: entry.record.name, stage_id: entry.record.id, effects, calls }];
  });
}

function effectsOf(graph: Graph, checking: Checking): readonly string[] {
  const kinds = [...walk(graph.root)].flatMap(({ node }) => {
    if (node.op === 'RemoteStage') return REMOTE_EFFECTS;
    if (node.op === 'Const' || node.op === 'Project') return ['Pure'];
    if (node.op !== 'Stage') return [];
    return nodeEffects(node, checking).map(({ effect }) => effect);
  });
  return EFFECT_KINDS.filter((kind) => kinds.includes(kind));
}
