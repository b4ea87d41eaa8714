import { rmSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import {
  buildCatalog,
  type Catalog,
  checkGraph,
  type Graph,
  type Json,
  parseGraph,
  runGraph,
  type TraceSink,
} from '@caloron/noether';
import { stageKit } from '@caloron/noether/stage';
import { openStore } from '@caloron/store';
import { z } from 'zod';

import type { Row } from './table.ts';

const CHAIN = 10;
const WIDTH = 100;
const RUNS = 15;
/** Executions behind one measured value: a single one is too short for the clock. */
const ROUNDS = 50;
/** Long enough for the code to be compiled. */
const WARM_UP_MS = 1000;

const defineStage = stageKit<Record<string, never>>();

/** A record of 1 KB: twenty texts and a counter. */
const Payload = z.strictObject({
  n: z.number(),
  ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field_${i}`, z.string()])),
});
const payload: Json = {
  n: 0,
  ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field_${i}`, 'x'.repeat(36)])),
};

const step = defineStage({
  name: 'step',
  description: 'Counts one up.',
  effects: ['Pure'],
  input: Payload,
  output: Payload,
  examples: [{ input: payload as z.input<typeof Payload>, output: payload as z.output<typeof Payload> }],
  run: (input) => ({ ...input, n: input.n + 1 }),
});

const catalog: Catalog = buildCatalog([{ stage: step, archive: { 'step.ts': 'step' } }]);
const stage: Json = { op: 'Stage', id: 'step' };

function graphOf(root: Json): Graph {
  return parseGraph({ description: 'bench', version: '0.1.0', root }, 'bench');
}

function nested(depth: number): Json {
  return depth === 0
    ? { op: 'Project', fields: { n: { path: 'n' } } }
    : { op: 'Let', bindings: { [`b${depth}`]: stage }, body: nested(depth - 1) };
}

function named(count: number, make: (index: number) => Json): Json {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`b${i}`, make(i)]));
}

const chain = graphOf({ op: 'Sequential', stages: Array.from({ length: CHAIN }, () => stage) });
const lets = graphOf(nested(10));
const wide = graphOf({ op: 'Parallel', branches: named(WIDTH, () => stage) });
const pick: readonly Json[] = [{ op: 'Project', fields: { p: { path: 'p' } } }];
/** 1,000 nodes of several ops: a hundred branches of a Let, a Retry and a chain. */
const thousand = graphOf({
  op: 'Parallel',
  branches: named(WIDTH, (i) => ({
    op: 'Let',
    bindings: { a: stage, b: { op: 'Retry', stage, max_attempts: 2 }, c: { op: 'Const', value: i } },
    body: {
      op: 'Sequential',
      stages: [{ op: 'Project', fields: { p: { path: 'a.n' }, c: { path: 'c' } } }, ...pick, ...pick],
    },
  })),
});

async function run(graph: Graph, trace: TraceSink | undefined, input: Json = payload): Promise<void> {
  const result = await runGraph({
    graph,
    graph_name: 'bench',
    input,
    catalog,
    capabilities: () => ({}),
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
    trace,
  });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
}

/** µs per stage call, each value the mean of many runs. */
async function perStage(stages: number, once: () => unknown): Promise<readonly number[]> {
  const values: number[] = [];
  const warm = performance.now() + WARM_UP_MS;
  while (performance.now() < warm) await once();
  for (let i = 0; i < RUNS; i += 1) {
    const begun = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) await once();
    values.push(((performance.now() - begun) * 1000) / ROUNDS / stages);
  }
  return values;
}

function bare(): unknown {
  let value: unknown = payload;
  for (let i = 0; i < CHAIN; i += 1) value = step.run(value, {});
  return value;
}

function parsed(): unknown {
  let value: unknown = payload;
  for (let i = 0; i < CHAIN; i += 1) value = step.output.parse(step.run(step.input.parse(value), {}));
  return value;
}

/** What the engine adds to a stage: bare calls, calls with their schemas, without trace and with a durable one. */
export async function benchEngine(): Promise<readonly Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-bench-'));
  const store = openStore(join(dir, 'bench.db'), { clock: systemClock, uuid: () => systemRandom.uuid() });
  const unit = 'µs/stage';
  try {
    return [
      { what: 'chain of 10, bare calls', unit, values: await perStage(CHAIN, bare) },
      { what: 'chain of 10, bare calls with zod', unit, values: await perStage(CHAIN, parsed) },
      { what: 'chain of 10, no trace', unit, values: await perStage(CHAIN, () => run(chain, undefined)) },
      {
        what: 'chain of 10, durable trace',
        unit,
        values: await perStage(CHAIN, () => run(chain, store.runs)),
      },
      { what: 'Let nested 10 deep, no trace', unit, values: await perStage(10, () => run(lets, undefined)) },
      { what: 'Parallel of 100, no trace', unit, values: await perStage(WIDTH, () => run(wide, undefined)) },
      {
        what: 'Parallel of 100, durable trace',
        unit,
        values: await perStage(WIDTH, () => run(wide, store.runs)),
      },
    ];
  } finally {
    store.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The check of a graph of 1,000 nodes, each time anew. */
export async function benchCheck(): Promise<readonly Row[]> {
  const values: number[] = [];
  for (let i = 0; i <= RUNS; i += 1) {
    const graph = { ...thousand };
    const begun = performance.now();
    const report = checkGraph(graph, catalog);
    if (!report.ok) throw new Error(JSON.stringify(report.problems[0]));
    if (i > 0) values.push(performance.now() - begun);
  }
  return [{ what: 'check of a graph of 1,000 nodes', unit: 'ms', values }];
}
