import type { Json } from '../ports.ts';
import type { Graph, GraphNode, NodeMap, Projection } from './ast.ts';

/** A graph as wire JSON; what is absent or a default is left out, so that reading it gives the same graph. */
export function graphJson(graph: Graph): Json {
  const { description, version, policy, lease, root } = graph;
  return {
    description,
    version,
    ...(policy !== null && { policy: { ...policy } }),
    ...(lease !== null && { lease: { ...lease } }),
    root: nodeJson(root),
  };
}

/** A graph as text, indented by two spaces. {@link parseGraph} reads it back as the same graph. */
export function printGraph(graph: Graph): string {
  return `${JSON.stringify(graphJson(graph), null, 2)}\n`;
}

/** A node as wire JSON, the way its id is computed from: defaults left out where the original leaves them out. */
export function nodeJson(node: GraphNode): Json {
  return { ...fieldsJson(node), ...(node.timeout_ms !== undefined && { timeout_ms: node.timeout_ms }) };
}

function fieldsJson(node: GraphNode): { readonly [key: string]: Json } {
  switch (node.op) {
    case 'Stage':
      return {
        op: node.op,
        id: node.id,
        ...(node.pinning === 'both' && { pinning: node.pinning }),
        ...(node.config !== null && { config: node.config }),
      };
    case 'RemoteStage':
      return {
        op: node.op,
        url: node.url,
        input: node.input as Json,
        output: node.output as Json,
        ...(node.auth !== undefined && { auth: node.auth }),
      };
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
        ...(node.retry_on !== undefined && { retry_on: node.retry_on }),
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
