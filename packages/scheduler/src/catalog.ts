import { readStageArchive } from '@caloron/capabilities/source';
import { buildCatalog, type Catalog, type StageSource } from '@caloron/noether';
import { catalog as stages } from '@caloron/stages';
import { catalog as library } from '@caloron/stdlib';

import { LIBRARY_ROOT, STAGES_ROOT } from './stage-roots.ts';

/** Every stage of this program with its ids, Caloron's own first; reads each stage's source text. */
export function loadCatalog(): Catalog {
  const own = stages.map(({ stage, file }): StageSource => ({
    stage,
    archive: readStageArchive(STAGES_ROOT, file),
  }));
  const shared = library.map(({ stage, file }): StageSource => {
    const { declared } = stage;
    return { stage, archive: readStageArchive(LIBRARY_ROOT, file), ...(declared && { declared }) };
  });
  return buildCatalog([...own, ...shared]);
}
