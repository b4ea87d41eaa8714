import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { parseGraph } from '../graph/parse.ts';
import type { Json } from '../ports.ts';
import { buildCatalog } from '../stage/catalog.ts';
import { stageKit } from '../stage/define-stage.ts';
import { checkInputValue } from './check-input.ts';
import { type CheckOptions, check } from './check.ts';
import type { CheckReport } from './problem.ts';

const defineStage = stageKit<{ clock: object }>();
const costs = { time_ms_p50: 10, tokens_est: 100, memory_mb: 8 };

const priced = defineStage({
  name: 'priced',
  description: 'Costs.',
  effects: [{ effect: 'Cost', cents: 5 }],
  input: z.string(),
  output: z.string(),
  examples: [{ input: '', output: '' }],
  cost: costs,
  run: (text) => text,
});
const big = defineStage({
  name: 'big',
  description: 'Needs memory.',
  effects: ['Pure'],
  input: z.unknown(),
  output: z.string(),
  examples: [{ input: '', output: '' }],
  cost: { memory_mb: 64 },
  run: () => '',
});
const yes = defineStage({
  name: 'yes',
  description: 'Answers.',
  effects: ['Pure'],
  input: z.unknown(),
  output: z.boolean(),
  examples: [{ input: 1, output: true }],
  run: () => true,
});
const each = defineStage({
  name: 'each',
  description: 'Runs a stage per item.',
  effects: ['Fallible'],
  input: z.object({ items: z.array(z.unknown()), stage_id: z.string() }),
  output: z.array(z.unknown()),
  examples: [{ input: { items: [], stage_id: 'priced' }, output: [] }],
  references: { stage_id: { takes: 'items[]' } },
  run: ({ items }) => items,
});
const issue = defineStage({
  name: 'issue',
  description: 'Opens an issue.',
  effects: ['Pure'],
  input: z.object({ title: z.string(), labels: z.array(z.string()), at: z.object({ line: z.number() }) }),
  output: z.string(),
  examples: [{ input: { title: '', labels: [], at: { line: 1 } }, output: '' }],
  run: ({ title }) => title,
});
const catalog = buildCatalog(
  [priced, big, yes, each, issue].map((stage) => ({ stage, archive: { 'a.ts': stage.name } })),
);

const stage = (id: string, config?: Json): Json => ({
  op: 'Stage',
  id,
  ...(config !== undefined && { config }),
});
const seq = (...stages: readonly Json[]): Json => ({ op: 'Sequential', stages });
const text: Json = { op: 'Const', value: 'x' };

function checked(root: Json, options: CheckOptions = {}, more: object = {}): ReturnType<typeof check> {
  return check(parseGraph({ description: '', version: '', root, ...more }, 'g'), catalog, options);
}

const report = (root: Json, options: CheckOptions = {}, more: object = {}): CheckReport =>
  checked(root, options, more).report;
const problems = ({ problems: found }: CheckReport): readonly string[] =>
  found.map(({ path, code }) => `${path} ${code}`);

