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
    run: (text) => text.toUpperCase(),
  }),
);
