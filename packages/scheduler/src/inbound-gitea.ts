import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Who names the same header by its own name. */
const FORGES = ['github', 'gitea', 'forgejo'] as const;

/** A header of a delivery, by whichever forge's name: `x-github-event`, `x-gitea-event`, `x-forgejo-event`. */
export function forgeHeader(headers: IncomingHttpHeaders, name: 'delivery' | 'event'): string | undefined {
  for (const forge of FORGES) {
    const value = headers[`x-${forge}-${name}`];
    if (typeof value === 'string') return value;
  }
  return undefined;
}

/** Gitea's and Forgejo's own signature: the bare hex digits of an HMAC-SHA256. Undefined where there is none. */
export function bareSignature(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['x-gitea-signature'] ?? headers['x-forgejo-signature'];
  return typeof value === 'string' && /^[0-9a-f]{64}$/u.test(value) ? value : undefined;
}

/** Whether bare hex digits sign a body; compared in constant time. */
export function isBareSignature(secret: string, body: Buffer, signature: string): boolean {
  const expected = createHmac('sha256', secret).update(body).digest();
  const given = Buffer.from(signature, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
