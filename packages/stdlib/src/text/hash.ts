import { sha256Hex } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';

/** `text_hash`: SHA-256 of the text's UTF-8 bytes, 64 hex digits. Throws STDLIB_HASH_UNSUPPORTED. */
export const textHash = original(
  defineStage({
    name: 'text_hash',
    description: 'Gives the SHA-256 hash of a text.',
    effects: ['Pure'],
    input: z.object({ text: z.string(), algorithm: z.string().nullish() }),
    output: z.object({ algorithm: z.string(), hash: z.string() }),
    examples: [
      {
        input: { text: 'hello', algorithm: 'sha256' },
        output: {
          algorithm: 'sha256',
          hash: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        },
      },
      {
        input: { text: '' },
        output: {
          algorithm: 'sha256',
          hash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        },
      },
      {
        input: { text: 'é', algorithm: null },
        output: {
          algorithm: 'sha256',
          hash: '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c',
        },
      },
    ],
    tags: ['text', 'hash'],
    run: ({ text, algorithm }) => {
      const chosen = algorithm ?? 'sha256';
      if (chosen !== 'sha256') throw new StdlibError('STDLIB_HASH_UNSUPPORTED', { algorithm: chosen });
      return { algorithm: chosen, hash: sha256Hex(text) };
    },
  }),
  { effects: [{ effect: 'Fallible' }, { effect: 'NonDeterministic' }] },
);
