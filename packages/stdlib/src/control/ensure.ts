import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage } from '../kit.ts';
import { AnyResult, AnyValue } from '../shape.ts';

/** `ensure`: gives its value where the condition holds. Throws STDLIB_FAILED with the given message where it does not. */
export const ensure = defineStage({
  name: 'ensure',
  description: 'Gives a value, or fails with a message where a condition does not hold.',
  effects: ['Pure'],
  input: z.object({ condition: z.boolean(), message: z.string(), value: AnyValue }),
  output: AnyResult,
  examples: [
    { input: { condition: true, message: 'no repository given', value: 'a/b' }, output: 'a/b' },
    { input: { condition: true, message: '', value: null }, output: null },
    { input: { condition: true, message: 'x', value: [1] }, output: [1] },
  ],
  tags: ['control'],
  run: ({ condition, message, value }) => {
    if (!condition) throw new StdlibError('STDLIB_FAILED', { reason: message });
    return value;
  },
});
