import { existsSync } from 'node:fs';

import {
  type Catalog,
  catalogOf,
  type Graph,
  type Json,
  StageError,
  type StageRecord,
  walk,
} from '@caloron/noether';
import { codeOf } from '@caloron/noether/errors';
import type { Distrust } from '@caloron/noether/records';
import { shellWord } from '@caloron/types';

import { catalogFor } from './graph-catalog.ts';

/**
 * The stages a graph needs: the program's, and for what it names besides, records of the stage store. The store is read, and
 * verified, only then; its records have no code here, so that calling one is STAGE_NO_CODE, but a deprecated one leads to its
 * successor. The program's stage wins where both have the name. Throws STAGE_TAMPERED, STAGE_UNTRUSTED, STORE_STAGES_INVALID.
 */
export async function openCatalog(graph: Graph, store: string, known?: Catalog): Promise<Catalog> {
  const catalog = known ?? (await catalogFor(graph));
  const missing = referencesOf(graph, catalog).filter((reference) => !resolves(catalog, reference));
  if (missing.length === 0 || !existsSync(store)) return catalog;
  const { readVerifiedStages } = await import('@caloron/store/stage-store-open');
  const { records, distrust } = await readVerifiedStages({ file: store });
  const here = new Set(catalog.entries.map(({ record }) => record.id));
  const found = new Set<StageRecord>();
  for (const record of missing.flatMap((reference) => matches(records, reference))) {
    for (const step of chain(record, records)) {
      if (here.has(step.id)) break;
      const why = distrust.get(step.id);
      if (why !== undefined)
        throw new StageError(
          'STAGE_UNTRUSTED',
          { stage: step.name, id: step.id, ...why },
          { hint: untrustedHint(why, store) },
        );
      found.add(step);
    }
  }
  if (found.size === 0) return catalog;
  const { entryWithoutCode } = await import('@caloron/noether/records');
  return catalogOf([...catalog.entries, ...[...found].map(entryWithoutCode)]);
}

/** How a stage nobody trusted vouches for comes to be relied on: a key by trust, what carries no seal by taking it over. */
function untrustedHint({ reason, public_key }: Distrust, store: string): string {
  return reason === 'author' || reason === 'sealer'
    ? `./noether stage trust ${public_key ?? 'KEY'} --name WHO, if you know whose key that is`
    : `move ${shellWord(store)} away and take it over, every stage verified: ./noether stage sync MOVED.json`;
}

/** What a graph's nodes refer to, and what the config of those that call others does. */
function referencesOf({ root }: Graph, catalog: Catalog): readonly string[] {
  const nodes = [...walk(root)].flatMap(({ node }) => (node.op === 'Stage' ? [node] : []));
  const named = nodes.flatMap(({ id, config }) => {
    const { references = {} } = resolves(catalog, id) ? catalog.resolve(id).stage : {};
    return Object.keys(references).flatMap((field) => texts(config?.[field]));
  });
  return [...new Set([...nodes.map(({ id }) => id), ...named])];
}

function texts(value: Json | undefined): readonly string[] {
  return [value].flat().filter((item) => typeof item === 'string');
}

function resolves(catalog: Catalog, reference: string): boolean {
  try {
    catalog.resolve(reference);
    return true;
  } catch (error) {
    if (codeOf(error) === 'GRAPH_STAGE_AMBIGUOUS') return true;
    if (codeOf(error) === 'GRAPH_STAGE_UNKNOWN') return false;
    throw error;
  }
}

/** Every record a reference may mean: the checker says so when they are several. */
function matches(records: readonly StageRecord[], reference: string): readonly StageRecord[] {
  const hex = /^[0-9a-fA-F]+$/u.test(reference) ? reference.toLowerCase() : null;
  return records.filter(
    ({ id, signature_id, name }) =>
      name === reference || (hex !== null && (signature_id === hex || id.startsWith(hex))),
  );
}

/** A record and the successors it leads to. */
function* chain(start: StageRecord, records: readonly StageRecord[]): Generator<StageRecord> {
  const passed = new Set<StageRecord>();
  for (let at: StageRecord | undefined = start; at !== undefined && !passed.has(at);) {
    passed.add(at);
    yield at;
    const { lifecycle }: StageRecord = at;
    at =
      typeof lifecycle === 'object'
        ? records.find(({ id }) => id === lifecycle.Deprecated.successor_id)
        : undefined;
  }
}
