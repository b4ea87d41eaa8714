import type { Json } from '../ports.ts';
import type { GraphNode, NodeMap, Projection } from './ast.ts';

const U32_MAX = 4_294_967_295;

/** The canonical form of a node: nested Sequentials spliced, operators without meaning removed. */
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
        .flatMap((stage) => (stage.op === 'Sequential' ? stage.stages : [stage]));
      const [only] = stages;
      return stages.length === 1 && only ? only : { ...node, stages };
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
      return node.bindings.size === 0
        ? body
        : { ...node, bindings: mapNodes(node.bindings, canonicalise), body };
    }
    case 'Map':
      return { ...node, stage: canonicalise(node.stage) };
  }
}

function canonicalRetry(node: GraphNode & { op: 'Retry' }, stage: GraphNode): GraphNode {
  if (node.max_attempts <= 1) return stage;
  const plain = (retry: GraphNode & { op: 'Retry' }): boolean =>
    retry.backoff === null && retry.max_delay_ms === null;
  if (stage.op === 'Retry' && stage.delay_ms === node.delay_ms && plain(node) && plain(stage)) {
    return { ...stage, max_attempts: Math.min(U32_MAX, node.max_attempts * stage.max_attempts) };
  }
  return { ...node, stage };
}

function mapNodes(nodes: NodeMap, change: (node: GraphNode) => GraphNode): NodeMap {
  return new Map([...nodes].map(([name, node]) => [name, change(node)]));
}

/** A node as wire JSON, the way its id is computed from: defaults left out where the original leaves them out. */
export function nodeJson(node: GraphNode): Json {
  switch (node.op) {
    case 'Stage':
      return {
        op: node.op,
        id: node.id,
        ...(node.pinning === 'both' && { pinning: node.pinning }),
        ...(node.config !== null && { config: node.config }),
      };
    case 'RemoteStage':
      return { op: node.op, url: node.url, input: node.input as Json, output: node.output as Json };
    case 'Const':
      return { op: node.op, value: node.value };
    case 'Sequential':
      return { op: node.op, stages: node.stages.map(nodeJson) };
    case 'Parallel':
      return { op: node.op, branches: nodesJson(node.branches) };
    case 'Branch':
      return {
        op: node.op,
        predicate: nodeJson(node.predicate),
        if_true: nodeJson(node.if_true),
        if_false: nodeJson(node.if_false),
      };
    case 'Fanout':
      return { op: node.op, source: nodeJson(node.source), targets: node.targets.map(nodeJson) };
    case 'Merge':
      return { op: node.op, sources: node.sources.map(nodeJson), target: nodeJson(node.target) };
    case 'Retry':
      return {
        op: node.op,
        stage: nodeJson(node.stage),
        max_attempts: node.max_attempts,
        delay_ms: node.delay_ms,
        ...(node.backoff !== null && { backoff: node.backoff }),
        ...(node.max_delay_ms !== null && { max_delay_ms: node.max_delay_ms }),
      };
    case 'Let':
      return { op: node.op, bindings: nodesJson(node.bindings), body: nodeJson(node.body) };
    case 'Map':
      return {
        op: node.op,
        over: node.over,
        as: node.as,
        stage: nodeJson(node.stage),
        ...(node.concurrency !== 1 && { concurrency: node.concurrency }),
        ...(node.on_error !== 'fail' && { on_error: node.on_error }),
      };
    case 'Project':
      return {
        op: node.op,
        fields: Object.fromEntries(
          [...node.fields].map(([name, field]): [string, Projection] => [name, field]),
        ),
      };
  }
}

function nodesJson(nodes: NodeMap): Json {
  return Object.fromEntries([...nodes].map(([name, node]) => [name, nodeJson(node)]));
}
