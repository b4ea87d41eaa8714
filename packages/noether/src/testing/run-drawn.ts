import { parseGraph } from '../graph/parse.ts';
import type { Json, OutputCache, StepFinished } from '../ports.ts';
import { runGraph } from '../run/run.ts';
import { type StageHooks, catalogOfDrawn } from './draw-stage.ts';
import type { DrawnGraph } from './draw-graph.ts';

/** How a run of a drawn graph is made. */
export interface DrawnRun extends StageHooks {
  readonly concurrency?: number;
  readonly cache?: OutputCache;
  readonly step?: (step: StepFinished) => void;
}

/** How it ended: an output, or the code and place of the error. Equal outcomes are equal texts. */
export type DrawnOutcome =
  | { readonly status: 'ok'; readonly output: Json }
  | {
      readonly status: 'failed' | 'refused';
      readonly code: string;
      readonly at: string | null;
      readonly message: string;
    };

/** Checks and runs a drawn graph. */
export async function runDrawn(drawn: DrawnGraph, run: DrawnRun = {}): Promise<DrawnOutcome> {
  const { step, concurrency, cache } = run;
  const result = await runGraph({
    graph: parseGraph({ description: '', version: '', root: drawn.root }, 'drawn'),
    graph_name: 'drawn',
    input: drawn.input,
    catalog: catalogOfDrawn(drawn.stages, run),
    capabilities: () => ({}),
    clock: { now: () => '2026-01-01T00:00:00.000Z' },
    uuid: () => 'run',
    concurrency,
    cache,
    trace: step && { runStarted: () => undefined, stepFinished: step, runFinished: () => undefined },
  });
  if (result.ok) return { status: 'ok', output: result.output };
  const { code, path, message } = result.error;
  // A drawn stage never says that there is nothing to do.
  return { status: result.status === 'refused' ? 'refused' : 'failed', code, at: path, message };
}

/** A cache in memory. */
export function memoryCache(): OutputCache {
  const outputs = new Map<string, Json>();
  return {
    get: (stage, hash) => outputs.get(`${stage}:${hash}`),
    put: (stage, hash, output) => void outputs.set(`${stage}:${hash}`, output),
  };
}
