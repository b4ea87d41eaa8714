import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { parseGraph } from '../graph/parse.ts';
import type { Json } from '../ports.ts';
import { type Catalog, buildCatalog } from '../stage/catalog.ts';
import { stageKit } from '../stage/define-stage.ts';
import { type CheckOptions, checkGraph } from './check.ts';
import type { CheckReport } from './problem.ts';

const defineStage = stageKit<{ clock: { readonly clock: { now(): string } } }>();
const Task = z.strictObject({ id: z.string(), status: z.enum(['Done', 'Ready']) });

const now = defineStage({
  name: 'clock_now',
  description: 'Gives the instant.',
  effects: ['NonDeterministic'],
  capabilities: ['clock'],
  input: z.object({}),
  output: z.strictObject({ now: z.string() }),
  examples: [{ input: {}, output: { now: '' } }],
  run: (_input, { clock }) => ({ now: clock.now() }),
});
const load = defineStage({
  name: 'load_state',
  description: 'Loads.',
  effects: ['Fallible'],
  input: z.object({
    sprint_id: z.string(),
    host: z.string().nullable(),
    mode: z.enum(['full', 'brief']).default('full'),
  }),
  output: z.strictObject({
    tasks: z.array(Task),
    rev: z.number(),
    last: z.strictObject({ at: z.string() }).nullable(),
  }),
  examples: [{ input: { sprint_id: 's', host: null }, output: { tasks: [], rev: 0, last: null } }],
  run: () => ({ tasks: [], rev: 0, last: null }),
});
const decide = defineStage({
  name: 'decide',
  description: 'Decides.',
  effects: ['Pure'],
  input: z.object({ tasks: z.array(Task), now: z.string() }),
  output: z.strictObject({ go: z.boolean() }),
  examples: [{ input: { tasks: [], now: '' }, output: { go: true } }],
  run: () => ({ go: true }),
});
const titled = defineStage({
  name: 'title_of',
  description: 'Names a task.',
  effects: ['Pure'],
  input: z.object({ task: Task, repo: z.string() }),
  output: z.string(),
  examples: [{ input: { task: { id: 'a', status: 'Done' }, repo: 'o/r' }, output: 'a' }],
  run: ({ task }) => task.id,
});
const isTrue = defineStage({
  name: 'is_true',
  description: 'Answers.',
  effects: ['Pure'],
  input: z.object({ go: z.boolean() }),
  output: z.boolean(),
  examples: [{ input: { go: true }, output: true }],
  run: ({ go }) => go,
});
const catalog: Catalog = buildCatalog(
  [now, load, decide, titled, isTrue].map((stage) => ({ stage, archive: { 'a.ts': stage.name } })),
);

const stage = (id: string, config?: Json): Json => ({
  op: 'Stage',
  id,
  ...(config !== undefined && { config }),
});
const seq = (...stages: readonly Json[]): Json => ({ op: 'Sequential', stages });
const project = (fields: Record<string, string>): Json => ({
  op: 'Project',
  fields: Object.fromEntries(Object.entries(fields).map(([name, path]) => [name, { path }])),
});
const bind = (bindings: { readonly [name: string]: Json }, body: Json): Json => ({
  op: 'Let',
  bindings,
  body,
});

function check(root: Json, options: CheckOptions = {}, more: object = {}): CheckReport {
  return checkGraph(parseGraph({ description: '', version: '', root, ...more }, 'g'), catalog, options);
}

const problems = (report: CheckReport): readonly string[] =>
  report.problems.map(({ path, code }) => `${path} ${code}`);

