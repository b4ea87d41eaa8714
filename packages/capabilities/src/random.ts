import { randomBytes, randomUUID } from 'node:crypto';

import type { Random } from '@caloron/types';

/** 2^32, the number of values four random bytes have. */
const UINT32_VALUES = 4_294_967_296;

/** The machine's chance: cryptographic, so that ids made of it cannot be guessed. */
export const systemRandom: Random = {
  uuid: () => randomUUID(),
  fraction: () => randomBytes(4).readUInt32BE(0) / UINT32_VALUES,
};

/** A fresh secret of `bytes` random bytes as base64url; 32 bytes give 43 characters. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString('base64url');
}
