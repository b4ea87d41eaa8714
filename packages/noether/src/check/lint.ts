import type { GraphNode, RetryNode } from '../graph/ast.ts';
import { childrenOf } from '../graph/walk.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import type { Checking } from './state.ts';

interface Lint {
  readonly path: string;
  /** Stage the warning is about. */
  readonly stage_id: string;
  readonly message: string;
}

/** The original's advice: failures nobody retries, and chance feeding a pure stage. Kept in its order and words. */
export function lint(root: GraphNode, check: Checking): readonly string[] {
  return visit(root, 'root', check, []).map(({ path, message }) => `${path}: ${message}`);
}

function visit(node: GraphNode, path: string, check: Checking, before: readonly Lint[]): readonly Lint[] {
  let found = before;
  if (node.op === 'Sequential') {
    for (const [i, stage] of node.stages.entries()) {
      const at = `${path}.stages[${i}]`;
      found = [...visit(stage, at, check, found), ...lintOf(stage, node.stages[i + 1], at, check)];
    }
    return found;
  }
  for (const child of childrenOf({ path, node })) found = visit(child.node, child.path, check, found);
  return node.op === 'Retry' ? withoutRetried(node, check, found) : found;
}

function entryOf(node: GraphNode | undefined, check: Checking): CatalogStage | undefined {
  return node?.op === 'Stage' ? check.stages.get(node) : undefined;
}

function has(entry: CatalogStage | undefined, kind: string): boolean {
  return entry !== undefined && entry.effective_effects.some(({ effect }) => effect === kind);
}

function lintOf(
  node: GraphNode,
  next: GraphNode | undefined,
  path: string,
  check: Checking,
): readonly Lint[] {
  const entry = entryOf(node, check);
  const following = entryOf(next, check);
  const found: Lint[] = [];
  if (!entry) return found;
  const { id } = entry.record;
  if (has(entry, 'Fallible')) {
    found.push({
      path,
      stage_id: id,
      message: `stage ${id} is Fallible but has no Retry wrapper; failures will propagate`,
    });
  }
  if (following && has(entry, 'NonDeterministic') && has(following, 'Pure')) {
    const message = `stage ${id} is NonDeterministic but feeds Pure stage ${following.record.id}; Pure caching will be bypassed`;
    found.push({ path, stage_id: id, message });
  }
  return found;
}

/** A Retry directly around a stage takes back what was said about that stage so far. */
function withoutRetried(node: RetryNode, check: Checking, found: readonly Lint[]): readonly Lint[] {
  const entry = entryOf(node.stage, check);
  return entry ? found.filter(({ stage_id }) => stage_id !== entry.record.id) : found;
}
