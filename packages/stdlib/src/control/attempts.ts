import { codeOf, isRetryable, type Json, messageOf, type StageCalls } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue } from '../shape.ts';
import { pause } from './pause.ts';

/** Declared by the original for every stage that calls others by itself. */
const EFFECTS = [{ effect: 'Fallible' }, { effect: 'Process' }];

/** Longest wait a timer holds, ms. */
const MAX_MS = 2_147_483_647;

/** Failures another attempt or another stage cannot cure: the engine refuses the call, or the run is over. */
function isFinal(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || codeOf(error).startsWith('GRAPH_');
}

/** Failures of this very stage that another attempt cannot cure: what it refuses now it refuses again. */
const REFUSED: readonly string[] = [
  'STAGE_INPUT_INVALID',
  'STAGE_OUTPUT_INVALID',
  'STAGE_CAPABILITY_MISSING',
];

interface Attempt {
  readonly stages: StageCalls;
  readonly stage_id: string;
  readonly input: Json;
  readonly signal: AbortSignal | undefined;
}

function attempt({ stages, stage_id, input, signal }: Attempt, index: number): Promise<Json> {
  return stages.call(stage_id, input, signal ? { index, signal } : { index });
}

/**
 * `retry`: as often as `max_attempts` says, at least once, with a pause of `delay_ms` between attempts. The op Retry can do more.
 * Throws STDLIB_RETRY_EXHAUSTED with the last failure as its cause; what another attempt cannot cure is thrown at once.
 */
export const retry = original(
  defineStage({
    name: 'retry',
    description: 'Calls a stage again when it fails, up to a count of attempts.',
    effects: ['Fallible'],
    input: z.object({
      input: AnyValue,
      stage_id: z.string(),
      max_attempts: z.int(),
      delay_ms: z.number().min(0).max(MAX_MS).nullish(),
    }),
    output: AnyResult,
    references: { stage_id: { takes: 'input' } },
    examples: [
      { input: { input: '7', stage_id: 'to_number', max_attempts: 3 }, output: 7 },
      { input: { input: [1, 2], stage_id: 'num_sum', max_attempts: 0 }, output: 3 },
      { input: { input: 'A', stage_id: 'text_lower', max_attempts: 1, delay_ms: 100 }, output: 'a' },
    ],
    tags: ['control'],
    run: async ({ input, stage_id, max_attempts, delay_ms }, { stages }, signal) => {
      const attempts = Math.max(1, max_attempts);
      for (let index = 0; ; index += 1) {
        try {
          return await attempt({ stages, stage_id, input, signal }, index);
        } catch (cause) {
          if (isFinal(cause, signal) || REFUSED.includes(codeOf(cause))) throw cause;
          if (index + 1 >= attempts) {
            const facts = { stage_id, attempts, reason: messageOf(cause) };
            throw new StdlibError('STDLIB_RETRY_EXHAUSTED', facts, { cause, retryable: isRetryable(cause) });
          }
        }
        await pause(delay_ms ?? 0, signal);
      }
    },
  }),
  { effects: EFFECTS },
);

/** `fallback`: the failure of the last stage is thrown where all fail. Throws STDLIB_STAGES_EMPTY. */
export const fallback = original(
  defineStage({
    name: 'fallback',
    description: 'Calls stages one after the other until one succeeds.',
    effects: ['Fallible'],
    input: z.object({ input: AnyValue, stages: z.array(z.string()) }),
    output: AnyResult,
    references: { stages: { takes: 'input' } },
    examples: [
      { input: { input: 'x1', stages: ['to_number', 'text_upper'] }, output: 'X1' },
      { input: { input: '7', stages: ['to_number', 'text_upper'] }, output: 7 },
      { input: { input: '{', stages: ['parse_json', 'to_number', 'text_length'] }, output: 1 },
    ],
    tags: ['control'],
    run: async ({ input, stages: names }, { stages }, signal) => {
      let last: unknown = new StdlibError('STDLIB_STAGES_EMPTY', { stage: 'fallback' });
      for (const [index, stage_id] of names.entries()) {
        try {
          return await attempt({ stages, stage_id, input, signal }, index);
        } catch (error) {
          if (isFinal(error, signal)) throw error;
          last = error;
        }
      }
      throw last;
    },
  }),
  { effects: EFFECTS },
);
