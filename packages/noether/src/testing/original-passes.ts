import type { GraphNode, StageNode } from '../graph/ast.ts';
import { canonicalise } from '../graph/canonicalise.ts';
import { nodeJson } from '../graph/print.ts';
import { canonicalJson } from '../canonical.ts';
import type { Json } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { mapNodes } from './map-nodes.ts';
import type { Facts } from './operator-case.ts';

/** Longest chain of deprecated stages followed. */
const MAX_HOPS = 10;
/** Most rounds of the optimizer. */
const MAX_ROUNDS = 16;
/** Ids an ambiguous prefix lists, and the digits of each. */
const LISTED = 3;
const LISTED_DIGITS = 16;

/** A reference the original refuses before the check. */
export class OriginalResolveError extends Error {
  override readonly name = 'OriginalResolveError';
  readonly kind: string;

  constructor(kind: string, display: string) {
    super(display);
    this.kind = kind;
  }
}

/** What a pass made of a graph. */
interface Passed {
  readonly root: GraphNode;
  /** What it reports, by the field of `expect`. */
  readonly facts: Facts;
}

type Pass = (root: GraphNode, stages: readonly CatalogStage[]) => Passed;

const RESOLVING: readonly (readonly [string, Pass])[] = [
  ['resolve_names', (root, stages) => ({ root: eachStage(root, (node) => named(stages, node)), facts: {} })],
  ['resolve_pinning', pinned],
  ['resolve_deprecated', undeprecated],
];

/** A graph as the original checks it, and as it runs it. */
export interface OriginalGraph {
  /** With references resolved. */
  readonly checked: GraphNode;
  /** Rewritten by the optimizer too, where the case asks for it. */
  readonly run: GraphNode;
  readonly facts: Facts;
}

/** Runs the passes a case asks for, in the original's order. Throws OriginalResolveError. */
export function originalPasses(
  root: GraphNode,
  stages: readonly CatalogStage[],
  asked: readonly string[],
): OriginalGraph {
  let passed: Passed = { root, facts: {} };
  for (const [name, pass] of RESOLVING) {
    if (!asked.includes(name)) continue;
    const next = pass(passed.root, stages);
    passed = { root: next.root, facts: { ...passed.facts, ...next.facts } };
  }
  const { root: rewritten, facts } = optimized(passed.root);
  return {
    checked: passed.root,
    run: asked.includes('optimize') ? rewritten : passed.root,
    facts: {
      ...passed.facts,
      ...facts,
      resolved_root: nodeJson(passed.root),
      optimized_root: nodeJson(rewritten),
    },
  };
}

function eachStage(root: GraphNode, change: (node: StageNode) => StageNode): GraphNode {
  return root.op === 'Stage' ? change(root) : mapNodes(root, (child) => eachStage(child, change));
}

function named(stages: readonly CatalogStage[], node: StageNode): StageNode {
  const { id } = node;
  if (stages.some(({ record }) => record.id === id)) return node;
  const prefixed = /^[0-9a-fA-F]+$/u.test(id) ? stages.filter(({ record }) => record.id.startsWith(id)) : [];
  const of = prefixed.length > 0 ? prefixed : stages.filter(({ record }) => record.name === id);
  const active = of.filter(({ record }) => record.lifecycle === 'Active');
  const found = prefixed.length === 0 && active.length > 0 ? active : of;
  const [only] = found;
  if (!only) throw new OriginalResolveError('NotFound', `no stage in store matches prefix '${id}'`);
  if (found.length === 1) return { ...node, id: only.record.id };
  const first = found.slice(0, LISTED).map(({ record }) => record.id.slice(0, LISTED_DIGITS));
  throw new OriginalResolveError(
    'Ambiguous',
    `stage prefix '${id}' is ambiguous; matches ${found.length} stages — use a longer prefix. First few: ${first.join(', ')}`,
  );
}

function pinned(root: GraphNode, stages: readonly CatalogStage[]): Passed {
  const rewrites: Json[] = [];
  const pin = (node: StageNode): StageNode => {
    const id = pinnedId(stages, node);
    if (id !== node.id) rewrites.push([node.id, id]);
    return { ...node, id };
  };
  return { root: eachStage(root, pin), facts: { pin_rewrites: rewrites } };
}

function pinnedId(stages: readonly CatalogStage[], { id, pinning }: StageNode): string {
  const exact = stages.find(({ record }) => record.id === id)?.record;
  if (pinning === 'both') {
    const place = `stage node with pinning=both has id \`${id}\``;
    if (!exact) throw new OriginalResolveError('ImplementationNotFound', place);
    if (exact.lifecycle !== 'Active') throw new OriginalResolveError('ImplementationNotActive', place);
    return id;
  }
  const [smallest] = stages
    .filter(({ record }) => record.lifecycle === 'Active' && record.signature_id === id)
    .map(({ record }) => record.id)
    .toSorted();
  if (smallest !== undefined) return smallest;
  if (exact?.lifecycle === 'Active') return id;
  throw new OriginalResolveError(
    'SignatureNotFound',
    `stage node with pinning=signature has id \`${id}\` — no Active stage in the store matches that signature`,
  );
}

function undeprecated(root: GraphNode, stages: readonly CatalogStage[]): Passed {
  const rewrites: Json[] = [];
  const follow = (node: StageNode): StageNode => {
    const seen = new Set([node.id]);
    let { id } = node;
    for (let hop = 0; hop < MAX_HOPS; hop += 1) {
      const lifecycle = stages.find(({ record }) => record.id === id)?.record.lifecycle;
      if (typeof lifecycle !== 'object' || seen.has(lifecycle.Deprecated.successor_id)) break;
      const { successor_id } = lifecycle.Deprecated;
      rewrites.push([id, successor_id]);
      seen.add(successor_id);
      id = successor_id;
    }
    return { ...node, id };
  };
  return { root: eachStage(root, follow), facts: { dep_rewrites: rewrites } };
}

/** A Branch whose predicate is a literal true or false is that arm. */
function withoutDeadBranches(node: GraphNode): GraphNode {
  const inner = mapNodes(node, withoutDeadBranches);
  if (inner.op !== 'Branch' || inner.predicate.op !== 'Const') return inner;
  const { value } = inner.predicate;
  if (typeof value !== 'boolean') return inner;
  return value ? inner.if_true : inner.if_false;
}

function optimized(start: GraphNode): Passed {
  const applied = new Set<string>();
  let root = start;
  let iterations = 0;
  let changed = true;
  while (changed && iterations < MAX_ROUNDS) {
    iterations += 1;
    changed = false;
    for (const [name, pass] of [
      ['canonical_structural', canonicalise],
      ['dead_branch', withoutDeadBranches],
    ] as const) {
      const next = pass(root);
      if (canonicalJson(nodeJson(next)) === canonicalJson(nodeJson(root))) continue;
      applied.add(name);
      root = next;
      changed = true;
    }
  }
  const optimizer = { passes_applied: [...applied], iterations, hit_cap: changed };
  return { root, facts: { optimizer, ...optimizer } };
}
