import type { GraphNode, NodeMap, RetryNode } from './ast.ts';

const U32_MAX = 4_294_967_295;

/** The canonical form of a node: nested Sequentials spliced, operators without meaning removed. One with a deadline has a meaning. */
export function canonicalise(node: GraphNode): GraphNode {
  switch (node.op) {
    case 'Stage':
    case 'RemoteStage':
    case 'Const':
    case 'Project':
      return node;
    case 'Sequential': {
      const stages = node.stages
        .map(canonicalise)
        .flatMap((stage) => (stage.op === 'Sequential' && !isLimited(stage) ? stage.stages : [stage]));
      const [only] = stages;
      return stages.length === 1 && only && !isLimited(node) ? only : { ...node, stages };
    }
    case 'Parallel':
      return { ...node, branches: mapNodes(node.branches, canonicalise) };
    case 'Branch':
      return {
        ...node,
        predicate: canonicalise(node.predicate),
        if_true: canonicalise(node.if_true),
        if_false: canonicalise(node.if_false),
      };
    case 'Fanout':
      return { ...node, source: canonicalise(node.source), targets: node.targets.map(canonicalise) };
    case 'Merge':
      return { ...node, sources: node.sources.map(canonicalise), target: canonicalise(node.target) };
    case 'Retry':
      return canonicalRetry(node, canonicalise(node.stage));
    case 'Let': {
      const body = canonicalise(node.body);
      return node.bindings.size === 0 && !isLimited(node)
        ? body
        : { ...node, bindings: mapNodes(node.bindings, canonicalise), body };
    }
    case 'Map':
      return { ...node, stage: canonicalise(node.stage) };
  }
}

function canonicalRetry(node: RetryNode, stage: GraphNode): GraphNode {
  if (node.max_attempts <= 1 && !isLimited(node)) return stage;
  if (stage.op === 'Retry' && stage.delay_ms === node.delay_ms && isPlain(node) && isPlain(stage)) {
    return { ...stage, max_attempts: Math.min(U32_MAX, node.max_attempts * stage.max_attempts) };
  }
  return { ...node, stage };
}

function isLimited(node: GraphNode): boolean {
  return node.timeout_ms !== undefined;
}

/** Whether a Retry has only what the original's has: two of those in one another are one. */
function isPlain(retry: RetryNode): boolean {
  return (
    retry.max_attempts > 1 &&
    retry.backoff === null &&
    retry.max_delay_ms === null &&
    retry.retry_on === undefined &&
    !isLimited(retry)
  );
}

function mapNodes(nodes: NodeMap, change: (node: GraphNode) => GraphNode): NodeMap {
  return new Map([...nodes].map(([name, node]) => [name, change(node)]));
}
