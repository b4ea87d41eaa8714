import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalJson } from '../canonical.ts';
import { checkGraph } from '../check/check.ts';
import type { Graph } from '../graph/ast.ts';
import { canonicalise } from '../graph/canonicalise.ts';
import { compositionId } from '../graph/composition-id.ts';
import { parseGraph } from '../graph/parse.ts';
import { graphJson, nodeJson, printGraph } from '../graph/print.ts';
import { walk } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import { Draw } from '../testing/draw.ts';
import { type DrawnGraph, drawGraph } from '../testing/draw-graph.ts';
import { catalogOfDrawn } from '../testing/draw-stage.ts';
import { untidy } from '../testing/untidy.ts';

const read = (drawn: DrawnGraph): Graph =>
  parseGraph({ description: 'd', version: '1', root: drawn.root }, 'drawn');

/** Holds a law on drawn graphs. */
function forDrawn(law: (drawn: DrawnGraph, draw: Draw) => void): void {
  fc.assert(
    fc.property(fc.gen(), (next) => {
      const draw = new Draw(next);
      law(drawGraph(draw), draw);
    }),
    { numRuns: 200 },
  );
}

describe('the canonical form of a graph', () => {
  it('is its own canonical form', () => {
    forDrawn((drawn) => {
      const once = canonicalise(read(drawn).root);

      expect(canonicalJson(nodeJson(canonicalise(once)))).toBe(canonicalJson(nodeJson(once)));
    });
  });

  it('splices and collapses only nodes without a deadline', () => {
    forDrawn((drawn) => {
      const { root } = read(drawn);
      const deadlines = (node: typeof root): readonly unknown[] =>
        [...walk(node)].flatMap((placed) => placed.node.timeout_ms ?? []);

      expect(deadlines(canonicalise(root))).toHaveLength(deadlines(root).length);
    });
  });
});

describe('a composition id', () => {
  it('does not depend on the order of keys, on spaces, or on how letters and numbers are written', () => {
    forDrawn((drawn, draw) => {
      const text = untidy(draw, graphJson(read(drawn)));

      expect(compositionId(parseGraph(text, 'untidy')), text).toBe(compositionId(read(drawn)));
    });
  });

  it('does not depend on the implementation of a stage, though the stage ids do', () => {
    forDrawn((drawn) => {
      const [first, second] = ['one', 'two'].map((implementation) => {
        const catalog = catalogOfDrawn(drawn.stages, { implementation });
        const { composition_id } = checkGraph(read(drawn), catalog);
        return { composition_id, ids: catalog.entries.map(({ record }) => record.id) };
      });

      expect(second?.composition_id).toBe(first?.composition_id);
      expect(second?.ids.filter((id) => first?.ids.includes(id))).toEqual([]);
    });
  });

  it('is another one when anything a node says changes', () => {
    forDrawn((drawn) => {
      const graph = read(drawn);
      const { root } = graph;
      const other: Json = { op: 'Sequential', stages: [nodeJson(root), { op: 'Const', value: 'one more' }] };

      expect(compositionId(parseGraph({ description: 'd', version: '1', root: other }, 'other'))).not.toBe(
        compositionId(graph),
      );
    });
  });
});

describe('a printed graph', () => {
  it('reads as the same graph', () => {
    forDrawn((drawn) => {
      const graph = read(drawn);

      expect(parseGraph(printGraph(graph), 'printed')).toEqual(graph);
    });
  });
});
