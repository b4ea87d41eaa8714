import type { GraphNode, NodeMap } from '../graph/ast.ts';

/** The node with each of its direct children changed, in the order of the graph. */
export function mapNodes(node: GraphNode, change: (child: GraphNode) => GraphNode): GraphNode {
  switch (node.op) {
    case 'Stage':
    case 'RemoteStage':
    case 'Const':
    case 'Project':
      return node;
    case 'Sequential':
      return { ...node, stages: node.stages.map(change) };
    case 'Parallel':
      return { ...node, branches: mapNamed(node.branches, change) };
    case 'Branch':
      return {
        ...node,
        predicate: change(node.predicate),
        if_true: change(node.if_true),
        if_false: change(node.if_false),
      };
    case 'Fanout':
      return { ...node, source: change(node.source), targets: node.targets.map(change) };
    case 'Merge':
      return { ...node, sources: node.sources.map(change), target: change(node.target) };
    case 'Retry':
    case 'Map':
      return { ...node, stage: change(node.stage) };
    case 'Let':
      return { ...node, bindings: mapNamed(node.bindings, change), body: change(node.body) };
  }
}

function mapNamed(nodes: NodeMap, change: (node: GraphNode) => GraphNode): NodeMap {
  return new Map([...nodes].map(([name, node]) => [name, change(node)]));
}
