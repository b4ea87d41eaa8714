import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { parseGraph } from '../graph/parse.ts';
import type { Json } from '../ports.ts';
import { type Catalog, buildCatalog } from '../stage/catalog.ts';
import { stageKit } from '../stage/define-stage.ts';
import { type CheckOptions, check } from './check.ts';
import type { CheckReport } from './problem.ts';

const defineStage = stageKit<{ clock: { readonly clock: { now(): string } } }>();

const each = defineStage({
  name: 'map',
  description: 'Runs a stage per item.',
  effects: ['Pure'],
  input: z.object({ items: z.array(z.unknown()), stage_id: z.string() }),
  output: z.array(z.unknown()),
  examples: [{ input: { items: [], stage_id: 'length' }, output: [] }],
  references: { stage_id: { takes: 'items[]' } },
  run: ({ items, stage_id }, { stages }) =>
    Promise.all(items.map((item, index) => stages.call(stage_id, item as Json, { index }))),
});
const some = defineStage({
  name: 'filter',
  description: 'Keeps items.',
  effects: ['Pure'],
  input: z.object({ in: z.object({ items: z.array(z.unknown()) }), tests: z.array(z.string()) }),
  output: z.array(z.unknown()),
  examples: [{ input: { in: { items: [] }, tests: ['is_even'] }, output: [] }],
  references: { tests: { takes: 'in.items[]', gives: { kind: 'Bool' } } },
  run: ({ in: { items } }) => Promise.resolve(items),
});
const length = defineStage({
  name: 'length',
  description: 'Counts.',
  effects: ['Pure'],
  input: z.string(),
  output: z.number(),
  examples: [{ input: 'a', output: 1 }],
  run: (text) => text.length,
});
const isEven = defineStage({
  name: 'is_even',
  description: 'Answers.',
  effects: ['Pure'],
  input: z.number(),
  output: z.boolean(),
  examples: [{ input: 2, output: true }],
  run: (n) => n % 2 === 0,
});
const stamped = defineStage({
  name: 'stamped',
  description: 'Adds the instant.',
  effects: ['NonDeterministic', { effect: 'Cost', cents: 3 }],
  capabilities: ['clock'],
  input: z.string(),
  output: z.string(),
  examples: [{ input: '', output: '' }],
  run: (text, { clock }) => `${text} ${clock.now()}`,
});
const catalog: Catalog = buildCatalog(
  [each, some, length, isEven, stamped].map((stage) => ({ stage, archive: { 'a.ts': stage.name } })),
);

const stage = (id: string, config?: Json): Json => ({
  op: 'Stage',
  id,
  ...(config !== undefined && { config }),
});
const from = (value: Json, next: Json): Json => ({
  op: 'Sequential',
  stages: [{ op: 'Const', value }, next],
});

function checked(root: Json, options: CheckOptions = {}): ReturnType<typeof check> {
  return check(parseGraph({ description: '', version: '', root }, 'g'), catalog, options);
}

const problems = ({ report }: { readonly report: CheckReport }): readonly string[] =>
  report.problems.map(({ path, code }) => `${path} ${code}`);

describe('a stage that names others', () => {
  it('is resolved with them', () => {
    const { callees, report } = checked(from(['a'], stage('map', { stage_id: 'length' })));
    const [[node, found] = []] = callees;

    expect(report.problems).toEqual([]);
    expect(node?.id).toBe('map');
    expect([...(found ?? [])].map(([text, { record }]) => [text, record.name])).toEqual([
      ['length', 'length'],
    ]);
    expect(report.steps).toMatchObject([{ stage: 'map', calls: ['length'], effects: ['Pure'] }]);
  });

  it('takes names, prefixes, ids and signature ids', () => {
    const { record } = catalog.resolve('length');
    for (const text of [record.id, record.id.slice(0, 20), record.signature_id]) {
      expect(problems(checked(from(['a'], stage('map', { stage_id: text }))))).toEqual([]);
    }
  });

  it.each<[string, Json, readonly string[]]>([
    ['nowhere', { other: 1 }, ['root.config.stage_id GRAPH_REFERENCE_NOT_LITERAL']],
    [
      'as a number',
      { stage_id: 1 },
      ['root.config.stage_id GRAPH_REFERENCE_NOT_LITERAL', 'root.config.stage_id GRAPH_CONFIG_INVALID'],
    ],
    ['of nobody', { stage_id: 'lenght' }, ['root.config.stage_id GRAPH_STAGE_UNKNOWN']],
    ['of one that names others', { stage_id: 'filter' }, ['root.config.stage_id GRAPH_REFERENCE_NESTED']],
  ])('is refused with a reference %s', (_name, config, expected) => {
    expect(problems(checked(stage('map', config)))).toEqual(expected);
  });

  it('cannot take a reference from the data', () => {
    expect(problems(checked(from({ items: [], stage_id: 'length' }, stage('map'))))).toEqual([
      'root.stages[1].config.stage_id GRAPH_REFERENCE_NOT_LITERAL',
    ]);
  });

  it('names the callee that is closest', () => {
    const { report } = checked(stage('map', { stage_id: 'lenght' }));

    expect(report.problems[0]).toMatchObject({ nearest: 'length', actual: 'lenght' });
  });

  it('hands its callee what the callee takes', () => {
    const { report } = checked(from([1], stage('map', { stage_id: 'length' })));

    expect(report.problems).toMatchObject([
      {
        path: 'root.stages[1].config.stage_id',
        code: 'GRAPH_TYPE_MISMATCH',
        expected: 'Text',
        actual: 'Number',
      },
    ]);
  });

  it('needs of its callees what it declares, each of them', () => {
    const config = { tests: ['is_even', 'length'] };
    const report = checked(from({ in: { items: [2] } }, stage('filter', config)));
    const expected = 'root.stages[1].config.tests[1] GRAPH_TYPE_MISMATCH';

    expect(problems(report)).toEqual([expected, expected]);
    expect([...report.callees.values()].map((found) => [...found.keys()])).toEqual([['is_even', 'length']]);
  });

  it('asks of an unknown input what its callee takes', () => {
    const { report } = checked(stage('filter', { tests: ['is_even'] }));

    expect(report.input).toBe('Record { in: Record { items: List<Number> } }');
    expect(checked(stage('map', { stage_id: 'length' })).report.input).toBe(
      'List<Text> | Record { items: List<Text> }',
    );
    expect(problems(checked(stage('map', { stage_id: 'length' }), { input: [1] }))).toEqual([
      'input[0] GRAPH_INPUT_INVALID',
    ]);
  });

  it('has the effects and capabilities of its callees, and is pure only with pure ones', () => {
    const root = from(['a'], stage('map', { stage_id: 'stamped' }));
    const { report } = checked(root);

    expect(report.steps[0]).toMatchObject({ effects: ['Cost', 'NonDeterministic'] });
    expect(report.capabilities).toEqual(['clock']);
    expect(problems(checked(root, { policy: { effects: ['pure'] } }))).toEqual([
      'root.stages[1] GRAPH_POLICY_REFUSED',
      'root.stages[1] GRAPH_POLICY_REFUSED',
    ]);
    expect(problems(checked(root, { policy: { capabilities: [] } }))).toEqual([
      'root.stages[1] GRAPH_POLICY_REFUSED',
    ]);
  });
});
