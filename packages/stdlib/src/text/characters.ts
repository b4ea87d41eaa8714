import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';

/** Longest text a stage makes out of shorter ones, UTF-16 units: well below what an engine's string holds. */
export const MAX_TEXT = 64 * 1024 * 1024;

function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** `text_length`: in code points, as the original counts. */
export const textLength = original(
  defineStage({
    name: 'text_length',
    description: 'Counts the characters of a text.',
    effects: ['Pure'],
    input: z.string(),
    output: z.number(),
    examples: [
      { input: 'hello', output: 5 },
      { input: 'né😀', output: 3 },
      { input: '', output: 0 },
    ],
    tags: ['text'],
    run: characterCount,
  }),
);

/** `text_reverse`: by code points, so that no character breaks. */
export const textReverse = original(
  defineStage({
    name: 'text_reverse',
    description: 'Gives the characters of a text in reverse order.',
    effects: ['Pure'],
    input: z.string(),
    output: z.string(),
    examples: [
      { input: 'abc', output: 'cba' },
      { input: '1😀2', output: '2😀1' },
      { input: '', output: '' },
    ],
    tags: ['text'],
    run: (text) => Array.from(text).reverse().join(''),
  }),
);

/** `text_slice`: positions in code points; negative ones count from the end, as for lists. */
export const textSlice = defineStage({
  name: 'text_slice',
  description: 'Gives the characters of a text from a position up to, but without, another.',
  effects: ['Pure'],
  input: z.object({ text: z.string(), start: z.int(), end: z.int().nullish() }),
  output: z.string(),
  examples: [
    { input: { text: 'hello', start: 1, end: 3 }, output: 'el' },
    { input: { text: 'a😀b', start: 1 }, output: '😀b' },
    { input: { text: 'hello', start: -2, end: null }, output: 'lo' },
  ],
  tags: ['text'],
  run: ({ text, start, end }) =>
    Array.from(text)
      .slice(start, end ?? undefined)
      .join(''),
});

/** `text_pad`: `length` in code points; the fill is cut to fit. Throws STDLIB_RESULT_TOO_LARGE. */
export const textPad = defineStage({
  name: 'text_pad',
  description: 'Fills a text up to a length, at its start or at its end.',
  effects: ['Pure'],
  input: z.object({
    text: z.string(),
    length: z.int().nonnegative(),
    fill: z.string().min(1).nullish(),
    side: z.enum(['start', 'end']).nullish(),
  }),
  output: z.string(),
  examples: [
    { input: { text: '7', length: 3, fill: '0', side: 'start' }, output: '007' },
    { input: { text: 'ab', length: 4 }, output: 'ab  ' },
    { input: { text: 'abc', length: 2 }, output: 'abc' },
  ],
  tags: ['text'],
  run: ({ text, length, fill, side }) => {
    const missing = length - characterCount(text);
    if (missing <= 0) return text;
    const filling = Array.from(fill ?? ' ');
    if (missing * 2 > MAX_TEXT)
      throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'text_pad', limit: MAX_TEXT });
    const whole = filling.join('').repeat(Math.floor(missing / filling.length));
    const padding = whole + filling.slice(0, missing % filling.length).join('');
    return side === 'start' ? padding + text : text + padding;
  },
});
