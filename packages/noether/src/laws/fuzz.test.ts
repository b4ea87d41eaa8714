import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { graphJson } from '../graph/print.ts';
import { parseGraph } from '../graph/parse.ts';
import type { Json } from '../ports.ts';
import type { Catalog } from '../stage/catalog.ts';
import { Draw } from '../testing/draw.ts';
import { drawGraph } from '../testing/draw-graph.ts';
import { type DrawnStage, catalogOfDrawn } from '../testing/draw-stage.ts';
import { fuzzed } from '../testing/fuzz-run.ts';
import { ANY } from '../types/ntype.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const stage = (name: string, pure: boolean, fails: number): DrawnStage => ({
  name,
  input: ANY,
  output: ANY,
  answers: 'same',
  pure,
  fails,
});
const FIXED = [
  stage('same', true, 0),
  stage('later', false, 0),
  stage('fails', true, 1),
  stage('fails_later', false, 1),
];
const catalog = catalogOfDrawn(FIXED);

const graphOf = (root: unknown): unknown => ({ description: '', version: '', root });
const same: Json = { op: 'Stage', id: 'same' };

/** Things that stand where something else was. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  NaN,
  Infinity,
  '',
  '__proto__',
  'constructor',
  '\ud800',
  '\udfff\u0000',
  'same',
  [],
  {},
  [[[]]],
  { op: 'Stage', id: 'same' },
  { op: 'Sequential', stages: [] },
  { kind: 'List' },
  { kind: 'Record', value: JSON.parse('{"__proto__":{"kind":"Text"}}') as Json },
  { kind: 'Refined', value: { base: { kind: 'Any' }, refinement: { kind: 'Range', min: 5, max: 1 } } },
  Symbol('s'),
  10n,
  new Date(0),
  () => 1,
];
const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  '0',
  '\ud800',
  'op',
  'id',
  'stages',
  'root',
  'kind',
  'timeout_ms',
];

/** The value with something in it replaced, taken away or put in. */
function mutated(draw: Draw, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || draw.chance(6)) return draw.pick(ODD);
  if (Array.isArray(value)) {
    const items = [...(value as unknown[])];
    const at = draw.nat(items.length);
    if (draw.chance(4)) items.splice(at, draw.nat(1), draw.pick(ODD));
    else if (at < items.length) items[at] = mutated(draw, items[at]);
    return items;
  }
  const entries = Object.entries(value);
  const at = draw.nat(entries.length - 1);
  const [key, item] = entries[at] ?? ['', null];
  switch (draw.nat(9)) {
    case 7:
      entries.splice(at, 1);
      break;
    case 8:
      entries.push([draw.pick(KEYS) ?? '', draw.pick(ODD)]);
      break;
    case 9:
      entries[at] = [draw.pick(KEYS) ?? '', item];
      break;
    default:
      entries[at] = [key, mutated(draw, item)];
  }
  return Object.fromEntries(entries);
}

/** The text with some of it gone, doubled or replaced. */
function scratched(draw: Draw, text: string): string {
  const from = draw.nat(text.length);
  const to = from + draw.nat(6);
  const patch = draw.pick([
    '',
    ',',
    '"',
    '{',
    '}',
    '1e999',
    'NaN',
    '\u0000',
    '\\u',
    '\\ud800',
    '//',
    text.slice(from, to + 20),
  ]);
  return `${text.slice(0, from)}${patch}${text.slice(to)}`;
}

/** Fuzzes with what is drawn; a failure shows the source. */
async function fuzz(
  numRuns: number,
  make: (draw: Draw) => [unknown, unknown, Catalog],
): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (next) => {
      const [source, input, stages] = make(new Draw(next));
      const { ended } = await fuzzed(source, input, stages).catch((error: unknown) => {
        throw new Error(`${typeof source === 'string' ? source : inspected(source)} on ${inspected(input)}`, {
          cause: error,
        });
      });
      ends.set(ended, (ends.get(ended) ?? 0) + 1);
    }),
    { numRuns, interruptAfterTimeLimit: 10_000 },
  );
  return ends;
}

