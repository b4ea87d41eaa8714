import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** `text_upper`: the same for every locale. */
export const textUpper = original(
  defineStage({
    name: 'text_upper',
    description: 'Gives a text in upper case.',
    effects: ['Pure'],
    input: z.string(),
    output: z.string(),
    examples: [
      { input: 'abc', output: 'ABC' },
      { input: 'Straße', output: 'STRASSE' },
      { input: '', output: '' },
    ],
    tags: ['text'],
    run: (text) => text.toUpperCase(),
  }),
);

/** `text_lower`: the same for every locale. */
export const textLower = original(
  defineStage({
    name: 'text_lower',
    description: 'Gives a text in lower case.',
    effects: ['Pure'],
    input: z.string(),
    output: z.string(),
    examples: [
      { input: 'ABC', output: 'abc' },
      { input: 'ÀÉ 1', output: 'àé 1' },
      { input: '', output: '' },
    ],
    tags: ['text'],
    run: (text) => text.toLowerCase(),
  }),
);

const SPACE = /\p{White_Space}/u;

/** `text_trim`: what Unicode calls white space, all of which is one UTF-16 unit wide. */
export const textTrim = original(
  defineStage({
    name: 'text_trim',
    description: 'Gives a text without white space at its ends.',
    effects: ['Pure'],
    input: z.string(),
    output: z.string(),
    examples: [
      { input: '  a b\n', output: 'a b' },
      { input: '\u00a0x\u3000', output: 'x' },
      { input: ' \t ', output: '' },
    ],
    tags: ['text'],
    run: (text) => {
      let from = 0;
      let to = text.length;
      while (from < to && SPACE.test(text.charAt(from))) from += 1;
      while (to > from && SPACE.test(text.charAt(to - 1))) to -= 1;
      return text.slice(from, to);
    },
  }),
);
