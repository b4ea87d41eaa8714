import { z } from 'zod';

import { parseGraph } from '../graph/parse.ts';
import type { Json, RunFinished, StepFinished, TraceSink } from '../ports.ts';
import { type RunOptions, type RunResult, runGraph } from '../run/run.ts';
import { buildCatalog } from '../stage/catalog.ts';
import { type Stage, stageKit } from '../stage/define-stage.ts';

/** What a test's `act` stage does. */
export type Act = (input: Json, signal: AbortSignal | undefined) => Promise<Json> | Json;

/** A stage of effects that hands its input to what the test provides. */
export const act: Stage = {
  ...stageKit<{ readonly act: { readonly act: Act } }>()({
    name: 'act',
    description: 'Acts.',
    effects: ['Fallible'],
    capabilities: ['act'],
    input: z.json(),
    output: z.json(),
    examples: [{ input: null, output: null }],
    run: () => null,
  }),
  run: (input: unknown, context: object, signal?: AbortSignal) =>
    (context as { readonly act: Act }).act(input as Json, signal),
};

/** A stage node. */
export function stageNode(id: string, config?: Json, more: object = {}): Json {
  return { op: 'Stage', id, ...(config !== undefined && { config }), ...more };
}

/** A trace kept in memory. */
export interface Traced extends TraceSink {
  readonly steps: StepFinished[];
  readonly finished: RunFinished[];
}

/** A sink that keeps what it is told. */
export function sink(): Traced {
  const steps: StepFinished[] = [];
  const finished: RunFinished[] = [];
  return {
    steps,
    finished,
    runStarted: () => undefined,
    stepFinished: (step) => void steps.push(step),
    runFinished: (run) => void finished.push(run),
  };
}

/** Runs graphs over `act` and some stages. */
export function runnerOf(
  stages: readonly Stage[],
): (root: Json, input: Json, options?: Partial<RunOptions> & { readonly act?: Act }) => Promise<RunResult> {
  const catalog = buildCatalog([act, ...stages].map((stage) => ({ stage, archive: { 'a.ts': stage.name } })));
  return (root, input, options = {}) => {
    const own = options.act ?? ((value: Json) => value);
    return runGraph({
      graph: parseGraph({ description: '', version: '', root }, 'g'),
      graph_name: 'g',
      input,
      catalog,
      capabilities: () => ({ act: { act: own } }),
      clock: { now: () => '2026-01-01T00:00:00.000Z' },
      uuid: () => 'run-1',
      ...options,
    });
  };
}
