import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { check } from '../check/check.ts';
import { checkInputValue } from '../check/check-input.ts';
import type { Json } from '../ports.ts';
import { buildCatalog } from '../stage/catalog.ts';
import { stageKit } from '../stage/define-stage.ts';
import { MAX_NESTING } from '../types/json-fault.ts';
import { NType } from '../types/ntype.ts';
import { canonicalText, compositionId } from './composition-id.ts';
import { GraphError } from './errors.ts';
import { parseGraph } from './parse.ts';

const DEEP = 10_000;
const LEAF = '{"op":"Const","value":1}';

const text = (root: string): string => `{"description":"","version":"1","root":${root}}`;

function issues(source: unknown): readonly string[] {
  try {
    parseGraph(source, 'g.json');
  } catch (error) {
    if (!(error instanceof GraphError) || error.code !== 'GRAPH_INVALID') throw error;
    return (error as GraphError<'GRAPH_INVALID'>).details.issues.map(
      ({ path, message }) => `${path}: ${message}`,
    );
  }
  return [];
}

const rooted = (root: unknown): unknown => ({ description: '', version: '1', root });
const nested = (before: string, inner: string, after: string, depth = DEEP): string =>
  before.repeat(depth) + inner + after.repeat(depth);

const read = stageKit<{ clock: object }>()({
  name: 'read',
  description: 'Reads.',
  effects: ['Pure'],
  input: z.object({ title: z.string(), rows: z.array(z.object({ n: z.number() })) }),
  output: z.string(),
  examples: [{ input: { title: '', rows: [] }, output: '' }],
  run: ({ title }) => title,
});
const catalog = buildCatalog([{ stage: read, archive: {} }]);
const checked = check(parseGraph(rooted({ op: 'Stage', id: 'read' }), 'g'), catalog);
const anything = check(parseGraph(rooted({ op: 'Const', value: 1 }), 'g'), catalog);

