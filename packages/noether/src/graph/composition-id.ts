import { canonicalJson, sha256Hex } from '../canonical.ts';
import type { Graph, GraphNode } from './ast.ts';
import { canonicalise } from './canonicalise.ts';
import { nodeJson } from './print.ts';

/** The bytes a composition id is the hash of: JCS of the canonical root, stages referred to as written. */
export function canonicalText(root: GraphNode): string {
  return canonicalJson(nodeJson(canonicalise(root)));
}

/** Identity of what a graph does, as written: SHA-256 hex of its canonical root. Policy, lease and description are not part of it. */
export function compositionId(graph: Graph): string {
  return sha256Hex(canonicalText(graph.root));
}