describe('a plan', () => {
  const waits = (root: Json): readonly string[] =>
    report(root).plan.steps.map(
      ({ index, stage: name, depends_on }) => `${index} ${name} ${depends_on.join('+')}`,
    );

  it('of a chain waits for the step before; literals and remote stages add none', () => {
    const remote: Json = {
      op: 'RemoteStage',
      url: 'http://h',
      input: { kind: 'Any' },
      output: { kind: 'Text' },
    };

    expect(waits(seq(stage('big'), text, remote, stage('priced')))).toEqual(['0 big ', '1 priced 0']);
  });

  it('of a Let waits for all that is bound', () => {
    const root = seq(stage('yes'), {
      op: 'Let',
      bindings: { a: stage('big'), b: stage('big'), c: text },
      body: stage('yes'),
    });

    expect(waits(root)).toEqual(['0 yes ', '1 big 0', '2 big 0', '3 yes 0+1+2']);
    expect(report(root).plan.groups).toEqual([[1, 2]]);
  });

  it('of a Branch lets both arms wait for the predicate', () => {
    const root = seq(
      { op: 'Branch', predicate: stage('yes'), if_true: stage('big'), if_false: text },
      stage('yes'),
    );

    expect(waits(root)).toEqual(['0 yes ', '1 big 0', '2 yes 0+1']);
    expect(report(root).plan.groups).toEqual([]);
  });

  it('groups the first steps of what begins at once', () => {
    const branches = { a: seq(stage('big'), stage('yes')), b: stage('big') };
    const fanout: Json = { op: 'Fanout', source: stage('big'), targets: [stage('yes'), text, stage('yes')] };
    const merge: Json = { op: 'Merge', sources: [stage('yes'), stage('big')], target: stage('yes') };

    expect(report({ op: 'Parallel', branches }).plan.groups).toEqual([[0, 2]]);
    expect(report(fanout).plan.groups).toEqual([[1, 2]]);
    expect(waits(merge)).toEqual(['0 yes ', '1 big ', '2 yes 0+1']);
    expect(report(merge).plan.groups).toEqual([[0, 1]]);
  });

  it('adds up what stages declare, memory at its most, and is null where nothing is declared', () => {
    const retried: Json = { op: 'Retry', stage: stage('priced'), max_attempts: 9 };
    const root = seq(
      text,
      { op: 'Branch', predicate: stage('yes'), if_true: retried, if_false: stage('priced') },
      stage('big'),
    );

    expect(report(root).plan.cost).toEqual({ time_ms_p50: 20, tokens_est: 200, memory_mb: 64, cents: 10 });
    expect(report(stage('yes')).plan.cost).toEqual({
      time_ms_p50: null,
      tokens_est: null,
      memory_mb: null,
      cents: null,
    });
  });

  it('counts the stages a node names', () => {
    expect(report(stage('each', { stage_id: 'priced' })).plan.cost).toMatchObject({
      cents: 5,
      time_ms_p50: 10,
    });
  });

  it('above the budget is a problem, and at it is none', () => {
    const root = seq(text, stage('priced'), stage('priced'));

    expect(problems(report(root, { budget_cents: 10 }))).toEqual([]);
    expect(report(root, { budget_cents: 9 }).problems).toMatchObject([
      {
        path: 'root',
        code: 'GRAPH_BUDGET_EXCEEDED',
        kind: 'CostBudgetExceeded',
        message: 'estimated composition cost (10¢) exceeds budget (9¢)',
      },
    ]);
  });
});

describe('edges', () => {
  it('say for every node what flows in, what it takes and what it gives', () => {
    const root = seq(text, {
      op: 'Branch',
      predicate: stage('yes'),
      if_true: stage('priced'),
      if_false: { op: 'Project', fields: { n: { value: 1 } } },
    });

    expect(report(root).edges).toEqual([
      { path: 'root.stages[0]', from: 'Any', to: 'Any', gives: 'Text' },
      { path: 'root.stages[1].predicate', from: 'Text', to: 'Any', gives: 'Bool' },
      { path: 'root.stages[1].predicate', from: 'Bool', to: 'Bool', gives: null },
      { path: 'root.stages[1].if_true', from: 'Text', to: 'Text', gives: 'Text' },
      { path: 'root.stages[1].if_false', from: 'Text', to: 'Any', gives: 'Record { n: Number }' },
    ]);
  });

  it('are part of the report as JSON, with the plan', () => {
    const json = JSON.parse(JSON.stringify(report(seq(text, stage('priced'))))) as CheckReport;

    expect(json.edges).toHaveLength(2);
    expect(json.plan.steps).toMatchObject([
      { index: 0, path: 'root.stages[1]', stage: 'priced', depends_on: [] },
    ]);
  });
});

describe('the field that was probably meant', () => {
  const given = (value: Json): Json => seq({ op: 'Const', value }, stage('issue'));
  const at = { line: 1 };

  it.each<[string, Json, string]>([
    ['has a near name', { titel: 't', labels: ['a'], at }, 'titel'],
    ['is the only spare one that fits', { headline: 't', labels: ['a'], at, n: 1 }, 'headline'],
    ['may lie deeper', { title: 't', labels: ['a'], at: { lin: 2 } }, 'lin'],
    ['fits where another of that name does not', { title: 't', labels: 1, tags: ['a'], at }, 'tags'],
  ])('%s', (_name, value, nearest) => {
    const [problem] = report(given(value)).problems;

    expect(problem).toMatchObject({ path: 'root.stages[1]', code: 'GRAPH_TYPE_MISMATCH', nearest });
    expect(problem?.message).toContain(`did you mean \`${nearest}\``);
  });

  it('is none of several that fit, and none that may be anything', () => {
    expect(report(given({ a: 't', b: 'u', labels: ['x'], at })).problems).toMatchObject([{ nearest: null }]);
    expect(report(seq({ op: 'Const', value: { name: 'n', n: 1 } }, stage('priced'))).problems).toMatchObject([
      { nearest: 'name' },
    ]);
  });

  it('is found in the input given, too', () => {
    const graph = checked(stage('issue'));

    expect(checkInputValue(graph, { titel: 't', labels: [], at })).toMatchObject([
      { path: 'input.title', expected: 'Text', actual: 'nothing', nearest: 'titel' },
    ]);
    expect(checkInputValue(graph, { headline: 't', labels: [], at, n: 1 })).toMatchObject([
      { nearest: 'headline' },
    ]);
    expect(checkInputValue(graph, { title: 't', labels: [], at })).toEqual([]);
  });
});

