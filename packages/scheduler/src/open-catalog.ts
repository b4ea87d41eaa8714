import { existsSync } from 'node:fs';

import {
  type Catalog,
  catalogOf,
  type Graph,
  type Json,
  StageError,
  type StageNode,
  type StageRecord,
  walk,
} from '@caloron/noether';
import { codeOf } from '@caloron/noether/errors';
import type { Distrust } from '@caloron/noether/records';
import type { VerifiedStages } from '@caloron/store/stage-store-open';
import { shellWord } from '@caloron/types';

import { catalogFor } from './graph-catalog.ts';

/** Stages that are not of this program: a verified catalogue of a registry. */
export interface StageLibrary {
  /** Read for each graph that names one of them. */
  read(): Promise<VerifiedStages>;
  /** What helps where a record carries no seal or signature. */
  readonly unsigned_hint: string;
  /** The registry's address, without any key; absent for a store. */
  readonly url?: string;
}

/** What is made of a catalog. */
export interface CatalogOptions {
  /** To be looked at alone: no code of a record is loaded. */
  readonly names_only?: boolean;
}

/** Where stages are looked up: the path of a stage store, or a registry. */
export type StagePlace = string | StageLibrary;

/**
 * The stages a graph needs: the program's, and for what it names besides, records of the first of these places that has them. A
 * place is read, and verified, only then. A record runs when it carries its code and that is the record's (see stageOfArchive);
 * else calling it is STAGE_NO_CODE. A deprecated one leads to its successor. The program's stage wins where both have the name.
 * Throws STAGE_TAMPERED, STAGE_UNTRUSTED, STAGE_CODE_REFUSED, STORE_STAGES_INVALID, and as the registry does.
 */
export async function openCatalog(
  graph: Graph,
  places: StagePlace | readonly StagePlace[],
  known?: Catalog,
  { names_only = false }: CatalogOptions = {},
): Promise<Catalog> {
  let catalog = known ?? (await catalogFor(graph));
  let refusal: StageError | undefined;
  for (const place of [places].flat()) {
    if (missingFrom(catalog, graph).length === 0) return catalog;
    if (typeof place === 'string' && !existsSync(place)) continue;
    const library = typeof place === 'string' ? await storeLibrary(place) : place;
    const stages = await library.read();
    const untrusted = (error: StageError): void => void (refusal ??= error);
    // What has been loaded may name further stages in its node's config.
    for (let found = lookUp(catalog, graph, stages, library, untrusted); found.length > 0;) {
      const { entryWithoutCode } = await import('@caloron/noether/records');
      const entries = found.map((record) => ({ ...entryWithoutCode(record), foreign: true }));
      const wider = catalogOf([...catalog.entries, ...entries]);
      catalog = names_only ? wider : await withCode(wider, graph);
      found = lookUp(catalog, graph, stages, library, untrusted);
    }
  }
  // A later place may have what nobody trusts in an earlier one.
  if (refusal !== undefined && missingFrom(catalog, graph).length > 0) throw refusal;
  return catalog;
}

async function storeLibrary(file: string): Promise<StageLibrary> {
  const { readVerifiedStages } = await import('@caloron/store/stage-store-open');
  return {
    read: () => readVerifiedStages({ file }),
    unsigned_hint: `move ${shellWord(file)} away and take it over, every stage verified: ./noether stage sync MOVED.json`,
  };
}

function missingFrom(catalog: Catalog, graph: Graph): readonly string[] {
  return referencesOf(graph, catalog).filter((reference) => !resolves(catalog, reference));
}

