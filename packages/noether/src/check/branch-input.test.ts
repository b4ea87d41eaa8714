import { describe, expect, it } from 'vitest';

import { parseGraph } from '../graph/parse.ts';
import type { Json } from '../ports.ts';
import { type DrawnStage, catalogOfDrawn } from '../testing/draw-stage.ts';
import { BOOL, NULL, NUMBER, type NType, TEXT, list, record } from '../types/ntype.ts';
import { union } from '../types/union.ts';
import { checkGraph } from './check.ts';

const stage = (name: string, input: NType, output: NType = BOOL): DrawnStage => ({
  name,
  input,
  output,
  answers: [],
  pure: true,
  fails: 0,
});

const STAGES = [
  stage('count', union([NULL, NUMBER])),
  stage('named', record({ name: TEXT })),
  stage('either', union([list(TEXT), record({ name: TEXT })])),
  stage('table', { kind: 'Map', value: { key: TEXT, value: NUMBER } }),
  stage('tableOrNull', union([NULL, { kind: 'Map', value: { key: TEXT, value: record({}) } }])),
  stage('tables', TEXT, { kind: 'Map', value: { key: TEXT, value: NUMBER } }),
  stage('maybe', TEXT, record({ count: union([NULL, NUMBER]) })),
  stage('some', record({ items: union([NULL, NUMBER]), by: TEXT })),
  stage(
    'marked',
    { kind: 'RecordWith', value: { fields: {}, rest: 'R' } },
    {
      kind: 'RecordWith',
      value: { fields: { done: BOOL }, rest: 'R' },
    },
  ),
  stage('one', union([NULL, record({ name: TEXT })])),
  stage('nothing', NULL),
  stage('same', { kind: 'Var', value: 'T' }, { kind: 'Var', value: 'T' }),
];
const catalog = catalogOfDrawn(STAGES);

const at = (id: string, config?: Json): Json => ({
  op: 'Stage',
  id,
  ...(config !== undefined && { config }),
});
const named = (name: string, id: string): Json => ({ op: 'Parallel', branches: { [name]: at(id) } });
const after = (...stages: readonly Json[]): Json => ({ op: 'Sequential', stages });

function problems(root: Json, input?: Json): readonly string[] {
  const graph = parseGraph({ description: '', version: '', root }, 'g');
  const report = checkGraph(graph, catalog, input === undefined ? {} : { input });
  return report.problems.map(({ path, code }) => `${path} ${code}`);
}

describe("a branch that needs a field of the graph's input", () => {
  it('is refused the whole input where the field is not in it, though null would do', () => {
    const root = named('count', 'count');

    expect(problems(root)).toEqual([]);
    expect(problems(root, { count: null })).toEqual([]);
    expect(problems(root, {})).toEqual(['root.branches.count GRAPH_BRANCH_AMBIGUOUS']);
  });
});

describe('a branch that needs the whole input', () => {
  it('is refused a field of its name that the value has and the type does not', () => {
    const root = named('list', 'named');

    expect(problems(root, { name: 'a' })).toEqual([]);
    expect(problems(root, { name: 'a', list: 1 })).toEqual(['root.branches.list GRAPH_BRANCH_AMBIGUOUS']);
    expect(problems(root, { name: 'a', list: { name: 'b' } })).toEqual([]);
  });

  it('is refused a field of its name where it holds a Parallel of its own', () => {
    const root = { op: 'Parallel', branches: { c: named('count', 'tableOrNull') } };

    expect(problems(root, { count: null })).toEqual([]);
    expect(problems(root, { c: { d: 'text' } })).toEqual(
      expect.arrayContaining(['root.branches.c GRAPH_BRANCH_AMBIGUOUS']),
    );
  });

  it('is refused a field of its name that a variant of the input has', () => {
    expect(problems(named('name', 'either'))).toEqual(['root.branches.name GRAPH_BRANCH_AMBIGUOUS']);
  });
});

describe('a branch over an input that is known', () => {
  it('gets a field, or the whole where the field may be absent', () => {
    expect(problems(after(at('maybe'), named('count', 'count')))).toEqual([
      'root.stages[1].branches.count GRAPH_TYPE_MISMATCH',
    ]);
    expect(problems(after(at('tables'), named('a', 'count')))).toEqual([
      'root.stages[1].branches.a GRAPH_TYPE_MISMATCH',
    ]);
    expect(problems(after(at('tables'), named('a', 'table')))).toEqual([
      'root.stages[1].branches.a GRAPH_TYPE_MISMATCH',
    ]);
  });
});

describe('a config', () => {
  it('asks for its last field as it is or bare', () => {
    const root = at('some', { by: 'b' });

    expect([{ items: 1 }, 1, null, {}].map((input) => problems(root, input))).toEqual([[], [], [], []]);
    expect(problems(root, { items: 'x' })).toEqual(['input.items GRAPH_INPUT_INVALID']);
    expect(problems(root, 'x')).toEqual(['input GRAPH_INPUT_INVALID']);
  });

  it('flows into what an open record does not list', () => {
    const root = after(at('marked', { name: 1 }), at('named'));

    expect(problems(root)).toEqual(['root.stages[1] GRAPH_TYPE_MISMATCH']);
    expect(problems(after(at('marked', { name: 'n' }), at('named')))).toEqual([]);
  });
});

it('a source of a Merge asks a record among the variants of the input for its field', () => {
  const root = {
    op: 'Let',
    bindings: { one: at('one') },
    body: { op: 'Merge', sources: [at('nothing')], target: { op: 'Const', value: 1 } },
  };

  expect(problems(root, { name: 'n' })).toEqual([]);
  expect(problems(root, { name: 'n', source_0: 1 })).toEqual(['input.source_0 GRAPH_INPUT_INVALID']);
});

it("a source of a Merge asks the graph's input for its field through a Branch that passes it on", () => {
  const whole = { op: 'Project', fields: { whole: { path: '' } } };
  const root = after(
    { op: 'Branch', predicate: { op: 'Const', value: false }, if_true: whole, if_false: at('same') },
    {
      op: 'Let',
      bindings: { one: { op: 'Const', value: 1 } },
      body: { op: 'Merge', sources: [at('nothing')], target: { op: 'Const', value: 1 } },
    },
  );

  expect(problems(root, {})).toEqual([]);
  expect(problems(root, { source_0: 1 })).toEqual(['input.source_0 GRAPH_INPUT_INVALID']);
});

it('a branch that needs the whole of a map it turns out to get could get its field', () => {
  const body = { kind: 'Record', value: { a: { kind: 'Map', value: { key: TEXT, value: NUMBER } } } };
  const takes = { kind: 'Record', value: { source_0: body } } as unknown as Json;
  const root = {
    op: 'Merge',
    sources: [{ op: 'Parallel', branches: { a: at('same') } }],
    target: { op: 'RemoteStage', url: 'http://localhost', input: takes, output: { kind: 'Null' } },
  };

  expect(problems(root, { source_0: {} })).toEqual(['root.sources[0].branches.a GRAPH_BRANCH_AMBIGUOUS']);
});
