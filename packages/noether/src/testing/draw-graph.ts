import type { Json } from '../ports.ts';
import {
  BOOL,
  NULL,
  NUMBER,
  type NType,
  TEXT,
  fieldEntries,
  fieldType,
  list,
  record,
} from '../types/ntype.ts';
import { union } from '../types/union.ts';
import type { Draw } from './draw.ts';
import { type DrawnStage, DrawnStages, givenBy } from './draw-stage.ts';
import { drawType, drawValue } from './draw-type.ts';

/** A graph that is meant to fit its stages and its input; most of them do. */
export interface DrawnGraph {
  readonly root: Json;
  readonly stages: readonly DrawnStage[];
  readonly input: Json;
}

interface Drawn {
  readonly node: { readonly [field: string]: Json };
  readonly output: NType;
}

/** Draws a graph, its stages, and an input of the type the graph was drawn for. */
export function drawGraph(draw: Draw, depth = 3): DrawnGraph {
  const type = draw.chance(2)
    ? drawType(draw)
    : record({ ...fieldsOf(drawType(draw)), list: list(drawType(draw, 1)) });
  const nodes = new NodeDrawer(draw);
  const { node } = nodes.node(type, depth);
  const value = drawValue(draw, type);
  // A value of a record type may have more fields than the type.
  const extra = Object.fromEntries(draw.names(0, 1).map((name) => [name, 'extra']));
  const input = type.kind === 'Record' ? { ...extra, ...(value as object) } : value;
  return { root: node, stages: nodes.stages.all, input };
}

function fieldsOf(type: NType): { readonly [field: string]: NType } {
  return type.kind === 'Record' ? type.value : {};
}

