import { type Checked, check } from '../check/check.ts';
import type { Graph, GraphNode, Policy } from '../graph/ast.ts';
import { compositionId } from '../graph/composition-id.ts';
import { childrenOf, walk } from '../graph/walk.ts';
import type { Catalog, CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';

/** What a run needs to know of its graph, whatever the input. */
export interface Prepared {
  readonly checked: Checked;
  readonly composition_id: string;
  /** Stages that one run may call more than once. */
  readonly repeated: ReadonlySet<CatalogStage>;
}

/** What a preparation depends on besides the graph. */
export interface PrepareOptions {
  readonly catalog: Catalog;
  readonly policy: Policy | null;
  readonly budget_cents: number | null;
}

interface Kept extends PrepareOptions {
  readonly prepared: Prepared;
}

const kept = new WeakMap<Graph, Kept>();

/** Checks a graph; the same graph with the same catalog and policy is checked once. */
export function prepare(graph: Graph, options: PrepareOptions): Prepared {
  const known = kept.get(graph);
  if (known && isSame(known, options)) return known.prepared;
  const { catalog, policy, budget_cents } = options;
  const checked = check(graph, catalog, { policy, budget_cents });
  const prepared = { checked, composition_id: compositionId(graph), repeated: repeatedIn(graph, checked) };
  kept.set(graph, { catalog, policy, budget_cents, prepared });
  return prepared;
}

function isSame(a: PrepareOptions, b: PrepareOptions): boolean {
  return a.catalog === b.catalog && a.policy === b.policy && a.budget_cents === b.budget_cents;
}

/** Stages of several nodes, of nodes that run again, and stages that others call. */
function repeatedIn(graph: Graph, { stages, callees }: Checked): ReadonlySet<CatalogStage> {
  const seen = new Set<CatalogStage>();
  const repeated = new Set<CatalogStage>();
  const visit = (node: GraphNode, again: boolean): void => {
    const entry = node.op === 'Stage' ? stages.get(node) : undefined;
    if (entry && (again || seen.has(entry))) repeated.add(entry);
    if (entry) seen.add(entry);
    const inside = again || node.op === 'Map' || node.op === 'Retry';
    for (const child of childrenOf({ path: '', node })) visit(child.node, inside);
  };
  visit(graph.root, false);
  for (const named of callees.values()) for (const entry of named.values()) repeated.add(entry);
  return repeated;
}

/** Refuses a run that lacks a client, before the first effect. Throws STAGE_CAPABILITY_MISSING. */
export function requireCapabilities(
  graph: Graph,
  { stages, callees }: Checked,
  provided: Readonly<Record<string, object>>,
): void {
  for (const [node, own] of stages) {
    for (const { stage } of [own, ...(callees.get(node)?.values() ?? [])]) {
      const capability = stage.capabilities.find((name) => !Object.hasOwn(provided, name));
      if (capability === undefined) continue;
      const path = [...walk(graph.root)].find((placed) => placed.node === node)?.path ?? 'root';
      throw new StageError('STAGE_CAPABILITY_MISSING', { stage: stage.name, path, capability });
    }
  }
}
