import type { GraphNode, RetryNode } from '../graph/ast.ts';
import { childrenOf } from '../graph/walk.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { nodeEffects } from './node-facts.ts';
import type { Checking } from './state.ts';

interface Lint {
  readonly path: string;
  /** Stage the warning is about. */
  readonly stage_id: string;
  readonly message: string;
}

/** The original's advice: failures nobody retries, and chance feeding a pure stage. Kept in its order and words. */
export function lint(root: GraphNode, check: Checking): readonly string[] {
  const found: Lint[] = [];
  visit(root, 'root', check, found);
  return found.map(({ path, message }) => `${path}: ${message}`);
}

function visit(node: GraphNode, path: string, check: Checking, found: Lint[]): void {
  for (const [i, child] of childrenOf({ path, node }).entries()) {
    visit(child.node, child.path, check, found);
    if (node.op === 'Sequential') found.push(...lintOf(child.node, node.stages[i + 1], child.path, check));
  }
  if (node.op === 'Retry') takeBackRetried(node, check, found);
}

function entryOf(node: GraphNode | undefined, check: Checking): CatalogStage | undefined {
  return node?.op === 'Stage' ? check.stages.get(node) : undefined;
}

function has(node: GraphNode | undefined, kind: string, check: Checking): boolean {
  return node?.op === 'Stage' && nodeEffects(node, check).some(({ effect }) => effect === kind);
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
  if (has(node, 'Fallible', check)) {
    found.push({
      path,
      stage_id: id,
      message: `stage ${id} is Fallible but has no Retry wrapper; failures will propagate`,
    });
  }
  if (following && has(node, 'NonDeterministic', check) && has(next, 'Pure', check)) {
    const message = `stage ${id} is NonDeterministic but feeds Pure stage ${following.record.id}; Pure caching will be bypassed`;
    found.push({ path, stage_id: id, message });
  }
  return found;
}

/** A Retry directly around a stage takes back what was said about that stage so far. */
function takeBackRetried(node: RetryNode, check: Checking, found: Lint[]): void {
  const entry = entryOf(node.stage, check);
  if (!entry) return;
  const left = found.filter(({ stage_id }) => stage_id !== entry.record.id);
  if (left.length < found.length) found.splice(0, found.length, ...left);
}