describe("a graph's input", () => {
  it('has the fields no binding provides, through nested Lets', () => {
    const body = bind(
      { state: stage('load_state') },
      seq(project({ tasks: 'state.tasks', now: 'clock.now' }), stage('decide')),
    );
    const report = check(bind({ clock: stage('clock_now') }, body));

    expect(problems(report)).toEqual([]);
    expect(report.input).toBe(
      'Record { host: Null | Text, mode: Null | Text | OneOf["full", "brief"], sprint_id: Text }',
    );
    expect(report.output).toBe('Record { go: Bool }');
  });

  it('is narrowed by every use of a field', () => {
    const report = check(
      bind(
        { a: stage('load_state'), b: project({ sprint_id: 'sprint_id', x: 'other' }) },
        project({ h: 'host' }),
      ),
    );

    expect(report.input).toMatch(/^Record \{ host: Null \| Text, .*other: Any, sprint_id: Text \}$/u);
    expect(report.output).toBe('Record { h: Null | Text }');
  });

  it('cannot need a field to be two things', () => {
    const report = check(
      bind(
        { a: stage('load_state'), b: seq(project({ go: 'sprint_id' }), stage('is_true')) },
        { op: 'Const', value: 1 },
      ),
    );

    expect(problems(report)).toEqual(['root.bindings.b.stages[1] GRAPH_TYPE_MISMATCH']);
    expect(report.problems[0]?.message).toContain('needed as Bool here and as Text elsewhere');
  });

  it('has the fields a lease is named by', () => {
    expect(check({ op: 'Const', value: 1 }, {}, { lease: { name: 'tick:{sprint_id}' } }).input).toBe(
      'Record { sprint_id: Text }',
    );
  });

  it('is compared with the value given, nested places and all', () => {
    const root = seq(project({ tasks: 'tasks', now: 'now' }), stage('decide'));
    const wrong = check(root, { input: { tasks: [{ id: 'a', status: 'Open' }], now: '' } });
    const right = check(root, { input: { tasks: [{ id: 'a', status: 'Done' }], now: '', extra: 1 } });

    expect(wrong.problems).toMatchObject([{ path: 'input.tasks[0].status', code: 'GRAPH_INPUT_INVALID' }]);
    expect(wrong.problems[0]?.message).toBe('expected OneOf["Done", "Ready"], got the string "Open"');
    expect(right.ok).toBe(true);
    expect(problems(check(root, { input: {} }))).toEqual(['input.now GRAPH_INPUT_INVALID']);
  });
});

describe('paths', () => {
  it('through a nullable record give a nullable field', () => {
    const report = check(seq(stage('load_state'), project({ at: 'last.at', all: '' })));

    expect(report.output).toMatch(/^Record \{ all: Record \{.*\}, at: Null \| Text \}$/u);
  });

  it('to a field that cannot be there name the closest one', () => {
    const report = check(bind({ state: stage('load_state') }, project({ x: 'state.task' })));

    expect(report.problems).toMatchObject([
      { path: 'root.body.fields.x', code: 'GRAPH_FIELD_MISSING', nearest: 'tasks' },
    ]);
  });

  it('of a Map lead to a list; its child sees the outer fields and the item', () => {
    const each: Json = { op: 'Map', over: 'state.tasks', as: 'task', stage: stage('title_of') };
    const report = check(bind({ state: stage('load_state') }, each));
    const wrong = check(
      bind({ state: stage('load_state') }, { ...(each as object), over: 'state.rev' } as Json),
    );
    const collected = check(
      bind({ state: stage('load_state') }, { ...(each as object), on_error: 'collect' } as Json),
    );

    expect(problems(report)).toEqual([]);
    expect(report.output).toBe('List<Text>');
    expect(report.input).toContain('repo: Text');
    expect(problems(wrong)).toEqual(['root.body.over GRAPH_NOT_A_LIST']);
    expect(collected.output).toBe(
      'Record { errors: List<Record { code: Text, index: Number, message: Text }>, results: List<Text> }',
    );
  });
});

describe('problems', () => {
  it('are all listed, with the place of each', () => {
    const report = check(
      bind(
        { a: stage('lod_state'), b: seq({ op: 'Const', value: 'x' }, stage('is_true')), c: seq() },
        {
          op: 'Branch',
          predicate: { op: 'Const', value: 1 },
          if_true: stage('is_true', { go: 'yes' }),
          if_false: seq(),
        },
      ),
    );

    expect(problems(report)).toEqual([
      'root.bindings.a GRAPH_STAGE_UNKNOWN',
      'root.bindings.b.stages[1] GRAPH_TYPE_MISMATCH',
      'root.bindings.c GRAPH_EMPTY_NODE',
      'root.body.predicate GRAPH_PREDICATE_NOT_BOOL',
      'root.body.if_true.config.go GRAPH_CONFIG_INVALID',
      'root.body.if_false GRAPH_EMPTY_NODE',
    ]);
    expect(report.problems[0]).toMatchObject({ nearest: 'load_state', actual: 'lod_state' });
  });

  it('name the field that was probably meant', () => {
    const report = check(
      bind(
        { task_list: { op: 'Const', value: [] } },
        seq(project({ tasks: 'task_list', noww: 'task_list' }), stage('decide')),
      ),
    );

    expect(report.problems).toMatchObject([{ path: 'root.body.stages[1]', nearest: 'noww' }]);
  });

  it('hold a Let body and Branch arms to what they need', () => {
    const root = bind(
      { go: { op: 'Const', value: 'no' } },
      {
        op: 'Branch',
        predicate: { op: 'Const', value: true },
        if_true: stage('is_true'),
        if_false: { op: 'Const', value: false },
      },
    );

    expect(problems(check(root))).toEqual(['root.body.if_true GRAPH_TYPE_MISMATCH']);
  });

  it('know a branch that would get a field where it needs the record', () => {
    const root = bind(
      { all: { op: 'Parallel', branches: { host: stage('load_state') } } },
      stage('load_state'),
    );

    expect(problems(check(root))).toEqual(['root.bindings.all.branches.host GRAPH_BRANCH_AMBIGUOUS']);
  });
});

