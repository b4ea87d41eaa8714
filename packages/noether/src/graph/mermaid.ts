import { canonicalJson } from '../canonical.ts';
import type { Graph, GraphNode, NodeMap, RetryNode } from './ast.ts';

/** Longest label, characters. */
const MAX_LABEL = 60;

/** Characters that mean nothing to Mermaid inside quotes: letters and digits of any script, blanks and a few marks. */
const PLAIN = /[\p{L}\p{N} _.,/+=()?!*-]/u;

/**
 * A text as a quoted Mermaid label. Everything that could end the label, open an entity, a directive or a Markdown string, or be
 * taken for HTML is written as a character code; control characters become blanks, long texts are cut.
 */
function label(text: string): string {
  // Code points, as each is written by its own number.
  const shown = Array.from(text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' '));
  const cut = shown.length > MAX_LABEL ? [...shown.slice(0, MAX_LABEL - 1), '…'] : shown;
  const escaped = cut.map((char) => (PLAIN.test(char) ? char : `#${char.codePointAt(0) ?? 32};`));
  // An empty label would leave the node without a box.
  return `"${escaped.join('') || ' '}"`;
}

/** A node as drawn: where values go in, and all places they may come out. */
interface Drawn {
  readonly entry: string;
  readonly exits: readonly string[];
}

/** Collects the lines of a diagram; ids are numbers, so that no name of a graph becomes one. */
class Diagram {
  readonly lines: string[] = [];
  #nodes = 0;

  id(): string {
    this.#nodes += 1;
    return `n${this.#nodes}`;
  }

  box(open: string, text: string, close: string): string {
    const id = this.id();
    this.lines.push(`${id}${open}${label(text)}${close}`);
    return id;
  }

  edge(from: string, to: string, text?: string): void {
    this.lines.push(text === undefined ? `${from} --> ${to}` : `${from} -->|${label(text)}| ${to}`);
  }

  edges(froms: readonly string[], to: string, text?: string): void {
    for (const from of froms) this.edge(from, to, text);
  }

  group(text: string, draw: () => Drawn): Drawn {
    this.lines.push(`subgraph ${this.id()} [${label(text)}]`);
    const drawn = draw();
    this.lines.push('end');
    return drawn;
  }
}

/**
 * The graph as a Mermaid flowchart: stages are boxes, literals rounded, remote stages slanted; Retry, Map and Let are frames.
 * `nameOf` gives the name of a stage that the graph refers to by its id.
 */
export function mermaidOf(graph: Graph, nameOf: (reference: string) => string = shortened): string {
  const diagram = new Diagram();
  const input = diagram.box('([', 'input', '])');
  const { entry, exits } = draw(graph.root, { diagram, nameOf });
  const output = diagram.box('([', 'output', '])');
  diagram.edge(input, entry);
  diagram.edges(exits, output);
  return ['flowchart TD', ...diagram.lines.map((line) => `  ${line}`)].join('\n');
}

/** An id cut to what people compare; a name as it is. */
function shortened(reference: string): string {
  return /^[0-9a-f]{64}$/u.test(reference) ? `${reference.slice(0, 8)}…` : reference;
}

interface Drawing {
  readonly diagram: Diagram;
  readonly nameOf: (reference: string) => string;
}

function draw(node: GraphNode, drawing: Drawing): Drawn {
  const { timeout_ms } = node;
  if (timeout_ms === undefined) return drawNode(node, drawing);
  return drawing.diagram.group(`at most ${timeout_ms} ms`, () => drawNode(node, drawing));
}

function single(id: string): Drawn {
  return { entry: id, exits: [id] };
}