/** Draws nodes by the type of their input, and knows the type of what they give. */
class NodeDrawer {
  readonly stages: DrawnStages;
  readonly #draw: Draw;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.stages = new DrawnStages(draw);
  }

  node(input: NType, depth: number): Drawn {
    const { node, output } = this.#plain(input, depth);
    return { node: this.#draw.chance(8) ? { ...node, timeout_ms: 20_000 } : node, output };
  }

  #plain(input: NType, depth: number): Drawn {
    if (depth === 0) return this.#draw.chance(4) ? this.#literal() : this.#stage(input);
    switch (this.#draw.nat(10)) {
      case 0:
        return this.#stage(input);
      case 1:
        return this.#literal();
      case 2:
      case 3:
        return this.#sequential(input, depth - 1);
      case 4:
        return this.#parallel(input, depth - 1);
      case 5:
        return this.#branch(input, depth - 1);
      case 6:
        return this.#fanout(input, depth - 1);
      case 7:
        return this.#merge(input, depth - 1);
      case 8:
        return this.#let(input, depth - 1);
      case 9:
        return this.#retry(input, depth - 1);
      default:
        return this.#mapOrProject(input, depth - 1);
    }
  }

  #stage(input: NType): Drawn {
    const draw = this.#draw;
    const [name = ''] = Object.keys(fieldsOf(input));
    const field = fieldType(fieldsOf(input), name);
    if (field && draw.chance(4)) {
      // A field of the config is not taken from the input.
      const stage = this.stages.taking(input);
      return {
        node: { op: 'Stage', id: stage.name, config: { [name]: drawValue(draw, field) } },
        output: givenBy(stage, input),
      };
    }
    const stage = this.stages.taking(input);
    return { node: { op: 'Stage', id: stage.name }, output: givenBy(stage, input) };
  }

  #literal(): Drawn {
    const output = drawType(this.#draw, 1);
    return { node: { op: 'Const', value: drawValue(this.#draw, output) }, output };
  }

  #sequential(input: NType, depth: number): Drawn {
    let output = input;
    const stages = this.#draw.some(1, 3, () => {
      const drawn = this.node(output, depth);
      output = drawn.output;
      return drawn.node;
    });
    return { node: { op: 'Sequential', stages }, output };
  }

  #parallel(input: NType, depth: number): Drawn {
    const branches = this.#draw.names(1, 3).map((name) => {
      return [name, this.node(fieldType(fieldsOf(input), name) ?? input, depth)] as const;
    });
    return {
      node: {
        op: 'Parallel',
        branches: Object.fromEntries(branches.map(([name, { node }]) => [name, node])),
      },
      output: record(Object.fromEntries(branches.map(([name, { output }]) => [name, output]))),
    };
  }

  #branch(input: NType, depth: number): Drawn {
    const predicate = this.#draw.chance(4)
      ? { op: 'Const', value: this.#draw.chance(2) }
      : { op: 'Stage', id: this.stages.deciding(input).name };
    const [yes, no] = [this.node(input, depth), this.node(input, depth)];
    return {
      node: { op: 'Branch', predicate, if_true: yes.node, if_false: no.node },
      output: union([yes.output, no.output]),
    };
  }

  #fanout(input: NType, depth: number): Drawn {
    const source = this.node(input, depth);
    const targets = this.#draw.some(1, 3, () => this.node(source.output, depth));
    return {
      node: { op: 'Fanout', source: source.node, targets: targets.map(({ node }) => node) },
      output: list(union(targets.map(({ output }) => output))),
    };
  }

  #merge(input: NType, depth: number): Drawn {
    const isRecord = input.kind === 'Record';
    const sources = this.#draw.some(1, 3, (i) => {
      const own = isRecord ? (fieldType(input.value, `source_${i}`) ?? NULL) : input;
      return this.node(own, depth);
    });
    const merged = record(Object.fromEntries(sources.map(({ output }, i) => [`source_${i}`, output])));
    const target = this.node(merged, depth);
    return {
      node: { op: 'Merge', sources: sources.map(({ node }) => node), target: target.node },
      output: target.output,
    };
  }

  #let(input: NType, depth: number): Drawn {
    const bindings = this.#draw.names(1, 2).map((name) => [name, this.node(input, depth)] as const);
    const outputs = Object.fromEntries(bindings.map(([name, { output }]) => [name, output]));
    const body = this.node(record({ ...fieldsOf(input), ...outputs }), depth);
    return {
      node: {
        op: 'Let',
        bindings: Object.fromEntries(bindings.map(([name, { node }]) => [name, node])),
        body: body.node,
      },
      output: body.output,
    };
  }

  #retry(input: NType, depth: number): Drawn {
    const draw = this.#draw;
    const stage = this.node(input, depth);
    const waits = draw.chance(4) ? { delay_ms: 1, backoff: 2, max_delay_ms: 2 } : {};
    return {
      node: { op: 'Retry', stage: stage.node, max_attempts: 1 + draw.nat(2), ...waits },
      output: stage.output,
    };
  }

  #mapOrProject(input: NType, depth: number): Drawn {
    const lists = fieldEntries(fieldsOf(input)).filter(([, type]) => type.kind === 'List');
    const found = this.#draw.pick(lists);
    return found && this.#draw.chance(2) ? this.#map(input, found[0], depth) : this.#project(input);
  }

  #map(input: NType, over: string, depth: number): Drawn {
    const items = fieldType(fieldsOf(input), over);
    const element = items?.kind === 'List' ? items.value : NULL;
    const [as = 'item'] = this.#draw.names(1, 1);
    const child = this.node(record({ ...fieldsOf(input), [as]: element }), depth);
    const collects = this.#draw.chance(3);
    const errors = list(record({ index: NUMBER, code: TEXT, message: TEXT }));
    return {
      node: {
        op: 'Map',
        over,
        as,
        stage: child.node,
        concurrency: 1 + this.#draw.nat(2),
        ...(collects && { on_error: 'collect' }),
      },
      output: collects ? record({ results: list(child.output), errors }) : list(child.output),
    };
  }

  #project(input: NType): Drawn {
    const draw = this.#draw;
    const taken = fieldEntries(fieldsOf(input)).filter(() => draw.chance(2));
    const literal = draw.chance(2);
    const fields = [
      ...taken.map(([name]) => [`${name}_`, { path: name }] as const),
      ...(literal ? [['is', { value: true }] as const] : [['whole', { path: '' }] as const]),
    ];
    const types = [
      ...taken.map(([name, type]) => [`${name}_`, type] as const),
      literal ? (['is', BOOL] as const) : (['whole', input] as const),
    ];
    return {
      node: { op: 'Project', fields: Object.fromEntries(fields) },
      output: record(Object.fromEntries(types)),
    };
  }
}
