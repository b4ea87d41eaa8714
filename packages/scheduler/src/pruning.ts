import { setTimeout as pause } from 'node:timers/promises';

import type { Logger } from '@caloron/capabilities/logger';
import type { Store } from '@caloron/store';

/** A pass begins so long after the start of a scheduler, */
const FIRST_MS = 60_000;
/** and so long after the last one. */
const EVERY_MS = 60 * 60_000;
/** Fires and other processes have the database between two batches, which take a few milliseconds each. */
const PAUSE_MS = 25;

/** What deletes old rows. */
export interface PruningDeps {
  readonly store: Pick<Store, 'prune'>;
  readonly logger: Logger;
  readonly first_ms?: number;
  readonly every_ms?: number;
}

/** Deletes what grows with time and is old, once an hour, beside the fires. Gives the end of it, which waits for the batch that is under way. */
export function startPruning(deps: PruningDeps): () => Promise<void> {
  const { store, logger, first_ms = FIRST_MS, every_ms = EVERY_MS } = deps;
  const ended = new AbortController();
  let going: Promise<void> = Promise.resolve();

  const pass = async (): Promise<void> => {
    const gone: Record<string, number> = {};
    for await (const { table, rows } of store.prune()) {
      if (rows > 0) gone[table] = (gone[table] ?? 0) + rows;
      if (ended.signal.aborted) break;
      await pause(PAUSE_MS, undefined, { ref: false, signal: ended.signal }).catch(() => undefined);
    }
    if (Object.keys(gone).length > 0) logger.info({ rows: gone }, 'old rows deleted');
  };
  const later = (ms: number): NodeJS.Timeout =>
    setTimeout(() => {
      going = pass()
        .catch((error: unknown) =>
          logger.warn({ err: error }, 'old rows could not be deleted; tried again in an hour'),
        )
        .then(() => {
          if (!ended.signal.aborted) timer = later(every_ms);
        });
    }, ms).unref();
  let timer = later(first_ms);

  return async () => {
    ended.abort();
    clearTimeout(timer);
    await going;
  };
}
