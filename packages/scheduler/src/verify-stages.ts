import { existsSync } from 'node:fs';

import { type Catalog, StageError } from '@caloron/noether';
import { readVerifiedStages } from '@caloron/store';
import { CodedError, messageOf } from '@caloron/noether/errors';
import { shellWord } from '@caloron/types';

import { SchedulerError } from './errors.ts';

/** Refuses a stage store that was tampered with, lacks this program's stages or has them from somebody nobody trusts: STAGE_TAMPERED, SCHEDULER_STORE_MISSING, SCHEDULER_STORE_STALE, STAGE_UNTRUSTED. Writes nothing. */
export async function verifyStageStore(path: string, catalog: Catalog): Promise<void> {
  const hint = `./noether stage sync --store ${shellWord(path)}`;
  if (!existsSync(path)) throw new SchedulerError('SCHEDULER_STORE_MISSING', { path }, { hint });
  const { records, distrust } = await readVerifiedStages({ file: path });
  const known = new Set(records.map(({ id }) => id));
  const stale = catalog.entries
    .filter(({ record }) => !known.has(record.id))
    .map(({ record }) => record.name);
  if (stale.length > 0) throw new SchedulerError('SCHEDULER_STORE_STALE', { path, stages: stale }, { hint });
  for (const { record } of catalog.entries) {
    const why = distrust.get(record.id);
    if (why !== undefined)
      throw new StageError('STAGE_UNTRUSTED', { stage: record.name, id: record.id, ...why }, { hint });
  }
}

/** The same as problems of a config's field: empty where nothing is wrong. */
export async function storeProblems(path: string, catalog: Catalog): Promise<readonly string[]> {
  try {
    await verifyStageStore(path, catalog);
    return [];
  } catch (error) {
    const next = error instanceof CodedError && error.hint !== undefined ? `; ${error.hint}` : '';
    return [`store_path: ${messageOf(error)}${next}`];
  }
}
