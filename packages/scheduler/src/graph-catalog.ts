import { readStageArchive } from '@caloron/capabilities/source';
import {
  buildCatalog,
  type Catalog,
  type Graph,
  type Json,
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
 * stage by its id or by a name that is none: then all of them are, as only they tell which is meant.
 */
export async function catalogFor(graph: Graph): Promise<Catalog> {
  const sources = await named(
    [...walk(graph.root)].flatMap(({ node }) => (node.op === 'Stage' ? [node] : [])),
  );
  if (sources !== null) return buildCatalog(sources);
  const { loadCatalog } = await import('./catalog.ts');
  return loadCatalog();
}

/** The stages the nodes name, with those that their config names for them; null when one is not named so. */
async function named(nodes: readonly StageNode[]): Promise<readonly StageSource[] | null> {
  const sources = new Map<string, StageSource>();
  const load = async (names: readonly string[]): Promise<boolean> => {
    const listed = [...new Set(names)].map((name) => (MAY_BE_ID.test(name) ? undefined : LISTED.get(name)));
    const found = listed.filter((stage) => stage !== undefined);
    if (found.length < listed.length) return false;
    await Promise.all(found.map(async (stage) => sources.set(stage.name, await stage.load())));
    return true;
  };
  if (!(await load(nodes.map(({ id }) => id)))) return null;
  const further = nodes.flatMap(({ id, config }) =>
    Object.keys(sources.get(id)?.stage.references ?? {}).flatMap((field) => texts(config?.[field])),
  );
  return (await load(further)) ? [...sources.values()] : null;
}

function texts(value: Json | undefined): readonly string[] {
  return [value].flat().filter((item) => typeof item === 'string');
}