function inspected(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item)) ?? '';
}

describe('whatever is given as a graph', () => {
  it('is refused with a place when it is any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), fc.jsonValue(), async (value, input) => {
        expect((await fuzzed(value, input, catalog)).ended).toBe('parse');
        expect((await fuzzed(graphOf(value), input, catalog)).ended).toBe('parse');
      }),
      { numRuns: 200 },
    );
  });

  it('is refused with a place when it is any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect((await fuzzed(text, null, catalog)).ended).toBe('parse');
      }),
      { numRuns: 200 },
    );
  });

  it('ends with a coded error or a result when it was a graph once', async () => {
    const ends = await fuzz(600, (draw) => {
      const drawn = drawGraph(draw);
      let source: unknown = graphOf(drawn.root);
      for (let i = draw.nat(2); i >= 0; i -= 1) source = mutated(draw, source);
      const input = draw.chance(2) ? drawn.input : mutated(draw, drawn.input);
      const unlucky = draw.chance(2);
      return [source, input, catalogOfDrawn([...drawn.stages, ...FIXED], { unlucky })];
    });

    expect([...ends.keys()].toSorted()).toEqual(['check', 'output', 'parse', 'run']);
  });

  it('ends with a coded error or a result when it was the text of a graph once', async () => {
    const ends = await fuzz(400, (draw) => {
      const drawn = drawGraph(draw);
      const text = JSON.stringify(graphJson(parseGraph(graphOf(drawn.root), 'drawn')));
      return [scratched(draw, text), drawn.input, catalogOfDrawn(drawn.stages)];
    });

    expect(ends.get('parse')).toBeGreaterThan(50);
  });
});

describe('a graph that is too deep', () => {
  const nested = (depth: number, around: (inner: string) => string, core: string): string => {
    const [head = '', tail = ''] = around('\0').split('\0');
    return head.repeat(depth) + core + tail.repeat(depth);
  };
  const STAGE = '{"op":"Stage","id":"same"}';
  const graphText = (root: string): string => `{"description":"","version":"","root":${root}}`;

  it.each([
    ['Sequential', (inner: string) => `{"op":"Sequential","stages":[${inner}]}`],
    ['Retry', (inner: string) => `{"op":"Retry","max_attempts":2,"stage":${inner}}`],
    ['Let', (inner: string) => `{"op":"Let","bindings":{"a":${inner}},"body":{"op":"Const","value":1}}`],
    [
      'Branch',
      (inner: string) =>
        `{"op":"Branch","predicate":{"op":"Const","value":true},"if_true":${inner},"if_false":${STAGE}}`,
    ],
    ['Map', (inner: string) => `{"op":"Map","over":"a","as":"a","stage":${inner}}`],
  ])('of %s is refused or runs, and never overflows the stack', async (_op, around) => {
    for (const depth of [50, 1000, 10_000, 100_000]) {
      const { code } = await fuzzed(graphText(nested(depth, around, STAGE)), {}, catalog);
      if (depth >= 10_000) expect(code).toBe('GRAPH_INVALID');
    }
  });

  it('in its literals, types and input is refused or runs', async () => {
    const deep = nested(20_000, (inner) => `[${inner}]`, '1');
    const type = nested(20_000, (inner) => `{"kind":"List","value":${inner}}`, '{"kind":"Text"}');
    const remote = `{"op":"RemoteStage","url":"http://h","input":${type},"output":{"kind":"Any"}}`;

    for (const root of [
      `{"op":"Const","value":${deep}}`,
      remote,
      `{"op":"Stage","id":"same","config":{"a":${deep}}}`,
    ])
      await fuzzed(graphText(root), null, catalog);
    for (const root of [STAGE, `{"op":"Parallel","branches":{"a":${STAGE}}}`])
      await fuzzed(graphText(root), JSON.parse(deep), catalog);
  });
});

