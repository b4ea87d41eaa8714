import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { MAX_TEXT } from './characters.ts';

/** `text_contains`: case matters. */
export const textContains = original(
  defineStage({
    name: 'text_contains',
    description: 'Says whether a text holds another.',
    effects: ['Pure'],
    input: z.object({ text: z.string(), substring: z.string() }),
    output: z.boolean(),
    examples: [
      { input: { text: 'hello', substring: 'ell' }, output: true },
      { input: { text: 'hello', substring: 'ELL' }, output: false },
      { input: { text: '', substring: '' }, output: true },
    ],
    tags: ['text'],
    run: ({ text, substring }) => text.includes(substring),
  }),
);

/** `text_starts_with`: case matters. */
export const textStartsWith = defineStage({
  name: 'text_starts_with',
  description: 'Says whether a text starts with another.',
  effects: ['Pure'],
  input: z.object({ text: z.string(), prefix: z.string() }),
  output: z.boolean(),
  examples: [
    { input: { text: 'caloron', prefix: 'cal' }, output: true },
    { input: { text: 'caloron', prefix: 'ron' }, output: false },
    { input: { text: 'caloron', prefix: '' }, output: true },
  ],
  tags: ['text'],
  run: ({ text, prefix }) => text.startsWith(prefix),
});

/** `text_ends_with`: case matters. */
export const textEndsWith = defineStage({
  name: 'text_ends_with',
  description: 'Says whether a text ends with another.',
  effects: ['Pure'],
  input: z.object({ text: z.string(), suffix: z.string() }),
  output: z.boolean(),
  examples: [
    { input: { text: 'report.md', suffix: '.md' }, output: true },
    { input: { text: 'report.md', suffix: '.MD' }, output: false },
    { input: { text: '', suffix: 'x' }, output: false },
  ],
  tags: ['text'],
  run: ({ text, suffix }) => text.endsWith(suffix),
});

/** `text_replace`: literal, every occurrence; an empty `from` stands between any two characters and at both ends. */
export const textReplace = original(
  defineStage({
    name: 'text_replace',
    description: 'Replaces every occurrence of a text in a text by another.',
    effects: ['Pure'],
    input: z.object({ text: z.string(), from: z.string(), to: z.string() }),
    output: z.string(),
    examples: [
      { input: { text: 'a.b.c', from: '.', to: '$&' }, output: 'a$&b$&c' },
      { input: { text: 'aaa', from: 'aa', to: 'b' }, output: 'ba' },
      { input: { text: 'a😀', from: '', to: '-' }, output: '-a-😀-' },
    ],
    tags: ['text'],
    run: ({ text, from, to }) => {
      const parts = from === '' ? ['', ...Array.from(text), ''] : text.split(from);
      if (text.length + (parts.length - 1) * to.length > MAX_TEXT)
        throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'text_replace', limit: MAX_TEXT });
      return parts.join(to);
    },
  }),
);
