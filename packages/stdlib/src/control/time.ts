import type { Json } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue, Items } from '../shape.ts';
import { together } from './together.ts';

/** Declared by the original for every stage that calls others by itself. */
const EFFECTS = [{ effect: 'Fallible' }, { effect: 'Process' }];

/** Longest wait a timer holds, ms. */
const MAX_MS = 2_147_483_647;
/** The original's deadline where none is given, ms. */
const DEFAULT_MS = 5000;

/**
 * `timeout`: the called stage is interrupted through its signal when the time is over, and not waited for. A stage that answers
 * without a pause cannot be interrupted. Throws STDLIB_TIMEOUT, which may be retried.
 */
export const timeout = original(
  defineStage({
    name: 'timeout',
    description: 'Calls a stage and interrupts it when it takes too long.',
    effects: ['Fallible', 'NonDeterministic'],
    input: z.object({
      input: AnyValue,
      stage_id: z.string(),
      timeout_ms: z.number().min(0).max(MAX_MS).nullish(),
    }),
    output: AnyResult,
    references: { stage_id: { takes: 'input' } },
    examples: [
      { input: { input: 'ab', stage_id: 'text_upper', timeout_ms: 60_000 }, output: 'AB' },
      { input: { input: [3, 4], stage_id: 'num_sum', timeout_ms: 60_000 }, output: 7 },
      { input: { input: null, stage_id: 'to_text', timeout_ms: 5000 }, output: 'null' },
    ],
    tags: ['control'],
    run: ({ input, stage_id, timeout_ms }, { stages }, signal) => {
      const ms = timeout_ms ?? DEFAULT_MS;
      const control = new AbortController();
      const inner = signal ? AbortSignal.any([signal, control.signal]) : control.signal;
      const { promise, resolve, reject } = Promise.withResolvers<Json>();
      const timer = setTimeout(() => {
        const late = new StdlibError('STDLIB_TIMEOUT', { stage_id, timeout_ms: ms }, { retryable: true });
        reject(late);
        control.abort(late);
      }, ms);
      stages.call(stage_id, input, { index: 0, signal: inner }).then(resolve, reject);
      return promise.finally(() => clearTimeout(timer));
    },
  }),
  {
    effects: EFFECTS,
    input: {
      kind: 'Record',
      value: { input: { kind: 'Any' }, stage_id: { kind: 'Text' }, timeout_ms: { kind: 'Number' } },
    },
  },
);

/**
 * `race`: all stages run at once with the same input; the first success is the answer and interrupts the others. Where all fail,
 * the failure of the last in the list is thrown, as in the original. Throws STDLIB_STAGES_EMPTY.
 */
export const race = original(
  defineStage({
    name: 'race',
    description: 'Calls stages at once and gives the first answer.',
    effects: ['Fallible', 'NonDeterministic'],
    input: z.object({ input: AnyValue, stages: z.array(z.string()) }),
    output: AnyResult,
    references: { stages: { takes: 'input' } },
    examples: [
      { input: { input: 'ab', stages: ['text_upper'] }, output: 'AB' },
      { input: { input: 'x', stages: ['to_number', 'text_upper'] }, output: 'X' },
      { input: { input: [2], stages: ['num_sum', 'num_max'] }, output: 2 },
    ],
    tags: ['control'],
    run: async ({ input, stages: names }, { stages }, signal) => {
      if (names.length === 0) throw new StdlibError('STDLIB_STAGES_EMPTY', { stage: 'race' });
      const control = new AbortController();
      const inner = signal ? AbortSignal.any([signal, control.signal]) : control.signal;
      try {
        return await Promise.any(
          names.map((stage_id, index) => stages.call(stage_id, input, { index, signal: inner })),
        );
      } catch (failures) {
        signal?.throwIfAborted();
        throw (failures as AggregateError).errors.at(-1);
      } finally {
        control.abort(new StdlibError('STDLIB_FAILED', { reason: 'another stage of the race was faster' }));
      }
    },
  }),
  { effects: EFFECTS },
);

/** `parallel`: the nth stage gets the nth input; the error is that of the first that has one. Throws STDLIB_LENGTHS_DIFFER. */
export const parallel = original(
  defineStage({
    name: 'parallel',
    description: 'Calls stages at once, each with an input of its own, and lists their answers.',
    effects: ['Fallible'],
    input: z.object({ inputs: Items, stages: z.array(z.string()) }),
    output: Items,
    references: { stages: {} },
    examples: [
      { input: { inputs: ['a', [1, 2]], stages: ['text_upper', 'num_sum'] }, output: ['A', 3] },
      { input: { inputs: [null], stages: ['to_text'] }, output: ['null'] },
      { input: { inputs: [[], 'A'], stages: ['list_length', 'text_lower'] }, output: [0, 'a'] },
    ],
    tags: ['control'],
    run: ({ inputs, stages: names }, { stages }, signal) => {
      if (inputs.length !== names.length) {
        const facts = { stage: 'parallel', left: inputs.length, right: names.length };
        throw new StdlibError('STDLIB_LENGTHS_DIFFER', facts);
      }
      return together(
        names.length,
        (index, inner) => stages.call(names[index] ?? '', inputs[index] ?? null, { index, signal: inner }),
        signal,
      );
    },
  }),
  { effects: EFFECTS },
);
