import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyRequest } from 'fastify';

import { RegistryError } from './errors.ts';
import { KEY_HEADER } from './wire.ts';

/** Keys of a registry: who has one may read, or read and push. */
export interface RegistryKeys {
  /** Whether a read key is set; without one everybody may read. */
  readonly private: boolean;
  /** Whether a write key is set; without one nothing is pushed. */
  readonly writable: boolean;
  /** Throws REGISTRY_KEY_REQUIRED. */
  readonly requireRead: (request: FastifyRequest) => void;
  /** Throws REGISTRY_KEY_REQUIRED or REGISTRY_PUSH_FORBIDDEN. */
  readonly requireWrite: (request: FastifyRequest) => void;
}

/** The variables of the keys, each a comma list: so one can be replaced while the old one still counts. */
export interface KeyVariables {
  readonly read: string | undefined;
  readonly write: string | undefined;
}

/** Shorter ones can be guessed. */
const MIN_KEY_LENGTH = 16;

/** What was sent with a request. */
type Held = 'missing' | 'unknown' | 'read' | 'write';

/** Reads the keys. Throws REGISTRY_KEY_INVALID, without the key. */
export function registryKeys({ read, write }: KeyVariables): RegistryKeys {
  const readers = hashesOf('NOETHER_REGISTRY_READ_KEY', read);
  const writers = hashesOf('NOETHER_REGISTRY_WRITE_KEY', write);
  const held = (request: FastifyRequest): Held => {
    const key = request.headers[KEY_HEADER];
    if (typeof key !== 'string' || key === '') return 'missing';
    const hash = hashOf(key);
    // Each is compared, whichever it is: the time tells nothing.
    const [writes, reads] = [writers, readers].map(
      (known) => known.filter((one) => timingSafeEqual(one, hash)).length > 0,
    );
    return writes === true ? 'write' : reads === true ? 'read' : 'unknown';
  };
  return {
    private: readers.length > 0,
    writable: writers.length > 0,
    requireRead(request) {
      if (readers.length === 0) return;
      refuseStranger(held(request));
    },
    requireWrite(request) {
      const key = held(request);
      if (writers.length === 0) throw new RegistryError('REGISTRY_PUSH_FORBIDDEN', { reason: 'registry' });
      refuseStranger(key);
      if (key === 'read') throw new RegistryError('REGISTRY_PUSH_FORBIDDEN', { reason: 'key' });
    },
  };
}

function refuseStranger(key: Held): void {
  if (key === 'missing' || key === 'unknown')
    throw new RegistryError('REGISTRY_KEY_REQUIRED', { reason: key });
}

/** Equally long whatever the keys are, so that they can be compared in constant time. */
function hashesOf(name: string, list = ''): readonly Buffer[] {
  const keys = list
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '');
  const short = keys.findIndex((key) => key.length < MIN_KEY_LENGTH);
  const which = keys.length > 1 ? `number ${short + 1} ` : 'it ';
  if (short !== -1)
    throw new RegistryError('REGISTRY_KEY_INVALID', {
      name,
      reason: `${which}is shorter than ${MIN_KEY_LENGTH} characters`,
    });
  if (keys.some((key) => !/^[\u0021-\u007e]+$/u.test(key)))
    throw new RegistryError('REGISTRY_KEY_INVALID', {
      name,
      reason: 'expected printable ASCII without spaces: a header carries it',
    });
  return keys.map(hashOf);
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
