import { existsSync } from 'node:fs';

import type { Catalog } from '@caloron/noether';
import { readStageStore } from '@caloron/store';

import { SchedulerError } from './errors.ts';

/** Refuses a stage store that lacks this program's stages: SCHEDULER_STORE_MISSING, SCHEDULER_STORE_STALE. Writes nothing. */
export async function verifyStageStore(path: string, catalog: Catalog): Promise<void> {
  const hint = `./noether stage sync --store ${path}`;
  if (!existsSync(path)) throw new SchedulerError('SCHEDULER_STORE_MISSING', { path }, { hint });
  const known = new Set((await readStageStore(path)).map(({ id }) => id));
  const stale = catalog.entries
    .filter(({ record }) => !known.has(record.id))
    .map(({ record }) => record.name);
  if (stale.length > 0) throw new SchedulerError('SCHEDULER_STORE_STALE', { path, stages: stale }, { hint });
}
