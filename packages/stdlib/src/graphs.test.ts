import { setTimeout as delay } from 'node:timers/promises';

import {
  buildCatalog,
  checkGraph,
  parseGraph,
  runGraph,
  type RunResult,
  type StepFinished,
  valueMismatch,
} from '@caloron/noether';
import type { Json, Stage } from '@caloron/noether/stage';
import { describe, expect, it } from 'vitest';

import { catalog as library } from './index.ts';
import { PURE } from './pure.ts';

const names = new Set(PURE.map(([name]) => name));
const computing = library.filter(({ stage }) => names.has(stage.name));
const catalog = buildCatalog(library.map(({ stage }) => ({ stage, archive: {}, ...stage })));

function graphOf(root: object): ReturnType<typeof parseGraph> {
  return parseGraph(JSON.stringify({ description: 'test', version: '0.1.0', root }), 'test');
}

/** Waits as long as it is told, unless it is interrupted. */
const interrupted: unknown[] = [];
const timer = {
  sleep: (ms: number, signal?: AbortSignal) =>
    delay(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      interrupted.push(signal?.reason);
      throw error;
    }),
};

interface Ran {
  readonly result: RunResult;
  readonly steps: readonly StepFinished[];
}

async function run(root: object, input: unknown): Promise<Ran> {
  const steps: StepFinished[] = [];
  const result = await runGraph({
    graph: graphOf(root),
    graph_name: 'test',
    input: input as Json,
    catalog,
    capabilities: () => ({ timer: { timer } }),
    clock: { now: () => '2026-04-14T08:30:00.000Z' },
    uuid: () => 'run',
    trace: {
      runStarted: () => undefined,
      stepFinished: (step) => void steps.push(step),
      runFinished: () => undefined,
    },
  });
  return { result, steps };
}

const stage = (id: string, config?: object): object => ({ op: 'Stage', id, ...(config && { config }) });

/** The fields of an example that name stages stand in the node's config; the others are its input. */
function nodeOf({ name, references }: Stage, input: unknown): readonly [object, unknown] {
  const fields = Object.keys(references ?? {});
  if (fields.length === 0) return [stage(name), input];
  const entries = Object.entries(input as object);
  const isReference = ([key]: readonly [string, unknown]): boolean => fields.includes(key);
  return [
    stage(name, Object.fromEntries(entries.filter(isReference))),
    Object.fromEntries(entries.filter((entry) => !isReference(entry))),
  ];
}

describe('the examples of a stage that computes hold in a graph', () => {
  const examples = computing.flatMap(({ stage }) =>
    stage.examples.map((example, at) => ({ name: `${stage.name}[${String(at)}]`, stage, example })),
  );

  it.each(examples)('$name', async ({ stage, example }) => {
    const [node, input] = nodeOf(stage, example.input);

    const { result } = await run(node, input);

    expect(result).toMatchObject({ ok: true });
    expect((result as { output?: unknown }).output).toEqual(example.output);
    expect(valueMismatch(example.output as Json, catalog.resolve(stage.name).output)).toBeNull();
  });
});

describe('types flow through', () => {
  const typeOf = (...ids: readonly (string | object)[]): string => {
    const stages = ids.map((id) => (typeof id === 'string' ? stage(id) : id));
    const report = checkGraph(graphOf({ op: 'Sequential', stages }), catalog);
    return report.ok ? report.output : JSON.stringify(report.problems.map(({ message }) => message));
  };

  it.each([
    [['text_lines', 'list_reverse', 'head'], 'Text'],
    [['text_lines', 'identity', 'tail'], 'List<Text>'],
    [['record_keys', { ...stage('list_slice', { start: 1 }) }], 'List<Text>'],
    [['text_length', 'identity', 'abs'], 'Number'],
    [['csv_parse', 'head', 'record_values', 'list_length'], 'Number'],
  ])('%j gives %s', (ids, type) => {
    expect(typeOf(...ids)).toBe(type);
  });

  it('and a wrong one is refused', () => {
    expect(typeOf('text_lines', 'head', 'abs')).toContain('not subtype');
    expect(typeOf('text_length', 'record_keys')).toContain('not subtype');
  });
});

describe('stages that call stages', () => {
  it('are traced call by call', async () => {
    const { result, steps } = await run(stage('map', { stage_id: 'text_length' }), { items: ['a', 'bcd'] });

    expect(result).toMatchObject({ ok: true, output: [1, 3], effects: ['Pure'] });
    expect(steps.map(({ path }) => path).toSorted()).toEqual(['root', 'root.calls[0]', 'root.calls[1]']);
  });

  it('count each attempt', async () => {
    const config = { stage_id: 'head', max_attempts: 3, delay_ms: 1 };
    const { result, steps } = await run(stage('retry', config), { input: [] });

    expect(result).toMatchObject({ ok: false, error: { code: 'STDLIB_RETRY_EXHAUSTED', path: 'root' } });
    expect(steps.filter(({ stage_name }) => stage_name === 'head').length).toBe(3);
  });

  it('fall back on another stage', async () => {
    const { result } = await run(stage('fallback', { stages: ['parse_json', 'text_upper'] }), {
      input: '{x',
    });

    expect(result).toMatchObject({ ok: true, output: '{X' });
  });

  it('interrupt what takes too long and what lost the race', async () => {
    interrupted.length = 0;
    const config = { stage_id: 'sleep', timeout_ms: 20 };

    const late = await run(stage('timeout', config), { input: { ms: 60_000 } });
    const race = await run(stage('race', { stages: ['sleep', 'to_json'] }), { input: { ms: 60_000 } });

    expect(late.result).toMatchObject({ ok: false, error: { code: 'STDLIB_TIMEOUT', path: 'root' } });
    expect(race.result).toMatchObject({ ok: true, output: '{"ms":60000}' });
    expect(race.result.ok && race.result.effects).toContain('NonDeterministic');
    await expect.poll(() => interrupted.length).toBe(2);
  });

  it('fail with the code of the stage they call', async () => {
    const { result } = await run(stage('map', { stage_id: 'parse_json' }), { items: ['1', '[2', '}'] });

    expect(result).toMatchObject({
      ok: false,
      error: { code: 'STDLIB_JSON_INVALID', path: 'root.calls[1]' },
    });
  });

  it.each([
    ['a predicate that gives no boolean', stage('filter', { stage_id: 'text_length' }), { items: ['a'] }],
    [
      'a stage that takes other items',
      {
        op: 'Sequential',
        stages: [{ op: 'Const', value: { items: ['a'] } }, stage('map', { stage_id: 'abs' })],
      },
      null,
    ],
    ['a stage nobody knows', stage('map', { stage_id: 'nobody' }), { items: [] }],
    ['a stage named in the input', stage('map'), { items: [], stage_id: 'to_text' }],
  ])('refuse %s before they run', async (_, node, input) => {
    const { result, steps } = await run(node, input);

    expect(result).toMatchObject({ ok: false, status: 'refused' });
    expect(steps).toEqual([]);
  });
});
