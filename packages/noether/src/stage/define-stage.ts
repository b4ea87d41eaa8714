import type { z } from 'zod';

import type { Json } from '../ports.ts';
import type { NType } from '../types/ntype.ts';
import type { EffectList, StageContext } from './effects.ts';

/** A field of a stage's input that names another stage: a text, or a list of texts. Graphs give it as a literal in `config`. */
export interface StageReference {
  /**
   * Where in the stage's input the value lies that the named stage is called on, for the checker: a dotted path, `[]` for
   * an item of a list (`items[]`). Absent: not known before the run.
   */
  readonly takes?: string;
  /** What the named stage has to give. Absent: anything. */
  readonly gives?: NType;
}

/** Calls stages by the references a node's config holds; others are refused with GRAPH_REFERENCE_UNKNOWN. */
export interface StageCalls {
  /** Runs the stage as a node of the graph would: same checks, trace, budget, policy. `index` tells calls of one node apart. */
  call(
    reference: string,
    input: Json,
    options?: { readonly index?: number; readonly signal?: AbortSignal },
  ): Promise<Json>;
}

/** What a stage with references finds in its context beside the clients of its capabilities. */
export interface CallingContext {
  readonly stages: StageCalls;
}

/** What a stage author writes. `I` and `O` are zod schemas; `N` the capabilities it asks for. */
export interface StageDefinition<
  M,
  N extends keyof M,
  E extends EffectList,
  I extends z.ZodType,
  O extends z.ZodType,
  R extends string = never,
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
  /** Input fields that name other stages. Such a stage is as pure as the stages it calls, and answers with a promise. */
  readonly references?: Readonly<Record<R, StageReference>>;
  /** Declared cost, for plans and budgets. */
  readonly cost?: {
    readonly time_ms_p50?: number;
    readonly tokens_est?: number;
    readonly memory_mb?: number;
  };
  /** Pure stages answer at once; others may answer later. `input` is what the schema made of the given value; it may be frozen. */
  readonly run: (
    input: z.output<I>,
    context: StageContext<M, N> & ([R] extends [never] ? unknown : CallingContext),
    signal?: AbortSignal,
  ) => E extends readonly ['Pure']
    ? [R] extends [never]
      ? z.output<O>
      : Promise<z.output<O>>
    : z.output<O> | Promise<z.output<O>>;
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
  /** Input fields that name other stages; none for most. */
  readonly references?: Readonly<Record<string, StageReference>>;
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
  const R extends string = never,
>(
  definition: StageDefinition<M, N, E, I, O, R>,
) => Stage & {
  readonly input: I;
  readonly output: O;
  readonly call: StageDefinition<M, N, E, I, O, R>['run'];
} {
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
      ...(definition.references && { references: definition.references }),
      cost: definition.cost ?? {},
      run: definition.run as Stage['run'],
      call: definition.run,
    });
  };
}
