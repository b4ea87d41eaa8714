import type { GraphNode, NodeMap } from './ast.ts';

/** A node and its place in the graph, e.g. `root.body.stages[2]`. */
export interface Placed {
  readonly path: string;
  readonly node: GraphNode;
}

/** A path one step down: `.name`, or `["a b"]` where the name is no plain word. */
export function childPath(path: string, name: string): string {
  if (path === '') return name;
  return /^[A-Za-z_][\w-]*$/u.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

function named(path: string, nodes: NodeMap): readonly Placed[] {
  return [...nodes].map(([name, node]) => ({ path: childPath(path, name), node }));
}

function indexed(path: string, nodes: readonly GraphNode[]): readonly Placed[] {
  return nodes.map((node, i) => ({ path: `${path}[${i}]`, node }));
}

/** The direct children of a node, in the order they are reported in. */
export function childrenOf({ path, node }: Placed): readonly Placed[] {
  switch (node.op) {
    case 'Stage':
    case 'RemoteStage':
    case 'Const':
    case 'Project':
      return [];
    case 'Sequential':
      return indexed(`${path}.stages`, node.stages);
    case 'Parallel':
      return named(`${path}.branches`, node.branches);
    case 'Branch':
      return [
        { path: `${path}.predicate`, node: node.predicate },
        { path: `${path}.if_true`, node: node.if_true },
        { path: `${path}.if_false`, node: node.if_false },
      ];
    case 'Fanout':
      return [{ path: `${path}.source`, node: node.source }, ...indexed(`${path}.targets`, node.targets)];
    case 'Merge':
      return [...indexed(`${path}.sources`, node.sources), { path: `${path}.target`, node: node.target }];
    case 'Retry':
    case 'Map':
      return [{ path: `${path}.stage`, node: node.stage }];
    case 'Let':
      return [...named(`${path}.bindings`, node.bindings), { path: `${path}.body`, node: node.body }];
  }
}

/** Every node of a graph, parents before children. */
export function* walk(root: GraphNode, path = 'root'): Generator<Placed> {
  const open: Placed[] = [{ path, node: root }];
  for (let placed = open.pop(); placed; placed = open.pop()) {
    yield placed;
    open.push(...childrenOf(placed).toReversed());
  }
}