describe('names an object has by itself', () => {
  it.each(['__proto__', 'constructor', 'hasOwnProperty', '10'])(
    '%s is a name like any other',
    async (name) => {
      const own = (value: Json): Json =>
        JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`) as Json;
      const outputs = await Promise.all(
        [
          { op: 'Parallel', branches: own(same) },
          { op: 'Let', bindings: own({ op: 'Const', value: 1 }), body: same },
          { op: 'Stage', id: 'same', config: own(1) },
          { op: 'Project', fields: own({ value: 1 }) },
          { op: 'Project', fields: own({ path: name }) },
          { op: 'Const', value: own(1) },
          same,
        ].map((root) => fuzzed(graphOf(root), own(1), catalog)),
      );

      expect(outputs.map(({ output }) => JSON.stringify(output))).toEqual(
        outputs.map(() => JSON.stringify(own(1))),
      );
    },
  );
});

describe('input that is no JSON', () => {
  const round: unknown[] = [];
  round.push(round);

  it.each([
    NaN,
    Infinity,
    undefined,
    10n,
    () => 1,
    Symbol('s'),
    new Date(0),
    new Map(),
    round,
    { a: NaN },
    { a: round },
  ])('is refused before anything runs: %s', async (input) => {
    expect(await fuzzed(graphOf(same), input, catalog)).toMatchObject({
      ended: 'check',
      code: 'GRAPH_INPUT_INVALID',
    });
  });

  it.each(['1e999', '-1e999', '{"a":[1e999]}'])('is refused in a graph: %s', async (literal) => {
    const text = `{"description":"","version":"","root":{"op":"Const","value":${literal}}}`;

    expect(await fuzzed(text, null, catalog)).toMatchObject({ ended: 'parse', code: 'GRAPH_INVALID' });
  });
});

if (SLOW)
  describe('much of it', () => {
    it('is a few megabytes of text, items or nodes, and runs in seconds', async () => {
      const text = 'é'.repeat(1_500_000);
      const items = Array.from({ length: 12_000 }, (_, i) => ({ i, name: `item ${i}` }));
      const names = Object.fromEntries(items.map(({ name }, i) => [name, i]));
      const all = { op: 'Sequential', stages: Array.from({ length: 3 }, () => same) };

      for (const input of [text, { text }, items, { items }, names]) {
        expect(await fuzzed(graphOf(all), input, catalog)).toMatchObject({ ended: 'output', output: input });
        expect(await fuzzed(graphOf({ op: 'Const', value: input }), null, catalog)).toMatchObject({
          output: input,
        });
      }
      const wide = { op: 'Fanout', source: same, targets: Array.from({ length: 5000 }, () => same) };
      expect((await fuzzed(graphOf(wide), 1, catalog)).ended).toBe('output');
      expect((await fuzzed('['.repeat(3_000_000), 1, catalog)).ended).toBe('parse');
      expect((await fuzzed(`"${text}"`, 1, catalog)).ended).toBe('parse');
    });
  });

describe('a deadline longer than a timer can be', () => {
  it('is not over at once', async () => {
    const root = { op: 'Stage', id: 'later', timeout_ms: 2_147_483_647 };

    expect(await fuzzed(graphOf(root), 1, catalog, 2 ** 40)).toMatchObject({ ended: 'output', output: 1 });
  });
});

describe('a run that would not end', () => {
  it('waits for its second attempt as long as a timer can, not less', async () => {
    const root = { op: 'Retry', stage: { op: 'Stage', id: 'fails' }, max_attempts: 2, delay_ms: 2 ** 40 };

    expect(await fuzzed(graphOf(root), 1, catalog, 100)).toMatchObject({ code: 'GRAPH_RUN_ABORTED' });
  });

  it.each(['fails', 'fails_later'])('is stopped at its deadline: %s', async (id) => {
    const root = { op: 'Retry', stage: { op: 'Stage', id }, max_attempts: 4_294_967_295 };

    expect(await fuzzed(graphOf(root), 1, catalog, 200)).toMatchObject({
      ended: 'run',
      code: 'GRAPH_RUN_ABORTED',
    });
  });
});
