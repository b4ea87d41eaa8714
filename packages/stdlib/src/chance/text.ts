import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { draw } from './draw.ts';

/** Letters and digits: safe in addresses, file names and tokens; 22 of them hold as much chance as a UUID. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** A text of more is no id any more. */
const LONGEST = 65_536;

/** `random_text`: characters are code points. */
export const randomText = defineStage({
  name: 'random_text',
  description: 'Gives a random text of so many characters of an alphabet, letters and digits unless told.',
  effects: ['Fallible', 'NonDeterministic'],
  capabilities: ['random'],
  input: z.object({
    length: z.int().min(0).max(LONGEST),
    alphabet: z.string().min(1).max(LONGEST).nullish(),
  }),
  output: z.string(),
  examples: [
    { input: { length: 3, alphabet: 'x' }, output: 'xxx' },
    { input: { length: 0 }, output: '' },
    { input: { length: 4, alphabet: '🙂' }, output: '🙂🙂🙂🙂' },
  ],
  tags: ['random'],
  run: ({ length, alphabet }, { random }) => {
    const characters = Array.from(alphabet ?? ALPHABET);
    return Array.from({ length }, () => characters[draw(random, characters.length)] ?? '').join('');
  },
});
