import type { z } from 'zod';

import type { EffectList, StageContext } from './effects.ts';

/** What a stage author writes. `I` and `O` are zod schemas; `N` the capabilities it asks for. */
export interface StageDefinition<
  M,
  N extends keyof M,
  E extends EffectList,
  I extends z.ZodType,
  O extends z.ZodType,
> {
  /** The name graphs refer to it by. */
  readonly name: string;
  /** One sentence, present tense. */
  readonly description: string;
  /** Noether's effects; hashed into its id. */
  readonly effects: E;
  /** Clients its context holds; never with Pure. Not hashed into its id, but into its record. */
  readonly capabilities?: E extends readonly ['Pure'] ? readonly [] : readonly N[];
  readonly input: I;
  readonly output: O;
  /** Each is a test; at least one. */
  readonly examples: readonly { readonly input: z.input<I>; readonly output: z.output<O> }[];
  readonly tags?: readonly string[];
  /** Declared cost, for plans and budgets. */
  readonly cost?: {
    readonly time_ms_p50?: number;
    readonly tokens_est?: number;
    readonly memory_mb?: number;
  };
  /** Pure stages answer at once; others may answer later. `input` is what the schema made of the given value. */
  readonly run: (
    input: z.output<I>,
    context: StageContext<M, N>,
  ) => E extends readonly ['Pure'] ? z.output<O> : z.output<O> | Promise<z.output<O>>;
}

/** A stage as the engine holds it: schemas and function, types erased. */
export interface Stage {
  readonly name: string;
  readonly description: string;
  readonly effects: EffectList;
  readonly capabilities: readonly string[];
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly examples: readonly { readonly input: unknown; readonly output: unknown }[];
  readonly tags: readonly string[];
  readonly cost: { readonly time_ms_p50?: number; readonly tokens_est?: number; readonly memory_mb?: number };
  /** `signal` is aborted at the node's or run's deadline or when the run is interrupted. */
  readonly run: (input: unknown, context: object, signal?: AbortSignal) => unknown;
}

/**
 * Makes `defineStage` for a map of capabilities: what a stage may ask for, and the clients its context then holds.
 * The context of a stage holds the clients of its capabilities and no others.
 */
export function stageKit<M>(): <
  const N extends keyof M = never,
  const E extends EffectList = EffectList,
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
>(
  definition: StageDefinition<M, N, E, I, O>,
) => Stage & { readonly input: I; readonly output: O; readonly call: StageDefinition<M, N, E, I, O>['run'] } {
  return (definition) => {
    const { name, effects, capabilities = [], examples } = definition;
    if (effects.some((effect) => effect === 'Pure') && capabilities.length > 0) {
      throw new TypeError(
        `stage ${name} is Pure and asks for capabilities: ${capabilities.map(String).join(', ')}`,
      );
    }
    if (examples.length === 0) throw new TypeError(`stage ${name} has no example`);
    return Object.freeze({
      name,
      description: definition.description,
      effects,
      capabilities: capabilities.map(String),
      input: definition.input,
      output: definition.output,
      examples,
      tags: definition.tags ?? [],
      cost: definition.cost ?? {},
      run: definition.run as Stage['run'],
      call: definition.run,
    });
  };
}
