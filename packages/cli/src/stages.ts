import { existsSync } from 'node:fs';

import { type Catalog, catalogOf, type CatalogStage, type StageRecord } from '@caloron/noether';
import { type Distrust, findRecord, noCode } from '@caloron/noether/records';
import { loadCatalog } from '@caloron/scheduler';
import { openStageStore, readVerifiedStages, type SeedResult } from '@caloron/store';

/** A record with what is known of it here. */
export interface KnownStage {
  readonly record: StageRecord;
  /** The stage that can be run, where its code is here. */
  readonly entry: CatalogStage | null;
  /** Why no graph runs on the record; null when nothing is held against it, or the store has no such record. */
  readonly distrust: Distrust | null;
  /** Whether the stage store holds it. */
  readonly stored: boolean;
}

let loaded: Catalog | undefined;

/** Every stage of this program; read once. */
export function programCatalog(): Catalog {
  return (loaded ??= loadCatalog());
}

/** Makes a stage store hold the catalogue's stages as they are, Active, signed and sealed; what others put there stays. */
export async function seedStages(file: string, catalog: Catalog): Promise<SeedResult> {
  return openStageStore({ file }).seed(catalog.entries.map(({ record }) => record));
}

/** {@link seedStages}; gives name → id. */
export async function writeStages(
  path: string,
  catalog: Catalog,
): Promise<readonly (readonly [string, string])[]> {
  await seedStages(path, catalog);
  return catalog.entries.map(({ record }) => [record.name, record.id] as const);
}

/** The program's stages and what else the store file holds, in name order; the store's word on a lifecycle counts. Throws STAGE_TAMPERED. */
export async function knownStages(file: string): Promise<readonly KnownStage[]> {
  const { records, distrust } = existsSync(file)
    ? await readVerifiedStages({ file })
    : { records: [], distrust: new Map<string, Distrust>() };
  const { entries } = programCatalog();
  const code = new Map(entries.map((entry) => [entry.record.id, entry]));
  const stored = new Set(records.map(({ id }) => id));
  return [
    ...records.map((record) => ({
      record,
      entry: code.get(record.id) ?? null,
      distrust: distrust.get(record.id) ?? null,
      stored: true,
    })),
    ...entries
      .filter(({ record }) => !stored.has(record.id))
      .map((entry) => ({ record: entry.record, entry, distrust: null, stored: false })),
  ].toSorted((a, b) => (a.record.name < b.record.name ? -1 : a.record.name > b.record.name ? 1 : 0));
}

/** The one a reference means. Throws STAGE_UNKNOWN or STAGE_AMBIGUOUS. */
export function oneStage(known: readonly KnownStage[], reference: string): KnownStage {
  const record = findRecord(
    known.map((stage) => stage.record),
    reference,
  );
  const found = known.find((stage) => stage.record === record);
  if (found === undefined) throw new TypeError('a record that was found is one of those looked through');
  return found;
}

/** A record's stage, with the code the record carries. Who vouches for it is asked before. Throws STAGE_NO_CODE, STAGE_CODE_REFUSED. */
export async function carriedStage(record: StageRecord): Promise<CatalogStage> {
  if (record.archive === undefined) throw noCode(record);
  const { stageOfArchive } = await import('@caloron/scheduler/registry/archive-code');
  const [entry] = catalogOf([{ stage: await stageOfArchive(record), record }]).entries;
  if (entry === undefined) throw new TypeError('a catalog has the entries it was made of');
  return entry;
}
