import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalJson, sha256Hex } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { canonicalise } from './canonicalise.ts';
import { canonicalText, compositionId } from './composition-id.ts';
import { parseGraph } from './parse.ts';
import { nodeJson, printGraph } from './print.ts';

const word = fc.string({ minLength: 1 });
const literal = fc.jsonValue() as fc.Arbitrary<Json>;
const count = fc.integer({ min: 1, max: 60_000 });
const type = fc.constantFrom<Json>(
  { kind: 'Text' },
  { kind: 'Record', value: { a: { kind: 'List', value: { kind: 'Any' } } } },
);

/** Wire JSON of any node. */
const { node } = fc.letrec<{ node: Json; plain: Json }>((tie) => ({
  node: fc.tuple(tie('plain'), fc.option(count, { nil: undefined, freq: 4 })).map(([plain, timeout_ms]) => ({
    ...(plain as object),
    ...(timeout_ms !== undefined && { timeout_ms }),
  })),
  plain: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record(
      {
        op: fc.constant('Stage'),
        id: word,
        pinning: fc.constantFrom('signature', 'both'),
        config: fc.option(fc.dictionary(fc.string(), literal, { maxKeys: 3 })),
      },
      { requiredKeys: ['op', 'id'] },
    ),
    fc.record(
      { op: fc.constant('RemoteStage'), url: word, input: type, output: type, auth: word },
      { requiredKeys: ['op', 'url', 'input', 'output'] },
    ),
    fc.record({ op: fc.constant('Const'), value: literal }),
    fc.record({
      op: fc.constant('Project'),
      fields: fc.dictionary(
        fc.string(),
        fc.oneof(fc.record({ path: fc.string() }), fc.record({ value: literal })),
        { maxKeys: 3 },
      ),
    }),
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
    fc.record(
      {
        op: fc.constant('Retry'),
        stage: tie('node'),
        max_attempts: fc.nat({ max: 4 }),
        delay_ms: fc.option(fc.nat({ max: 3 })),
        backoff: fc.option(fc.constantFrom(1, 1.5, 2)),
        max_delay_ms: fc.option(fc.nat({ max: 3 })),
        retry_on: fc.oneof(fc.constant('retryable'), fc.array(word, { minLength: 1, maxLength: 2 })),
      },
      { requiredKeys: ['op', 'stage', 'max_attempts'] },
    ),
    fc.record({
      op: fc.constant('Let'),
      bindings: fc.dictionary(fc.string(), tie('node'), { maxKeys: 3 }),
      body: tie('node'),
    }),
    fc.record(
      {
        op: fc.constant('Map'),
        over: fc.string(),
        as: fc.string(),
        stage: tie('node'),
        concurrency: fc.integer({ min: 1, max: 64 }),
        on_error: fc.constantFrom('fail', 'collect'),
      },
      { requiredKeys: ['op', 'over', 'as', 'stage'] },
    ),
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

describe('a printed graph', () => {
  it('reads back as the same graph, additions and all', () => {
    const more = fc.record(
      {
        policy: fc.record({ effects: fc.array(word), hosts: fc.array(word) }, { requiredKeys: [] }),
        lease: fc.record({ name: word }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(node, more, fc.string(), (root, top, description) => {
        const graph = parseGraph({ description, version: '1', root, ...top }, 'g');

        expect(parseGraph(printGraph(graph), 'g')).toEqual(graph);
      }),
    );
  });
});

describe('a deadline', () => {
  const leaf = { op: 'Stage', id: 'a' };
  const seq = (stages: readonly Json[], timeout_ms?: number): Json => ({
    op: 'Sequential',
    stages,
    ...(timeout_ms !== undefined && { timeout_ms }),
  });

  it.each<[string, Json]>([
    ['Sequential of one', seq([leaf], 5)],
    ['Sequential within a Sequential', seq([leaf, seq([leaf, leaf], 5)])],
    ['Retry of one attempt', { op: 'Retry', stage: leaf, max_attempts: 1, delay_ms: null, timeout_ms: 5 }],
    ['Let without bindings', { op: 'Let', bindings: {}, body: leaf, timeout_ms: 5 }],
    [
      'Retry within a Retry',
      {
        op: 'Retry',
        stage: { op: 'Retry', stage: leaf, max_attempts: 2, delay_ms: null, timeout_ms: 5 },
        max_attempts: 2,
        delay_ms: null,
      },
    ],
    [
      'Retry with a rule within a Retry',
      {
        op: 'Retry',
        stage: { op: 'Retry', stage: leaf, max_attempts: 2, delay_ms: null, retry_on: 'retryable' },
        max_attempts: 2,
        delay_ms: null,
      },
    ],
  ])('or a rule keeps a %s as it is', (_name, root) => {
    expect(nodeJson(canonicalise(graphOf(root).root))).toEqual(root);
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
