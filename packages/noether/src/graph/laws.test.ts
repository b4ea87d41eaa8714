import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalJson, sha256Hex } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { canonicalise, nodeJson } from './canonicalise.ts';
import { canonicalText, compositionId } from './composition-id.ts';
import { parseGraph } from './parse.ts';

/** Wire JSON of any node. */
const { node } = fc.letrec<{ node: Json }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ op: fc.constant('Stage'), id: fc.string() }),
    fc.record({ op: fc.constant('Const'), value: fc.jsonValue() as fc.Arbitrary<Json> }),
    fc.record({ op: fc.constant('Sequential'), stages: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({
      op: fc.constant('Parallel'),
      branches: fc.dictionary(fc.string(), tie('node'), { maxKeys: 3 }),
    }),
    fc.record({
      op: fc.constant('Branch'),
      predicate: tie('node'),
      if_true: tie('node'),
      if_false: tie('node'),
    }),
    fc.record({
      op: fc.constant('Fanout'),
      source: tie('node'),
      targets: fc.array(tie('node'), { maxLength: 3 }),
    }),
    fc.record({
      op: fc.constant('Merge'),
      sources: fc.array(tie('node'), { maxLength: 3 }),
      target: tie('node'),
    }),
    fc.record({
      op: fc.constant('Retry'),
      stage: tie('node'),
      max_attempts: fc.nat({ max: 4 }),
      delay_ms: fc.option(fc.nat({ max: 3 })),
    }),
    fc.record({
      op: fc.constant('Let'),
      bindings: fc.dictionary(fc.string(), tie('node'), { maxKeys: 3 }),
      body: tie('node'),
    }),
    fc.record({ op: fc.constant('Map'), over: fc.string(), as: fc.string(), stage: tie('node') }),
  ) as fc.Arbitrary<Json>,
}));

const graphOf = (root: Json): ReturnType<typeof parseGraph> =>
  parseGraph({ description: '', version: '', root }, 'g');

/** The same JSON with every object's keys in the opposite order. */
function turned(value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => turned(item as Json));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, turned(item as Json)]),
  );
}

describe('the canonical form', () => {
  it('is its own canonical form', () => {
    fc.assert(
      fc.property(node, (root) => {
        const once = canonicalise(graphOf(root).root);

        expect(canonicalJson(nodeJson(canonicalise(once)))).toBe(canonicalJson(nodeJson(once)));
      }),
    );
  });

  it('reads back as the same graph', () => {
    fc.assert(
      fc.property(node, (root) => {
        const text = canonicalText(graphOf(root).root);

        expect(canonicalText(graphOf(JSON.parse(text) as Json).root)).toBe(text);
      }),
    );
  });
});

describe('a composition id', () => {
  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(node, (root) => {
        expect(compositionId(graphOf(turned(root)))).toBe(compositionId(graphOf(root)));
      }),
    );
  });

  it('is not changed by policy, lease, description or unknown fields', () => {
    const root = { op: 'Stage', id: 'a' };
    const plain = compositionId(parseGraph({ description: '', version: '', root }, 'g'));
    const dressed = {
      description: 'd',
      version: '2',
      root: { ...root, _comment: 'c' },
      policy: { effects: [] },
      lease: { name: 'l' },
      ui: {},
    };

    expect(compositionId(parseGraph(dressed, 'g'))).toBe(plain);
    expect(plain).toBe(sha256Hex('{"id":"a","op":"Stage"}'));
  });
});