describe('a check that is kept', () => {
  it('answers for every input alike', () => {
    const graph = checked(stage('priced'), { policy: { hosts: ['a.example'] } });

    expect(graph.report.ok).toBe(true);
    expect(checkInputValue(graph, 'x')).toEqual([]);
    expect(checkInputValue(graph, 1)).toMatchObject([{ path: 'input', code: 'GRAPH_INPUT_INVALID' }]);
    expect(graph.report.problems).toEqual([]);
  });

  it('holds the input to the policies', () => {
    const graph = checked(text, { policy: { hosts: ['a.example'] } }, { policy: { auth: ['FORGE'] } });
    const input = { shell_url: 'http://b.example/x', token_env: 'OTHER', auth: 'FORGE' };

    expect(checkInputValue(graph, input).map(({ path }) => path)).toEqual([
      'input.token_env',
      'input.shell_url',
    ]);
  });
});

describe('a remote stage', () => {
  const remote: Json = {
    op: 'RemoteStage',
    url: 'https://peer.example:8443/run',
    auth: 'PEER',
    input: { kind: 'Text' },
    output: { kind: 'Text' },
  };

  it.each<[object, readonly string[]]>([
    [{ hosts: ['peer.example:8443'], auth: ['PEER'], effects: ['network', 'fallible'] }, []],
    [{ hosts: [] }, ['root.stages[1] GRAPH_POLICY_REFUSED']],
    [{ hosts: ['peer.example'] }, ['root.stages[1] GRAPH_POLICY_REFUSED']],
    [{ auth: [] }, ['root.stages[1].auth GRAPH_POLICY_REFUSED']],
    [{ effects: ['network'] }, ['root.stages[1] GRAPH_POLICY_REFUSED']],
  ])('under %j', (policy, expected) => {
    expect(problems(report(seq(text, remote), { policy }))).toEqual(expected);
    expect(problems(report(seq(text, remote), {}, { policy }))).toEqual(expected);
  });

  it.each<[string, readonly string[], boolean]>([
    ['https://peer.example/x', ['peer.example:443'], true],
    ['https://peer.example/x', ['PEER.example'], true],
    ['http://peer.example/x', ['peer.example:443'], false],
    ['https://peer.example.evil/x', ['peer.example'], false],
    ['https://peer.example@evil.example/x', ['peer.example'], false],
    ['ftp://peer.example/x', ['peer.example'], true],
    ['data:text/plain,x', [''], false],
  ])('at %s under hosts %j', (url, hosts, allowed) => {
    const found = problems(report(seq(text, { ...(remote as object), url } as Json), { policy: { hosts } }));

    expect(found.includes('root.stages[1] GRAPH_POLICY_REFUSED')).toBe(!allowed);
  });

  it.each(['https://peer.example', 'peer.example/x', '*.example', 'a b', ''])(
    'under a host written %j is refused with the policy',
    (host) => {
      expect(problems(report(text, { policy: { hosts: [host] } }))).toEqual([
        'policy.hosts GRAPH_POLICY_INVALID',
      ]);
    },
  );

  it('of an address that is none is of no host', () => {
    const root = seq(text, { ...(remote as object), url: 'peer.example' } as Json);

    expect(problems(report(root, { policy: { hosts: ['peer.example:8443'] } }))).toHaveLength(1);
  });

  it('is bound by the addresses literals hold', () => {
    const root = seq({ op: 'Const', value: { url: 'http://b.example' } }, stage('yes'));

    expect(problems(report(root, { policy: { hosts: ['a.example'] } }))).toEqual([
      'root.stages[0].value.url GRAPH_POLICY_REFUSED',
    ]);
  });
});

it('a graph of 1,000 nodes is checked well within a second', () => {
  const bindings = { a: stage('yes'), b: { op: 'Retry', stage: stage('big'), max_attempts: 2 } };
  const one: Json = { op: 'Let', bindings, body: seq(stage('yes'), text, stage('priced')) };
  const branches = Object.fromEntries(Array.from({ length: 125 }, (_, i) => [`b${i}`, one]));
  const graph = parseGraph({ description: '', version: '', root: { op: 'Parallel', branches } }, 'g');
  check(graph, catalog);
  // Of the processor's time: how busy the machine is is no matter.
  const begun = process.cpuUsage();

  expect(check(graph, catalog).report.ok).toBe(true);
  // The aim is 50 ms; a slow machine has ten times that.
  const { user, system } = process.cpuUsage(begun);
  expect((user + system) / 1_000).toBeLessThan(500);
});