describe('literals', () => {
  it('fit the enums, maps and lists they lie in', () => {
    const value = { tasks: [{ id: 'a', status: 'Ready' }], now: '' };

    expect(problems(check(seq({ op: 'Const', value }, stage('decide'))))).toEqual([]);
    expect(problems(check(stage('load_state', { mode: 'brief' })))).toEqual([]);
    expect(problems(check(stage('load_state', { mode: 'long' })))).toEqual([
      'root.config.mode GRAPH_CONFIG_INVALID',
    ]);
  });

  it('of a config no input takes are a warning', () => {
    expect(check(stage('load_state', { hots: 'x' })).warnings[0]).toBe(
      'root.config.hots: stage load_state has no input `hots`; did you mean `host`?',
    );
  });
});

describe('a policy', () => {
  const root = bind({ clock: stage('clock_now') }, stage('load_state', { host: 'https://forge.example:1' }));

  it.each([
    [{ effects: [] }, ['root.bindings.clock GRAPH_POLICY_REFUSED', 'root.body GRAPH_POLICY_REFUSED']],
    [{ effects: ['non-deterministic', 'Fallible'] }, []],
    [
      { effects: ['fallible', 'netwrok'] },
      ['policy.effects GRAPH_POLICY_INVALID', 'root.bindings.clock GRAPH_POLICY_REFUSED'],
    ],
    [{ capabilities: [] }, ['root.bindings.clock GRAPH_POLICY_REFUSED']],
    [{ hosts: ['forge.example:1'] }, []],
    [{ hosts: [] }, ['root.body.config.host GRAPH_POLICY_REFUSED']],
  ])('%j', (policy, expected) => {
    expect(problems(check(root, {}, { policy }))).toEqual(expected);
    expect(problems(check(root, { policy }))).toEqual(expected);
  });

  it('bounds token variables of the input', () => {
    const report = check(project({ token_env: 'token_env' }), {
      input: { token_env: 'AWS_SECRET' },
      policy: { auth: ['GITHUB_TOKEN'] },
    });

    expect(problems(report)).toEqual(['input.token_env GRAPH_POLICY_REFUSED']);
  });
});

it('reports steps, effects and capabilities of the whole graph', () => {
  const report = check(bind({ clock: stage('clock_now') }, seq(stage('load_state'))));

  expect(report.effects).toEqual(['Fallible', 'NonDeterministic']);
  expect(report.capabilities).toEqual(['clock']);
  expect(report.steps.map(({ path, stage: name }) => `${path} ${name}`)).toEqual([
    'root.bindings.clock clock_now',
    'root.body.stages[0] load_state',
  ]);
});

it('gives two nodes of one stage variables of their own', () => {
  const T = { kind: 'Var', value: 'T' } as const;
  const identity = { ...isTrue, name: 'identity', input: z.unknown(), output: z.unknown() };
  const own = buildCatalog([{ stage: identity, archive: {}, declared: { input: T, output: T } }]);
  const twice = parseGraph(
    {
      description: '',
      version: '',
      root: {
        op: 'Parallel',
        branches: {
          a: seq({ op: 'Const', value: 1 }, stage('identity')),
          b: seq({ op: 'Const', value: 'x' }, stage('identity')),
        },
      },
    },
    'g',
  );

  expect(checkGraph(twice, own).output).toBe('Record { a: Number, b: Text }');
});

it('lets sources of a Merge that need nothing have any input, and asks for fields where one needs something', () => {
  const merge = (...sources: Json[]): Json => ({
    op: 'Merge',
    sources,
    target: project({ all: '' }),
  });

  expect(check(merge(stage('clock_now'))).input).toBe('Record { source_0: Record {  } }');
  expect(check(merge({ op: 'Const', value: 1 }, { op: 'Const', value: 2 })).input).toBe('Any');
  expect(check(merge({ op: 'Const', value: 1 }), { input: 5 }).problems).toEqual([]);
  expect(check(merge(stage('title_of')), { input: 5 }).problems.map(({ path }) => path)).toEqual(['input']);
});
