import type { z } from 'zod';

import type { Json, StepFinished } from '../ports.ts';
import { markedPaths, type Redactor } from './redact.ts';
import { valueHash, valueSize } from './value-hash.ts';

/** Longest canonical text of a value a trace keeps, characters. */
const MAX_SHOWN = 262_144;

/** What is told of one attempt of one node. */
export interface StepFacts extends Pick<
  StepFinished,
  'path' | 'stage_id' | 'stage_name' | 'status' | 'started_at'
> {
  /** By `performance.now()`, ms; null for what took no time. */
  readonly began: number | null;
  readonly input: Json;
  /** Undefined when it failed. */
  readonly output?: Json;
  readonly error?: { readonly code: string; readonly message: string };
  /** Says which fields are secrets; absent for nodes without schemas. */
  readonly schemas?: { readonly input: z.ZodType; readonly output: z.ZodType } | undefined;
}

/** What a trace is made with. */
export interface TracingDeps {
  readonly run_id: string;
  readonly clock: { now(): string };
  readonly write: (step: StepFinished) => void | Promise<void>;
  /** Whether inputs and outputs are kept, secrets hidden. */
  readonly values: boolean;
  /** Hides secrets; learns those of marked fields. */
  readonly hide: Redactor;
}

/** Longest message of a failed attempt a trace keeps, characters: some repeat what they were given. */
const MAX_MESSAGE = 10_000;

function cut(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
}

/** Tells the trace of a run every attempt once: numbered per node, values hashed, secrets hidden. */
export class Tracing {
  readonly #deps: TracingDeps;
  readonly #attempts = new Map<string, number>();

  constructor(deps: TracingDeps) {
    this.#deps = deps;
  }

  /** The time, as the trace writes it. */
  now(): string {
    return this.#deps.clock.now();
  }

  /** Writes one attempt; a promise only where the sink answers with one. */
  step(facts: StepFacts): void | Promise<void> {
    const { path, stage_id, stage_name, status, started_at, began, input, output, error, schemas } = facts;
    const attempt = (this.#attempts.get(path) ?? 0) + 1;
    this.#attempts.set(path, attempt);
    const { run_id, hide, values } = this.#deps;
    this.#learn(facts);
    return this.#deps.write({
      run_id,
      path: hide.text(path),
      // The id of a stage is a hash, that of a remote one its address.
      stage_id: schemas ? stage_id : hide.text(stage_id),
      stage_name: hide.text(stage_name),
      attempt,
      started_at,
      duration_ms: began === null ? 0 : Math.round(performance.now() - began),
      status,
      input_hash: valueHash(input),
      output_hash: output === undefined ? null : valueHash(output),
      error: error ? { code: error.code, message: cut(hide.text(error.message)) } : null,
      ...(values ? this.#values(facts) : {}),
    });
  }

  /** Takes note of a credential that is used: no text shows it from then on. */
  learn(credential: string): void {
    this.#deps.hide.learn(credential, [[]]);
  }

  /** What a schema marks is hidden in errors too, whether values are kept or not. */
  #learn({ input, output, schemas }: StepFacts): void {
    if (!schemas) return;
    const { hide } = this.#deps;
    hide.learn(input, markedPaths(schemas.input));
    if (output !== undefined) hide.learn(output, markedPaths(schemas.output));
  }

  #values({ input, output, schemas }: StepFacts): { readonly input: Json; readonly output?: Json } {
    const shown = this.#shown(input, schemas?.input);
    return output === undefined
      ? { input: shown }
      : { input: shown, output: this.#shown(output, schemas?.output) };
  }

  /** A value without its secrets; a large one is told by its length: parts that stand in it many times may make it huge. */
  #shown(value: Json, schema: z.ZodType | undefined): Json {
    const size = valueSize(value);
    if (size > MAX_SHOWN) return { left_out_characters: size };
    return this.#deps.hide(value, schema ? markedPaths(schema) : []);
  }
}
