import { setTimeout as pause } from 'node:timers/promises';

import type { Logger } from '@caloron/capabilities/logger';
import { codeOf } from '@caloron/noether/errors';

/** How soon a write that failed is tried again. */
export const RECORD_RETRY_MS = 5_000;

/** What tries to record something, and who is told. */
export interface Recording {
  readonly logger: Logger;
  /** What is told with each failure. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** What could not be done, as a sentence. */
  readonly message: string;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
  /** Given up after so long, milliseconds; never when absent. */
  readonly patience_ms?: number;
  readonly retry_ms?: number;
  /** Holds what failed and is tried again, for as long as it is. */
  readonly waiting?: Set<object> | undefined;
}

/**
 * Writes, again and again where the database is locked, full or faulty: nobody else waits for it meanwhile. Each failure is told with its
 * reason. Throws the last one when patience or the process ends, and at once when the database was closed.
 */
export async function recorded<T>(write: (attempt: number) => Promise<T>, how: Recording): Promise<T> {
  const { logger, facts, message, signal, patience_ms = Infinity, retry_ms = RECORD_RETRY_MS } = how;
  const until = performance.now() + patience_ms;
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await write(attempt);
      } catch (error) {
        if (codeOf(error) === 'STORE_CLOSED' || signal.aborted || performance.now() >= until) throw error;
        how.waiting?.add(how);
        logger.error({ ...facts, attempt, err: error, retry_ms }, message);
        await pause(retry_ms, undefined, { ref: false, signal }).catch(() => undefined);
      }
    }
  } finally {
    how.waiting?.delete(how);
  }
}
