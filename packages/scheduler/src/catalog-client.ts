import { existsSync } from 'node:fs';

import {
  type Catalog,
  catalogOf,
  type CatalogStage,
  effectWord,
  show,
  type StageRecord,
} from '@caloron/noether';
import { entryWithoutCode, lifecycleWord, searchRecords } from '@caloron/noether/records';
import { readVerifiedStages } from '@caloron/store/stage-store-open';
import type { StageCatalog, StageSummary } from '@caloron/types';

import { loadCatalog } from './catalog.ts';

/** Records of the stage store that are relied on and are not the program's own. */
async function storedBeside(program: Catalog, file: string): Promise<readonly StageRecord[]> {
  if (!existsSync(file)) return [];
  const { records, distrust } = await readVerifiedStages({ file });
  const own = new Set(program.entries.map(({ record }) => record.id));
  return records.filter(({ id }) => !own.has(id) && !distrust.has(id));
}

function summaryOf({ record, input, output, effective_effects }: CatalogStage): StageSummary {
  const { id, name, description, lifecycle, examples } = record;
  return {
    id,
    name,
    description,
    input: show(input),
    output: show(output),
    effects: effective_effects.map(({ effect }) => effectWord(effect)),
    lifecycle: lifecycleWord(lifecycle),
    examples_count: examples.length,
  };
}

/** The stages graphs may name: the program's, and those of a stage store beside them. Every call reads the store anew. */
export function createStageCatalog(store: string): StageCatalog {
  const all = async (): Promise<Catalog> => {
    const program = loadCatalog();
    const beside = await storedBeside(program, store);
    return catalogOf([...program.entries, ...beside.map(entryWithoutCode)]);
  };
  return {
    describe: async (reference) => summaryOf((await all()).resolve(reference)),
    async search(question, limit) {
      const { entries } = await all();
      const byId = new Map(entries.map((entry) => [entry.record.id, entry]));
      const active = entries.map(({ record }) => record).filter(({ lifecycle }) => lifecycle === 'Active');
      return searchRecords(active, question)
        .slice(0, Math.max(0, limit))
        .flatMap(({ record, score }) => {
          const entry = byId.get(record.id);
          return entry === undefined ? [] : [{ ...summaryOf(entry), score }];
        });
    },
  };
}