/** Records a graph needs beside a catalog, with the successors they lead to; STAGE_UNTRUSTED is told for those that nobody trusts. */
function lookUp(
  catalog: Catalog,
  graph: Graph,
  { records, distrust }: VerifiedStages,
  library: StageLibrary,
  refuse: (error: StageError) => void,
): readonly StageRecord[] {
  const here = new Set(catalog.entries.map(({ record }) => record.id));
  const found = new Set<StageRecord>();
  const wanted = missingFrom(catalog, graph).flatMap((reference) => matches(records, reference));
  for (const record of wanted) {
    const steps: StageRecord[] = [];
    for (const step of chain(record, records)) {
      if (here.has(step.id)) break;
      steps.push(step);
    }
    // Whoever may push to a registry may use any name: it takes nothing from those who are trusted.
    const untrusted = steps.find(({ id }) => distrust.has(id));
    if (untrusted === undefined) for (const step of steps) found.add(step);
    else refuse(untrustedError(untrusted, distrust.get(untrusted.id), library));
  }
  return [...found];
}

function untrustedError(
  { name: stage, id }: StageRecord,
  why: Distrust | undefined,
  library: StageLibrary,
): StageError {
  const { reason, public_key } = why ?? { reason: 'unsigned', public_key: null };
  return new StageError(
    'STAGE_UNTRUSTED',
    { stage, id, reason, public_key },
    { hint: untrustedHint({ reason, public_key }, library) },
  );
}

/** The catalog with the code of those stages that the graph runs and that carry it. Throws STAGE_CODE_REFUSED. */
async function withCode(catalog: Catalog, graph: Graph): Promise<Catalog> {
  const run = new Set(referencesOf(graph, catalog).map((reference) => resolution(catalog, reference)));
  const pinned = nodesOf(graph).flatMap(({ id, pinning }) => (pinning === 'both' ? [id.toLowerCase()] : []));
  const runs = ({ id }: StageRecord): boolean => run.has(id) || pinned.some((start) => id.startsWith(start));
  const { hasCode } = await import('@caloron/noether/records');
  const loaded = await Promise.all(
    catalog.entries.map(async (entry) => {
      if (hasCode(entry.stage) || entry.record.archive === undefined || !runs(entry.record)) return entry;
      const { stageOfArchive } = await import('./registry/archive-code.ts');
      return { ...entry, stage: await stageOfArchive(entry.record) };
    }),
  );
  return catalogOf(loaded);
}

/** How a stage nobody trusted vouches for comes to be relied on: a key by trust, what carries no seal by taking it over. */
function untrustedHint({ reason, public_key }: Distrust, { unsigned_hint }: StageLibrary): string {
  return reason === 'author' || reason === 'sealer'
    ? `./noether stage trust ${public_key ?? 'KEY'} --name WHO, if you know whose key that is`
    : unsigned_hint;
}

/** What a graph's nodes refer to, and what the config of those that call others does. */
function referencesOf(graph: Graph, catalog: Catalog): readonly string[] {
  const nodes = nodesOf(graph);
  const named = nodes.flatMap(({ id, config }) => {
    const { references = {} } = resolves(catalog, id) ? catalog.resolve(id).stage : {};
    return Object.keys(references).flatMap((field) => texts(config?.[field]));
  });
  return [...new Set([...nodes.map(({ id }) => id), ...named])];
}

function nodesOf({ root }: Graph): readonly StageNode[] {
  return [...walk(root)].flatMap(({ node }) => (node.op === 'Stage' ? [node] : []));
}

function texts(value: Json | undefined): readonly string[] {
  return [value].flat().filter((item) => typeof item === 'string');
}

/** Whether a reference means a stage of a catalog, or several: the checker says so then. */
function resolves(catalog: Catalog, reference: string): boolean {
  return resolution(catalog, reference) !== null;
}

/** The id a reference means, `several`, or null when it means none. */
function resolution(catalog: Catalog, reference: string): string | null {
  try {
    return catalog.resolve(reference).record.id;
  } catch (error) {
    if (codeOf(error) === 'GRAPH_STAGE_AMBIGUOUS') return 'several';
    if (codeOf(error) === 'GRAPH_STAGE_UNKNOWN') return null;
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
