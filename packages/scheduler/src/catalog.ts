import { createRequire } from 'node:module';
import { dirname } from 'node:path';

import { readStageArchive } from '@caloron/capabilities/source';
import { buildCatalog, type Catalog } from '@caloron/noether';
import { catalog as stages } from '@caloron/stages';

/** Every stage of this program with its ids; reads each stage's source text. */
export function loadCatalog(): Catalog {
  const root = dirname(createRequire(import.meta.url).resolve('@caloron/stages/package.json'));
  return buildCatalog(stages.map(({ stage, file }) => ({ stage, archive: readStageArchive(root, file) })));
}
