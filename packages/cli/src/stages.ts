import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Catalog } from '@caloron/noether';
import { writeStageStore } from '@caloron/store';

/** Writes the catalogue's records to a stage store; gives name → id. */
export async function writeStages(
  path: string,
  catalog: Catalog,
): Promise<readonly (readonly [string, string])[]> {
  mkdirSync(dirname(path), { recursive: true });
  await writeStageStore(
    path,
    catalog.entries.map(({ record }) => record),
  );
  return catalog.entries.map(({ record }) => [record.name, record.id] as const);
}
