import type { Graph } from '../graph/ast.ts';
import { compositionId } from '../graph/composition-id.ts';
import { walk } from '../graph/walk.ts';
import { EFFECT_KINDS } from '../stage/identity.ts';
import type { NType } from '../types/ntype.ts';
import { lint } from './lint.ts';
import { nodeCapabilities, nodeEffects } from './node-facts.ts';
import { planOf } from './plan.ts';
import { REMOTE_EFFECTS } from './policy.ts';
import type { CheckEdge, CheckPlan, CheckReport, CheckStep } from './problem.ts';
import type { Checking } from './state.ts';

/** What a check found, in words. Edges and plan are made when they are first read: a run needs neither. */
export function reportOf(
  graph: Graph,
  { input, output }: { readonly input: NType; readonly output: NType },
  checking: Checking,
): CheckReport {
  const { problems } = checking;
  const edges = once((): readonly CheckEdge[] => checking.edges());
  const plan = once((): CheckPlan => planOf(graph.root, checking));
  return {
    ok: problems.length === 0,
    composition_id: compositionId(graph),
    problems,
    warnings: [...checking.warnings, ...lint(graph.root, checking)],
    input: checking.showAll(input),
    output: checking.showAll(output),
    effects: effectsOf(graph, checking),
    capabilities: [
      ...new Set([...checking.stages.keys()].flatMap((node) => nodeCapabilities(node, checking))),
    ].sort(),
    steps: stepsOf(graph, checking),
    get edges() {
      return edges();
    },
    get plan() {
      return plan();
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
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
