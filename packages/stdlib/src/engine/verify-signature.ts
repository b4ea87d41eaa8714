import { ANY, type Json, messageOf } from '@caloron/noether/stage';
import { isSignedBy } from '@caloron/noether/records';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue, mapOf } from '../shape.ts';

/** What a signature is checked with. */
const Signed = z.object({
  id: z.string(),
  ed25519_signature: z.string().nullish(),
  signer_public_key: z.string().nullish(),
});

function verdict(value: Json): { readonly error: string | null; readonly warning: string | null } {
  const parsed = Signed.safeParse(value);
  if (!parsed.success) return { error: 'it is no record of a stage', warning: null };
  const { id, ed25519_signature: signature, signer_public_key: key } = parsed.data;
  if (signature == null && key == null) return { error: null, warning: 'the stage is not signed' };
  if (signature == null || key == null)
    return { error: 'it has a signature or a key, not both', warning: null };
  try {
    const error = isSignedBy(key, id, signature) ? null : 'the signature is not the key’s over the id';
    return { error, warning: null };
  } catch (error) {
    return { error: messageOf(error), warning: null };
  }
}

/** `verify_stage_ed25519`: by the key the record names; whether that key is trusted is the stage store's matter. */
export const verifyStageEd25519 = original(
  defineStage({
    name: 'verify_stage_ed25519',
    description: 'Checks the signature of a stage’s record with the key it names.',
    effects: ['Pure'],
    input: AnyValue,
    output: AnyResult,
    examples: [
      {
        input: { id: 'ab', ed25519_signature: null, signer_public_key: null },
        output: { passed: true, error: null, warning: 'the stage is not signed' },
      },
      {
        input: { id: 'ab', ed25519_signature: null, signer_public_key: 'ab' },
        output: { passed: false, error: 'it has a signature or a key, not both', warning: null },
      },
      { input: 1, output: { passed: false, error: 'it is no record of a stage', warning: null } },
    ],
    tags: ['check'],
    run: (record): Json => {
      const found = verdict(record);
      return { passed: found.error === null, ...found };
    },
  }),
  {
    output: mapOf(ANY),
    effects: [{ effect: 'Fallible' }, { effect: 'NonDeterministic' }],
  },
);