function drawNode(node: GraphNode, drawing: Drawing): Drawn {
  const { diagram, nameOf } = drawing;
  switch (node.op) {
    case 'Stage':
      return single(diagram.box('[', nameOf(node.id), ']'));
    case 'RemoteStage':
      return single(diagram.box('[/', node.url, '/]'));
    case 'Const':
      return single(diagram.box('(', canonicalJson(node.value), ')'));
    case 'Project':
      return single(diagram.box('[', `{ ${[...node.fields.keys()].join(', ')} }`, ']'));
    case 'Sequential':
      return drawSequence(node.stages, drawing);
    case 'Parallel':
      return drawParallel(node.branches, drawing);
    case 'Branch': {
      const predicate = draw(node.predicate, drawing);
      const choice = diagram.box('{', 'true?', '}');
      diagram.edges(predicate.exits, choice);
      const arms = [
        ['true', draw(node.if_true, drawing)],
        ['false', draw(node.if_false, drawing)],
      ] as const;
      for (const [name, arm] of arms) diagram.edge(choice, arm.entry, name);
      return { entry: predicate.entry, exits: arms.flatMap(([, arm]) => arm.exits) };
    }
    case 'Fanout': {
      const source = draw(node.source, drawing);
      const list = drawFork(node.targets, drawing, 'outputs');
      diagram.edges(source.exits, list.entry);
      return { entry: source.entry, exits: list.exits };
    }
    case 'Merge': {
      const sources = drawFork(node.sources, drawing, 'source_0, source_1, …');
      const target = draw(node.target, drawing);
      diagram.edges(sources.exits, target.entry);
      return { entry: sources.entry, exits: target.exits };
    }
    case 'Retry':
      return diagram.group(retryWords(node), () => draw(node.stage, drawing));
    case 'Map': {
      const at_once = node.concurrency === 1 ? '' : `, ${node.concurrency} at once`;
      return diagram.group(`for each ${node.as} of ${node.over}${at_once}`, () => draw(node.stage, drawing));
    }
    case 'Let':
      return diagram.group('let', () => drawLet(node.bindings, node.body, drawing));
  }
}

function drawSequence(stages: readonly GraphNode[], drawing: Drawing): Drawn {
  const drawn = stages.map((stage) => draw(stage, drawing));
  const first = drawn.at(0);
  const last = drawn.at(-1);
  // A sequence of nothing hands its input on.
  if (first === undefined || last === undefined) return single(drawing.diagram.box('((', 'as it is', '))'));
  drawn.slice(1).forEach(({ entry }, i) => drawing.diagram.edges(drawn[i]?.exits ?? [], entry));
  return { entry: first.entry, exits: last.exits };
}

function drawParallel(branches: NodeMap, drawing: Drawing): Drawn {
  const { diagram } = drawing;
  const fork = diagram.box('{{', 'parallel', '}}');
  const join = diagram.box('{{', `{ ${[...branches.keys()].join(', ')} }`, '}}');
  for (const [name, branch] of branches) {
    const { entry, exits } = draw(branch, drawing);
    diagram.edge(fork, entry, name);
    diagram.edges(exits, join);
  }
  if (branches.size === 0) diagram.edge(fork, join);
  return { entry: fork, exits: [join] };
}

/** Nodes that all get the same input; their outputs meet. */
function drawFork(nodes: readonly GraphNode[], drawing: Drawing, met: string): Drawn {
  const { diagram } = drawing;
  const fork = diagram.box('{{', 'to each', '}}');
  const join = diagram.box('{{', met, '}}');
  nodes.forEach((node, i) => {
    const { entry, exits } = draw(node, drawing);
    diagram.edge(fork, entry);
    diagram.edges(exits, join, String(i));
  });
  if (nodes.length === 0) diagram.edge(fork, join);
  return { entry: fork, exits: [join] };
}

function drawLet(bindings: NodeMap, body: GraphNode, drawing: Drawing): Drawn {
  const { diagram } = drawing;
  const fork = diagram.box('{{', 'bind', '}}');
  const bound = [...bindings].map(([name, binding]) => [name, draw(binding, drawing)] as const);
  const { entry, exits } = draw(body, drawing);
  for (const [name, binding] of bound) {
    diagram.edge(fork, binding.entry);
    diagram.edges(binding.exits, entry, name);
  }
  diagram.edge(fork, entry);
  return { entry: fork, exits };
}

function retryWords({ max_attempts, delay_ms, backoff, max_delay_ms }: RetryNode): string {
  const waits = [
    delay_ms === null ? [] : [`wait ${delay_ms} ms`],
    backoff === null ? [] : [`times ${backoff}`],
    max_delay_ms === null ? [] : [`at most ${max_delay_ms} ms`],
  ].flat();
  return [`up to ${max_attempts} attempts`, ...waits].join(', ');
}
