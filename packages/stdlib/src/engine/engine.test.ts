import { signingKey } from '@caloron/noether/records';
import { expect, it } from 'vitest';

import { stageDescribe } from './describe.ts';
import { traceRead } from './trace.ts';
import { typeCheck } from './type-check.ts';
import { verifyStageEd25519 } from './verify-signature.ts';

const key = signingKey('11'.repeat(32));
const id = 'ab'.repeat(32);
const check = (record: object): unknown => verifyStageEd25519.call(record as never, {});

it('a signature is its key’s over that id, and no other', () => {
  const record = { id, ed25519_signature: key.sign(id), signer_public_key: key.public_key };

  expect(check(record)).toEqual({ passed: true, error: null, warning: null });
  expect(check({ ...record, id: 'cd'.repeat(32) })).toMatchObject({ passed: false });
  expect(check({ ...record, signer_public_key: signingKey('22'.repeat(32)).public_key })).toMatchObject({
    passed: false,
  });
  expect(check({ ...record, ed25519_signature: 'no hex' })).toMatchObject({ passed: false });
});

it.each([[null], [{ kind: 'List' }], [{ kind: 'Lst', value: { kind: 'Text' } }], ['Text']])(
  'type_check refuses %j as a type',
  (sub) => {
    expect(() => typeCheck.call({ sub, sup: { kind: 'Any' } }, {})).toThrow(
      expect.objectContaining({ code: 'TYPE_INVALID' }),
    );
  },
);

it('a trace nobody wrote is an error', async () => {
  const trace = { read: async () => null };

  await expect(traceRead.call({ composition_id: 'ab' }, { trace })).rejects.toMatchObject({
    code: 'TRACE_UNKNOWN',
  });
});

it('a stage that is unknown is the error of the catalog', async () => {
  const catalog = { describe: () => Promise.reject(new Error('unknown')), search: async () => [] };

  await expect(stageDescribe.call({ id: 'x' }, { catalog })).rejects.toThrow('unknown');
});
