import { ANY, type Json } from '@caloron/noether/stage';
import { recordFaults } from '@caloron/noether/records';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue, mapOf } from '../shape.ts';

/** What of a record its id covers, and its id. */
const Covered = z.object({
  id: z.string(),
  signature_id: z.string().optional(),
  name: z.string().default(''),
  signature: z.object({
    input: z.unknown(),
    output: z.unknown(),
    effects: z.object({ effects: z.array(z.looseObject({ effect: z.string() })) }),
    implementation_hash: z.string(),
  }),
  implementation_code: z.string().optional(),
});

/** Fields of a fault that a hash of contents finds; the others are signatures and seals. */
const HASHED = /^(?:id|signature_id|implementation_hash|signature\..*)$/u;

/** What is wrong with the hashes of a record; null when nothing is. */
function faultOf(value: Json): string | null {
  const parsed = Covered.safeParse(value);
  if (!parsed.success) return `it is no record of a stage: ${parsed.error.issues[0]?.path.join('.') ?? ''}`;
  const { signature_id, implementation_code, ...record } = parsed.data;
  const faults = recordFaults({
    ...record,
    ...(implementation_code === undefined ? {} : { implementation_code }),
    signature_id: signature_id ?? '',
    capabilities: [],
    cost: {},
    description: '',
    examples: [],
    lifecycle: 'Active',
    ed25519_signature: null,
    signer_public_key: null,
  })
    .map(({ field }) => field)
    .filter((field) => HASHED.test(field) && !(field === 'signature_id' && signature_id === undefined));
  return faults.length === 0 ? null : `not what follows from its facts: ${faults.join(', ')}`;
}

/** `verify_stage_content_hash`: its ids, and the hash of its code where it carries the code. */
export const verifyStageContentHash = original(
  defineStage({
    name: 'verify_stage_content_hash',
    description: 'Checks that the ids of a stage’s record are what follows from its facts.',
    effects: ['Pure'],
    input: AnyValue,
    output: AnyResult,
    examples: [
      {
        input: {
          id: '980de483c8940ece66165badd67c41a7f82aa286d1b170da5c12b149049e8ce3',
          name: 'test',
          signature: {
            input: { kind: 'Text' },
            output: { kind: 'Number' },
            effects: { effects: [{ effect: 'Pure' }] },
            implementation_hash: 'abc123',
          },
        },
        output: { passed: true, error: null },
      },
      {
        input: {
          id: '980de483c8940ece66165badd67c41a7f82aa286d1b170da5c12b149049e8ce3',
          name: 'test',
          signature: {
            input: { kind: 'Text' },
            output: { kind: 'Text' },
            effects: { effects: [{ effect: 'Pure' }] },
            implementation_hash: 'abc123',
          },
        },
        output: { passed: false, error: 'not what follows from its facts: id' },
      },
      { input: null, output: { passed: false, error: 'it is no record of a stage: ' } },
    ],
    tags: ['check'],
    run: (record): Json => {
      const error = faultOf(record);
      return { passed: error === null, error };
    },
  }),
  {
    output: mapOf(ANY),
    effects: [{ effect: 'Fallible' }, { effect: 'NonDeterministic' }],
  },
);
