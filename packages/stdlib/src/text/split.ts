import { list, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { Items } from '../shape.ts';
import { MAX_TEXT } from './characters.ts';

/** `text_split`: an empty delimiter stands between any two characters and at both ends, as in the original. */
export const textSplit = original(
  defineStage({
    name: 'text_split',
    description: 'Splits a text at every occurrence of a delimiter.',
    effects: ['Pure'],
    input: z.object({ text: z.string(), delimiter: z.string() }),
    output: z.array(z.string()),
    examples: [
      { input: { text: 'a,b,c', delimiter: ',' }, output: ['a', 'b', 'c'] },
      { input: { text: '', delimiter: ',' }, output: [''] },
      { input: { text: 'a😀', delimiter: '' }, output: ['', 'a', '😀', ''] },
    ],
    tags: ['text'],
    run: ({ text, delimiter }) => (delimiter === '' ? ['', ...Array.from(text), ''] : text.split(delimiter)),
  }),
);

/** `text_join`: what is no text is passed over, as in the original. Throws STDLIB_RESULT_TOO_LARGE. */
export const textJoin = original(
  defineStage({
    name: 'text_join',
    description: 'Joins texts with a delimiter between them.',
    effects: ['Pure'],
    input: z.object({ items: Items, delimiter: z.string() }),
    output: z.string(),
    examples: [
      { input: { items: ['a', 'b', 'c'], delimiter: ', ' }, output: 'a, b, c' },
      { input: { items: [], delimiter: ',' }, output: '' },
      { input: { items: ['a', ''], delimiter: '-' }, output: 'a-' },
    ],
    tags: ['text'],
    run: ({ items, delimiter }) => {
      const texts = items.filter((item) => typeof item === 'string');
      const length = texts.reduce((sum, text) => sum + text.length + delimiter.length, 0);
      if (length > MAX_TEXT)
        throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'text_join', limit: MAX_TEXT });
      return texts.join(delimiter);
    },
  }),
  { input: record({ items: list(TEXT), delimiter: TEXT }) },
);

/** `text_lines`: lines end with a line feed, with or without a carriage return before it. */
export const textLines = defineStage({
  name: 'text_lines',
  description: 'Gives the lines of a text without their ends.',
  effects: ['Pure'],
  input: z.string(),
  output: z.array(z.string()),
  examples: [
    { input: 'a\nb\r\nc', output: ['a', 'b', 'c'] },
    { input: 'a\n', output: ['a'] },
    { input: '', output: [] },
  ],
  tags: ['text'],
  run: (text) => {
    const lines = text.split(/\r?\n/u);
    if (lines.at(-1) === '') lines.pop();
    return lines;
  },
});
