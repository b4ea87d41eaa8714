import { describe, expect, it } from 'vitest';

import { sha256Hex } from '../canonical.ts';
import type { StageRecord } from '../stage-record.ts';
import { originalHash, originalStages } from './original-ids.ts';
import { sealRecord, signRecord } from './seal.ts';
import { isSignedBy, ORIGINAL_PUBLIC_KEY, sameText, signingKey } from './signing.ts';
import { distrustOf } from './verify.ts';

/** RFC 8032, section 7.1, test 1: the empty message. */
const RFC = {
  seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  public_key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  signature:
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
};

describe('a key', () => {
  it('signs as RFC 8032 says', () => {
    const key = signingKey(RFC.seed);

    expect([key.public_key, key.sign('')]).toEqual([RFC.public_key, RFC.signature]);
    expect(isSignedBy(RFC.public_key, '', RFC.signature)).toBe(true);
    expect(isSignedBy(RFC.public_key, 'x', RFC.signature)).toBe(false);
  });

  it("is the original's, made of its seed", () => {
    expect(signingKey(sha256Hex('noether-stdlib-signing-key-v0.1.0')).public_key).toBe(ORIGINAL_PUBLIC_KEY);
  });

  it.each(['', 'xyz', `${RFC.seed}00`, `g${RFC.seed.slice(1)}`])(
    'is not made of %j, which it does not repeat',
    (seed) => {
      expect(() => signingKey(seed)).toThrow(
        expect.objectContaining({ code: 'STAGE_KEY_INVALID', message: 'a secret key is 64 hex digits' }),
      );
    },
  );

  it('refuses a signature that is no hex', () => {
    expect(() => isSignedBy(RFC.public_key, '', 'zz')).toThrow(
      expect.objectContaining({ code: 'STAGE_KEY_INVALID' }),
    );
  });

  it('shows nothing of its secret', () => {
    expect(JSON.stringify(signingKey(RFC.seed))).not.toContain(RFC.seed.slice(0, 8));
  });
});

describe("the original's key", () => {
  const original = signingKey(sha256Hex('noether-stdlib-signing-key-v0.1.0'));
  const own = signingKey('01'.repeat(32));
  const [to_text] = originalStages.filter(({ name }) => name === 'to_text');
  const record: StageRecord = {
    id: to_text!.id,
    signature_id: to_text!.signature_id,
    signature: {
      input: { kind: 'Any' },
      output: { kind: 'Text' },
      effects: { effects: [{ effect: 'Pure' }] },
      implementation_hash: originalHash('to_text'),
    },
    name: 'to_text',
    capabilities: [],
    cost: {},
    description: 'x',
    examples: [],
    lifecycle: 'Active',
    ed25519_signature: null,
    signer_public_key: null,
  };
  const standing = (given: StageRecord): unknown =>
    distrustOf(sealRecord(signRecord(given, original), own), new Set([own.public_key]))?.reason ?? null;

  it('is taken for the stages it was made for, and for no others', () => {
    expect(standing(record)).toBeNull();
    expect(standing({ ...record, id: 'a'.repeat(64) })).toBe('author');
    expect(
      standing({
        ...record,
        name: 'mine',
        signature: { ...record.signature, implementation_hash: originalHash('mine') },
      }),
    ).toBe('author');
  });

  it('knows 85 stages', () => {
    expect(originalStages).toHaveLength(85);
  });
});

it('compares texts of any length', () => {
  expect([sameText('ab', 'ab'), sameText('ab', 'ac'), sameText('ab', 'abc')]).toEqual([true, false, false]);
});
