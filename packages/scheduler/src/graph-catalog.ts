import { readStageArchive } from '@caloron/capabilities/source';
import {
  buildCatalog,
  type Catalog,
  type Graph,
  type Json,
  originalName,
  type StageNode,
  type StageSource,
  walk,
} from '@caloron/noether';
import { listing as stages } from '@caloron/stages/listing';
import { listing as library } from '@caloron/stdlib/listing';

import { LIBRARY_ROOT, STAGES_ROOT } from './stage-roots.ts';

/** A stage that can be loaded by its name. */
interface Listed {
  readonly name: string;
  readonly load: () => Promise<StageSource>;
}

const LISTED: ReadonlyMap<string, Listed> = new Map([
  ...library.map(({ name, file, load }): [string, Listed] => [
    name,
    {
      name,
      load: async () => {
        const stage = await load();
        const { declared } = stage;
        return { stage, archive: readStageArchive(LIBRARY_ROOT, file), ...(declared && { declared }) };
      },
    },
  ]),
  ...stages.map(({ name, file, load }): [string, Listed] => [
    name,
    { name, load: async () => ({ stage: await load(), archive: readStageArchive(STAGES_ROOT, file) }) },
  ]),
]);

/** A name that could be the beginning of an id has to be compared with all ids. */
const MAY_BE_ID = /^[0-9a-fA-F]+$/u;

/**
 * The stages a graph needs, with their ids. Code and source text of the others are not read, unless the graph refers to a
 * stage by an id that is not the original's of the standard library, by a prefix, or by a name that is none: then all of them
 * are, as only they tell which is meant.
 */
export async function catalogFor(graph: Graph): Promise<Catalog> {
  const sources = await named(
    [...walk(graph.root)].flatMap(({ node }) => (node.op === 'Stage' ? [node] : [])),
  );
  if (sources !== null) return buildCatalog(sources);
  const { loadCatalog } = await import('./catalog.ts');
  return loadCatalog();
}

/** The stage a reference surely means; undefined where all have to be asked. */
function listed(reference: string): Listed | undefined {
  return LISTED.get(MAY_BE_ID.test(reference) ? (originalName(reference) ?? '') : reference);
}

/** The stages the nodes name, with those that their config names for them; null when one is not named so. */
async function named(nodes: readonly StageNode[]): Promise<readonly StageSource[] | null> {
  const sources = new Map<string, StageSource>();
  const load = async (references: readonly string[]): Promise<boolean> => {
    const found = new Map(references.map((reference) => [reference, listed(reference)]));
    if ([...found.values()].includes(undefined)) return false;
    await Promise.all(
      [...found].map(async ([reference, stage]) => stage && sources.set(reference, await stage.load())),
    );
    return true;
  };
  if (!(await load(nodes.map(({ id }) => id)))) return null;
  const further = nodes.flatMap(({ id, config }) =>
    Object.keys(sources.get(id)?.stage.references ?? {}).flatMap((field) => texts(config?.[field])),
  );
  if (!(await load(further))) return null;
  // A stage that is named twice, as by its id and by its name, is there once.
  return [...new Map([...sources.values()].map((source) => [source.stage.name, source])).values()];
}

function texts(value: Json | undefined): readonly string[] {
  return [value].flat().filter((item) => typeof item === 'string');
}