describe('a text that is no JSON', () => {
  it.each([
    ['{"a": 1,}', 9, 'a key in double quotes'],
    ['{"a": tru}', 7, 'a value'],
    ['{"a": "x', 7, 'a `"` that ends this text'],
    ['{"a": "\\x"}', 8, 'an escape like \\n or \\u00e9'],
    ['{"a": "\\u12"}', 8, 'an escape like \\n or \\u00e9'],
    ['{"a": "b\tc"}', 9, 'an escape like \\n for a control character'],
    ['{"a": NaN}', 7, 'a value'],
    ['{"a": -Infinity}', 7, 'a value'],
    ['[1}', 3, '`,` or `]`'],
    ['{"a"', 5, '`:` after the key'],
    ['', 1, 'a value'],
    ["{'a': 1}", 2, 'a key in double quotes'],
  ])('%j is refused at column %i: expected %s', (json, column, expected) => {
    expect(issues(json)).toEqual([`: line 1, column ${column}: not JSON, expected ${expected}`]);
  });

  it('is refused with its line, whatever ends the lines before it', () => {
    expect(issues('{\r\n "a": [\r\n  1,\r\n  oops\r\n ]\r\n}')[0]).toContain('line 4, column 3');
  });

  it('is a graph behind a byte order mark', () => {
    expect(issues(`\uFEFF${text(LEAF)}`)).toEqual([]);
  });

  it('never throws anything else, and what JSON.parse takes has no fault', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"op"',
      '"Stage"',
      '\\',
      'u0',
      '1',
      '-',
      ' ',
      'null',
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
        (json) => {
          const [first = ''] = issues(json);
          let parses = true;
          try {
            JSON.parse(json);
          } catch {
            parses = false;
          }

          expect(first.includes('not JSON')).toBe(!parses);
          expect(first).not.toContain('the text is not JSON');
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a key written twice', () => {
  it('is refused in a node, with both places in its message', () => {
    const json = text('{"op":"Stage","id":"a",\n"id":"b"}');

    expect(issues(json)).toEqual(['root: duplicate field `id` at line 2, column 1']);
  });

  it('is refused at the top, in a policy, a lease and a field of Project', () => {
    const top = `{"description":"","description":"","version":"1","root":${LEAF},
      "policy":{"effects":[],"effects":["llm"]},"lease":{"name":"a","name":"b"}}`;
    const project = text('{"op":"Project","fields":{"a":{"value":1,"value":2}}}');

    expect(issues(top)).toEqual([
      ': duplicate field `description` at line 1, column 19',
      'policy: duplicate field `effects` at line 2, column 30',
      'lease: duplicate field `name` at line 2, column 69',
    ]);
    expect(issues(project)[0]).toContain('root.fields.a: duplicate field `value`');
  });

  it('is the last one where the author names the keys, as in the original', () => {
    const { root } = parseGraph(
      text(`{"op":"Parallel","branches":{"a":${LEAF},"a":{"op":"Const","value":2}}}`),
      'g',
    );

    expect(canonicalText(root)).toBe('{"branches":{"a":{"op":"Const","value":2}},"op":"Parallel"}');
  });

  it('is found below arrays and keys of any name', () => {
    const json = text(
      `{"op":"Sequential","stages":[${LEAF},{"op":"Let","bindings":{"__proto__":{"op":"Const","value":1,"op":"Const"}},"body":${LEAF}}]}`,
    );

    expect(issues(json)[0]).toMatch(/^root\.stages\[1\]\.bindings\.__proto__: duplicate field `op`/u);
  });
});

describe('words that are not known', () => {
  it.each<[unknown, string]>([
    [{ op: 'Sequental', stages: [] }, 'root: unknown variant `Sequental` for `op`, expected Sequential'],
    [{ op: 'stage', id: 'a' }, 'root: unknown variant `stage` for `op`, expected Stage'],
    [{ op: 7 }, 'root: unknown variant `7` for `op`, expected Stage, RemoteStage, Const'],
    [{ id: 'a' }, 'root: missing field `op`, expected Stage, RemoteStage, Const'],
    [
      {
        op: 'RemoteStage',
        url: 'u',
        input: { kind: 'Txt' },
        output: { kind: 'List', value: { kind: 'Sting' } },
      },
      'root.input.kind: unknown variant `Txt`, expected Text',
    ],
  ])('in %j are refused with what was probably meant', (root, expected) => {
    expect(issues(rooted(root))[0]).toContain(expected);
  });

  it('are shown in part when they are long', () => {
    const long = 'x'.repeat(1_000_000);

    expect(issues(rooted({ op: long }))[0]?.length).toBeLessThan(400);
    expect(issues(rooted({ op: 'Stage', id: 'a', pinning: long }))[0]?.length).toBeLessThan(400);
    expect(
      issues(rooted({ op: 'Retry', stage: { op: 'Const', value: 1 }, max_attempts: long }))[0]?.length,
    ).toBeLessThan(400);
  });
});

it('of very many issues the message names twenty', () => {
  const stages = Array.from({ length: 5000 }, () => ({ op: 'Sage' }));
  const read = (): unknown => parseGraph(rooted({ op: 'Sequential', stages }), 'g');

  expect(issues(rooted({ op: 'Sequential', stages }))).toHaveLength(5000);
  expect(read).toThrow(/and 4980 more$/u);
});

describe('a type', () => {
  const typeIssues = (input: unknown): readonly string[] =>
    issues(rooted({ op: 'RemoteStage', url: 'u', input, output: { kind: 'Any' } }));

  it.each<[unknown, string]>([
    [
      'Text',
      'root.input: invalid type: string "Text", expected adjacently tagged enum NType, like {"kind":"Text"}',
    ],
    [{}, 'root.input: missing field `kind`, expected Any, Bool'],
    [{ kind: 'List' }, 'root.input: missing field `value` of List'],
    [{ kind: 'Text', value: 1 }, 'root.input.value: Text has no value, got number'],
    [{ kind: 'Map', value: { key: { kind: 'Text' } } }, 'root.input.value: missing field `value`'],
    [{ kind: 'Map', value: [] }, 'root.input.value: expected an object with key and value, got array'],
    [{ kind: 'Record', value: { 'a b': 1 } }, 'root.input.value["a b"]: invalid type: number'],
    [{ kind: 'Union', value: {} }, 'root.input.value: expected an array of types, got object'],
    [
      { kind: 'Union', value: [{ kind: 'Txt' }] },
      'root.input.value[0].kind: unknown variant `Txt`, expected Text',
    ],
    [{ kind: 'Var', value: 1 }, 'root.input.value: expected a string, got number'],
    [{ kind: 'RecordWith', value: { fields: {} } }, 'root.input.value: missing field `rest`'],
    [{ kind: 'Refined', value: { base: { kind: 'Text' } } }, 'root.input.value: missing field `refinement`'],
    [
      { kind: 'Refined', value: { base: { kind: 'Text' }, refinement: { kind: 'NonEmty' } } },
      'root.input.value.refinement.kind: unknown variant `NonEmty`, expected NonEmpty',
    ],
    [
      { kind: 'Refined', value: { base: { kind: 'Number' }, refinement: { kind: 'Range', min: '0' } } },
      'root.input.value.refinement.min: expected a number, got string',
    ],
    [
      { kind: 'Refined', value: { base: { kind: 'Text' }, refinement: { kind: 'OneOf' } } },
      'root.input.value.refinement.options: expected an array, got undefined',
    ],
  ])('%j is refused at its place', (input, expected) => {
    expect(typeIssues(input)[0]).toContain(expected);
    expect(NType.safeParse(input).success).toBe(false);
  });

  it('keeps a field of any name', () => {
    const json =
      '{"kind":"Record","value":{"__proto__":{"kind":"Text"},"constructor":{"kind":"Bool"},"2":{"kind":"Null"}}}';
    const type = NType.parse(JSON.parse(json));

    expect(type.kind === 'Record' && Object.keys(type.value)).toEqual(['2', '__proto__', 'constructor']);
  });
});

describe(`nesting ${DEEP} levels deep`, () => {
  it.each([
    ['Sequentials', nested('{"op":"Sequential","stages":[', LEAF, ']}')],
    ['Lets', nested('{"op":"Let","bindings":{},"body":', LEAF, '}')],
    ['Retries', nested('{"op":"Retry","max_attempts":2,"stage":', LEAF, '}')],
    ['a literal', `{"op":"Const","value":${nested('[', '1', ']')}}`],
    ['a config', `{"op":"Stage","id":"a","config":{"a":${nested('{"a":', '1', '}')}}}`],
    [
      'a type',
      `{"op":"RemoteStage","url":"u","output":{"kind":"Any"},"input":${nested('{"kind":"List","value":', '{"kind":"Any"}', '}')}}`,
    ],
  ])('of %s is refused', (_name, root) => {
    expect(issues(text(root))[0]).toMatch(
      /^root[.[].*: expected JSON of at most 512 levels, got a deeper one$/u,
    );
    expect(issues(JSON.parse(text(root)))).toHaveLength(1);
  });

  it('of a text that ends too early is refused where it ends', () => {
    expect(issues('['.repeat(DEEP))).toEqual([`: line 1, column ${DEEP + 1}: not JSON, expected a value`]);
  });

  it('of an input or a type is refused', () => {
    const value = JSON.parse(nested('{"a":', '1', '}')) as Json;
    const type: unknown = JSON.parse(nested('{"kind":"List","value":', '{"kind":"Any"}', '}'));

    expect(checkInputValue(anything, value)).toMatchObject([
      { code: 'GRAPH_INPUT_INVALID', expected: 'JSON of at most 512 levels', actual: 'a deeper one' },
    ]);
    expect(NType.safeParse(type).success).toBe(false);
  });

  it('of a value that holds itself is refused', () => {
    const ring: { self?: unknown } = {};
    ring.self = ring;

    expect(checkInputValue(anything, ring)).toMatchObject([{ code: 'GRAPH_INPUT_INVALID' }]);
    expect(issues(rooted({ op: 'Const', value: ring }))).toHaveLength(1);
  });

  it('as deep as it may be is read, checked and hashed', () => {
    const depth = Math.floor(MAX_NESTING / 2) - 2;
    const graph = parseGraph(
      text(nested('{"op":"Sequential","stages":[{"op":"Const","value":0},', LEAF, ']}', depth)),
      'g',
    );
    const lets = parseGraph(
      text(nested(`{"op":"Let","bindings":{"a":${LEAF}},"body":`, LEAF, '}', MAX_NESTING - 3)),
      'g',
    );

    expect(check(graph, catalog).report).toMatchObject({ ok: true, output: 'Number' });
    expect(check(lets, catalog).report.plan.steps).toEqual([]);
    expect(compositionId(lets)).toMatch(/^[0-9a-f]{64}$/u);
  });
});

describe('10 MB', () => {
  const row = { n: 1, note: 'x'.repeat(80) };
  const rows = Array.from({ length: 100_000 }, () => row);

  it('of input is checked', () => {
    expect(checkInputValue(checked, { title: 't', rows })).toEqual([]);
    expect(checkInputValue(checked, { title: 't', rows: [...rows, { n: 'no' }] })).toMatchObject([
      { path: 'input.rows[100000].n', expected: 'Number', actual: 'the string "no"' },
    ]);
    expect(checkInputValue(checked, { title: 'x'.repeat(10_000_000), rows: 1 })).toMatchObject([
      { path: 'input.rows', actual: '1' },
    ]);
  });

  it('of literal are read, checked and hashed', () => {
    const root = {
      op: 'Sequential',
      stages: [
        { op: 'Const', value: { title: 't', rows } },
        { op: 'Stage', id: 'read' },
      ],
    };
    const graph = parseGraph(JSON.stringify(rooted(root)), 'g');

    expect(check(graph, catalog).report).toMatchObject({ ok: true, output: 'Text' });
    expect(compositionId(graph)).toMatch(/^[0-9a-f]{64}$/u);
  });

  it('of one string are read', () => {
    expect(issues(text(JSON.stringify({ op: 'Const', value: '\\"\n'.repeat(2_000_000) })))).toEqual([]);
  });
});

describe('what JSON does not have', () => {
  it.each<[string, unknown, string]>([
    ['NaN', Number.NaN, 'got NaN'],
    ['Infinity', [1, Number.POSITIVE_INFINITY], 'got Infinity'],
    ['undefined', { a: undefined }, 'got undefined'],
    ['a date', { a: new Date(0) }, 'got an object of class Date'],
    ['a function', () => 1, 'got function'],
    ['a bigint', 1n, 'got bigint'],
    ['half a surrogate pair', 'a\ud800', 'got a string with half a surrogate pair'],
    ['a key of half a surrogate pair', { '\udc00': 1 }, 'got a string with half a surrogate pair'],
  ])('%s is refused in a literal and in an input', (_name, value, expected) => {
    expect(issues(rooted({ op: 'Const', value }))[0]).toContain(expected);
    expect(checkInputValue(anything, value)[0]?.message).toContain(expected);
  });

  it('a number too large for it is refused, with its place', () => {
    expect(issues(text('{"op":"Const","value":{"a":[1e400]}}'))).toEqual([
      'root.value.a[0]: expected a number JSON has, got Infinity',
    ]);
  });

  it('a second zero is the first one, as in every id', () => {
    const { root } = parseGraph(text('{"op":"Const","value":{"a":[-0,-0.0,1]}}'), 'g');

    expect(root).toEqual({ op: 'Const', value: { a: [0, 0, 1] } });
  });

  it('half characters in ids, names and paths are refused', () => {
    expect(issues(text('{"op":"Stage","id":"\\ud83d"}'))[0]).toContain('root.id: expected whole characters');
    expect(issues(text(`{"op":"Parallel","branches":{"\\udc00":${LEAF}}}`))[0]).toContain(
      'half a surrogate pair',
    );
    expect(issues(text('{"op":"Const","value":"\\ud83d\\ude00"}'))).toEqual([]);
  });
});

describe('keys that objects have of their own', () => {
  it.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString', '1'])(
    '%s is a name like any other',
    (name) => {
      const root = `{"op":"Let","bindings":{"${name}":{"op":"Const","value":{"${name}":7}}},"body":{"op":"Project","fields":{"${name}":{"path":"${name}.${name}"}}}}`;
      const graph = parseGraph(text(root), 'g');

      expect(canonicalText(graph.root)).toContain(`"${name}":{"path":"${name}.${name}"}`);
      expect(check(graph, catalog).report).toMatchObject({ ok: true, output: `Record { ${name}: Number }` });
    },
  );

  it('stand for no field that is not there', () => {
    const missing = parseGraph(
      rooted({
        op: 'Sequential',
        stages: [
          { op: 'Const', value: {} },
          { op: 'Project', fields: { a: { path: 'constructor' } } },
        ],
      }),
      'g',
    );

    expect(check(missing, catalog).report.problems).toMatchObject([{ code: 'GRAPH_FIELD_MISSING' }]);
    expect(checkInputValue(checked, JSON.parse('{"__proto__":{"title":"t","rows":[]}}'))).toMatchObject([
      { path: 'input.rows', actual: 'nothing' },
    ]);
  });
});

describe('an operator without children', () => {
  it.each<[string, Json]>([
    ['Sequential', { op: 'Sequential', stages: [] }],
    ['Parallel', { op: 'Parallel', branches: {} }],
    ['Fanout', { op: 'Fanout', source: { op: 'Const', value: 1 }, targets: [] }],
    ['Merge', { op: 'Merge', sources: [], target: { op: 'Const', value: 1 } }],
    ['Let', { op: 'Let', bindings: {}, body: { op: 'Const', value: 1 } }],
  ])('%s is refused by the checker, with its place', (op, root) => {
    const graph = parseGraph(rooted({ op: 'Retry', stage: root, max_attempts: 2 }), 'g');

    expect(check(graph, catalog).report.problems).toMatchObject([
      { path: 'root.stage', code: 'GRAPH_EMPTY_NODE', message: `empty ${op} node` },
    ]);
  });
});

it('whatever JSON is given, a graph comes out or GRAPH_INVALID with places', () => {
  const ops = fc.constantFrom(
    'Stage',
    'Const',
    'Sequential',
    'Parallel',
    'Let',
    'Map',
    'Project',
    'Retry',
    'RemoteStage',
    'x',
  );
  const names = fc.constantFrom(
    'op',
    'id',
    'stages',
    'branches',
    'bindings',
    'body',
    'value',
    'config',
    'fields',
    'stage',
    'input',
    'kind',
    'timeout_ms',
    'retry_on',
  );
  const { any } = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>(null, 1, -1, true, '', 'Text', Number.NaN),
      ops,
      fc.array(tie('any'), { maxLength: 3 }),
      fc
        .tuple(ops, fc.dictionary(names, tie('any'), { maxKeys: 5 }))
        .map(([op, fields]) => ({ op, ...fields })),
    ),
  }));
  fc.assert(
    fc.property(any, (root) => {
      const found = issues(rooted(root));
      if (found.length > 0) return;
      const graph = parseGraph(rooted(root), 'g');

      expect(compositionId(graph)).toMatch(/^[0-9a-f]{64}$/u);
      expect(Array.isArray(check(graph, catalog).report.problems)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
