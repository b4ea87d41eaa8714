import { codeOf, isRetryable, messageOf } from '@caloron/noether/stage';
import { addMs } from '@caloron/types';

import type { ActContext } from './act_context.ts';
import { ActError } from './errors.ts';

/**
 * Milliseconds after which what was written shows in the lists of a host on another machine. Source: objects were seen to be missing from
 * GitHub's lists for up to half a minute.
 */
const SHOWS_AFTER_MS = 40_000;
const LOOPBACK = /^https?:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/]|$)/;

/**
 * Writes what a look-up in the host's lists has not found. Where no answer, or none that can be read, leaves open whether it was written,
 * the next look waits until it would show: an earlier one would not find it, and it would be written twice. Throws FORGE_UNAVAILABLE with
 * `reset_at` then. A host on this machine has no replicas that lag.
 */
export async function written<T>(
  { snapshot, now }: Pick<ActContext, 'snapshot' | 'now'>,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isUnsure(error) || LOOPBACK.test(snapshot.state.sprint.host ?? '')) throw error;
    const facts = { why: messageOf(error), reset_at: addMs(now(), SHOWS_AFTER_MS) };
    throw new ActError('FORGE_UNAVAILABLE', facts, { retryable: true, cause: error });
  }
}

function isUnsure(error: unknown): boolean {
  return isRetryable(error) && ['FORGE_UNAVAILABLE', 'FORGE_ANSWER_INVALID'].includes(codeOf(error));
}
