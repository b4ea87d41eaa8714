import type { Json, RunResult } from '@caloron/noether';
import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { shellWord } from '@caloron/types';

import type { JobConfig } from './config.ts';
import { endedSprint } from './ended-sprint.ts';
import { loadGraph, type Runtime } from './runtime.ts';

/** How one fire of a job ended. */
export interface JobOutcome {
  readonly job: string;
  readonly run_id: string;
  readonly composition_id: string | null;
  /** What the run was given; null when it was given nothing. */
  readonly input: Json;
  /** `skipped`: nothing to work on, another run holds the lease, or a stage said that there is nothing to do now. */
  readonly status: 'ok' | 'failed' | 'skipped';
  /** Whether it was skipped as another run holds the lease: it is made again soon. */
  readonly lease_taken: boolean;
  readonly output: Json;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** What to do about the error; absent where nothing is known. */
  readonly hint?: string;
  readonly duration_ms: number;
  /** Log seq up to which the run consumed events; null when its output does not say. */
  readonly consumed_seq: number | null;
  readonly reason: string | null;
}

/** Runs a job once: graph read anew, input resolved, every failure a result and never a throw. */
export async function runJob(
  runtime: Runtime,
  job: JobConfig,
  fire: {
    readonly run_id: string;
    readonly slot: string;
    readonly cause: string;
    readonly signal: AbortSignal;
  },
): Promise<JobOutcome> {
  const begun = performance.now();
  const elapsed = (): number => Math.round(performance.now() - begun);
  const base = {
    job: job.name,
    run_id: fire.run_id,
    composition_id: null,
    lease_taken: false,
    output: null,
    consumed_seq: null,
    reason: null,
  } as const;
  let input: Json | undefined;
  try {
    input = await inputOf(runtime, job, fire.slot);
    if (input === undefined) {
      return {
        ...base,
        input: null,
        status: 'skipped',
        error: null,
        duration_ms: elapsed(),
        reason: `${job.input_key ?? ''} holds nothing`,
      };
    }
    const result = await runtime.run({
      graph: loadGraph(job.graph),
      graph_name: job.graph,
      input,
      run_id: fire.run_id,
      labels: { job: job.name, slot: fire.slot, cause: fire.cause },
      signal: fire.signal,
      ...(job.timeout_s === null ? {} : { rules: { timeout_ms: job.timeout_s * 1000 } }),
    });
    const hint = result.status === 'refused' ? { hint: `./noether check ${shellWord(job.graph)}` } : {};
    return { ...base, ...hint, input, ...outcomeOf(result), duration_ms: elapsed() };
  } catch (error) {
    return {
      ...base,
      input: input ?? null,
      status: 'failed',
      error: { code: codeOf(error), message: messageOf(error) },
      ...(error instanceof CodedError && error.hint !== undefined && { hint: error.hint }),
      duration_ms: elapsed(),
    };
  }
}

/** A job that is fired by the end of a sprint works for that one, also when the next one has begun. */
async function inputOf({ store }: Runtime, job: JobConfig, slot: string): Promise<Json | undefined> {
  if (job.input_key === null) return job.input as Json;
  const found = await store.kv.get(job.input_key);
  const value = found?.value as Json | undefined;
  const ended = endedSprint(store, job, slot);
  if (ended === undefined || textField(value ?? null, 'sprint_id') === ended.sprint_id) return value;
  return { ...ended };
}

function outcomeOf(result: RunResult): Omit<JobOutcome, 'job' | 'run_id' | 'input' | 'duration_ms'> {
  const { composition_id } = result;
  if (!result.ok) {
    const { code, message, said, hint } = result.error;
    const skipped = result.status === 'skipped';
    return {
      composition_id,
      status: skipped ? 'skipped' : 'failed',
      lease_taken: false,
      output: null,
      error: skipped ? null : { code, message },
      ...(hint !== undefined && !skipped && { hint }),
      consumed_seq: null,
      reason: skipped ? (said ?? message) : null,
    };
  }
  const { output } = result;
  const reason =
    result.status === 'skipped' ? (textField(output, 'reason') ?? 'another run holds the lease') : null;
  return {
    composition_id,
    status: result.status,
    lease_taken: result.status === 'skipped',
    output,
    error: null,
    consumed_seq: numberField(output, 'consumed_seq'),
    reason,
  };
}

function field(output: Json, name: string): Json | undefined {
  if (output === null || typeof output !== 'object' || Array.isArray(output)) return undefined;
  return (output as Readonly<Record<string, Json>>)[name];
}

function numberField(output: Json, name: string): number | null {
  const value = field(output, name);
  return typeof value === 'number' ? value : null;
}

function textField(output: Json, name: string): string | null {
  const value = field(output, name);
  return typeof value === 'string' ? value : null;
}
