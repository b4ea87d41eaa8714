import { createPrivateKey, createPublicKey, sign, timingSafeEqual, verify } from 'node:crypto';

import { StageError } from './errors.ts';

/** Signs texts; the secret stays inside. */
export interface SigningKey {
  /** Ed25519 public key, 64 lower-case hex digits. */
  readonly public_key: string;
  /** The Ed25519 signature over the text's ASCII bytes, 128 lower-case hex digits. */
  readonly sign: (text: string) => string;
}

/** The public key the original's standard library is signed with. Its secret half is public knowledge: see isOriginalStage. */
export const ORIGINAL_PUBLIC_KEY = '1d17f5b0d9afdb8724a4e7d86620534b26dbedf5e988ed2dd4a48afb1a9ca4f7';

/** What stands before the 32 bytes of an Ed25519 secret in PKCS #8, and of a public key in SPKI (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** Bytes of hex text of exactly this length. Throws STAGE_KEY_INVALID, without the text: it may be a secret. */
function bytesOf(what: string, text: string, length: number): Buffer {
  if (text.length === 2 * length && /^[0-9a-fA-F]+$/u.test(text)) return Buffer.from(text, 'hex');
  throw new StageError('STAGE_KEY_INVALID', { what, digits: 2 * length });
}

/** The key made of a 32-byte seed in hex. Throws STAGE_KEY_INVALID. */
export function signingKey(seed: string): SigningKey {
  const secret = createPrivateKey({
    key: Buffer.concat([PKCS8, bytesOf('secret key', seed, 32)]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return Object.freeze({
    public_key: spki.subarray(SPKI.length).toString('hex'),
    sign: (text: string) => sign(null, Buffer.from(text, 'ascii'), secret).toString('hex'),
  });
}

/** Whether a signature is the key's over the text's ASCII bytes. Throws STAGE_KEY_INVALID for a key or signature that is no hex of its length. */
export function isSignedBy(public_key: string, text: string, signature: string): boolean {
  const bytes = bytesOf('signature', signature, 64);
  const key = Buffer.concat([SPKI, bytesOf('public key', public_key, 32)]);
  return verify(
    null,
    Buffer.from(text, 'ascii'),
    createPublicKey({ key, format: 'der', type: 'spki' }),
    bytes,
  );
}

/** The public key in the form lists of keys hold it. Throws STAGE_KEY_INVALID. */
export function publicKeyText(text: string): string {
  return bytesOf('public key', text.trim(), 32).toString('hex');
}

/** Whether two texts are the same, in a time that tells nothing of where they differ. */
export function sameText(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8')];
  return x.length === y.length && timingSafeEqual(x, y);
}
