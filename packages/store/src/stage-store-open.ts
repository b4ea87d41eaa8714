import { dirname } from 'node:path';

import { StageError, type StageRecord } from '@caloron/noether';
import {
  activateStage,
  buryStage,
  deprecateStage,
  type Distrust,
  distrustOf,
  findRecord,
  type LifecycleChange,
  putStage,
  recordFaults,
  type Seal,
  sealRecord,
  signRecord,
  unsealed,
} from '@caloron/noether/records';
import { shellWord } from '@caloron/types';

import { authorKey, trustedKeys } from './stage-store-keys.ts';
import { readStageStore, updateStageStore } from './stage-store.ts';
import { seedRecords, type SeedResult } from './stage-store-seed.ts';

/** Records that are what they were when they were put there. */
export interface VerifiedStages {
  readonly records: readonly StageRecord[];
  /** Why a record is not relied on, by id. Intact records of keys nobody trusts can be looked at, and no graph runs on them. */
  readonly distrust: ReadonlyMap<string, Distrust>;
}

/** A stage store that verifies what it reads and signs and seals what it writes. Every change is one step under a lock. */
export interface StageStore {
  readonly file: string;
  /** Throws STAGE_TAMPERED, STORE_STAGES_INVALID, STORE_STAGES_FAILED. */
  read(): Promise<VerifiedStages>;
  /** Adds a record with the lifecycle it has, signed by this home's author unless it is signed. Throws STAGE_EXISTS and as read does. */
  put(record: StageRecord): Promise<LifecycleChange>;
  /** Adds several as {@link StageStore.put} does, in one step; null for one whose id is there. */
  putAll(records: readonly StageRecord[]): Promise<readonly (LifecycleChange | null)[]>;
  /** Draft → Active. `reference`: as findRecord takes it. */
  activate(reference: string): Promise<LifecycleChange>;
  /** Active → Deprecated in favour of another. */
  deprecate(reference: string, successor: string): Promise<LifecycleChange>;
  /** Active → Tombstone. */
  bury(reference: string): Promise<LifecycleChange>;
  /** Makes the store hold these stages, Active, as the program has them. */
  seed(records: readonly StageRecord[]): Promise<SeedResult>;
}

/** Where a stage store and its keys are. */
export interface StageStorePlace {
  readonly file: string;
  /** The Noether home with the author's key and the trusted keys; absent: the file's folder. */
  readonly keys_dir?: string;
}

/** Reads a stage store that is only looked at. Throws STAGE_TAMPERED naming stages and fields, STORE_STAGES_INVALID, STORE_STAGES_FAILED. */
export async function readVerifiedStages(place: StageStorePlace): Promise<VerifiedStages> {
  return verified(place.file, await readStageStore(place.file), await trustedKeys(keysDir(place)));
}

/** Opens a stage store. Nothing is read, written or made before it is asked for. */
export function openStageStore(place: StageStorePlace): StageStore {
  const { file } = place;
  const change = async <T>(
    work: (records: readonly StageRecord[], hand: Hand) => T & { readonly records: readonly StageRecord[] },
  ): Promise<T> => {
    const key = await authorKey(keysDir(place));
    const trusted = await trustedKeys(keysDir(place));
    const seal: Seal = (record) => sealRecord(record, key);
    const sign = (record: StageRecord): StageRecord => signRecord(record, key);
    let result: T | undefined;
    await updateStageStore(file, (records) => {
      requireIntact(file, records);
      const changed = work(records, { seal, sign, reseal: resealing(records, trusted, seal) });
      result = changed;
      return changed.records;
    });
    return result as T;
  };
  return {
    file,
    read: () => readVerifiedStages(place),
    put: (record) => change((records, { reseal, sign }) => putStage(records, sign(record), reseal)),
    putAll: async (added) => {
      const { changes } = await change((records, hand) => putEach(records, added, hand));
      return changes;
    },
    activate: (reference) =>
      change((records, { reseal }) => activateStage(records, findRecord(records, reference).id, reseal)),
    deprecate: (reference, successor) =>
      change((records, { reseal }) =>
        deprecateStage(records, findRecord(records, reference).id, findRecord(records, successor).id, reseal),
      ),
    bury: (reference) =>
      change((records, { reseal }) => buryStage(records, findRecord(records, reference).id, reseal)),
    seed: (stages) => change((records, hand) => seedRecords(records, stages.map(hand.sign), hand)),
  };
}

/** One after the other, into what the one before left. */
function putEach(
  records: readonly StageRecord[],
  added: readonly StageRecord[],
  { reseal, sign }: Hand,
): { readonly records: readonly StageRecord[]; readonly changes: readonly (LifecycleChange | null)[] } {
  let all = records;
  const changes = added.map((record) => {
    if (all.some(({ id }) => id === record.id)) return null;
    const change = putStage(all, sign(record), reseal);
    all = change.records;
    return change;
  });
  return { records: all, changes };
}

/** What signs and seals in the author's name. */
interface Hand {
  /** For what comes from outside of the store. */
  readonly seal: Seal;
  /** For what may lie in the store already. */
  readonly reseal: Seal;
  readonly sign: (record: StageRecord) => StageRecord;
}

/**
 * Seals what is new and what was under a trusted seal. Whatever else lies in the store goes without one: nobody knows who wrote
 * it, and a change of its lifecycle vouches for nothing in it.
 */
function resealing(records: readonly StageRecord[], trusted: ReadonlySet<string>, seal: Seal): Seal {
  const before = new Map(records.map((record) => [record.id, record]));
  return (record) => {
    const was = before.get(record.id);
    if (was === undefined) return seal(record);
    const { record_signer } = was;
    return record_signer !== undefined && trusted.has(record_signer) ? seal(record) : unsealed(record);
  };
}

function keysDir({ file, keys_dir }: StageStorePlace): string {
  return keys_dir ?? dirname(file);
}

function verified(
  file: string,
  records: readonly StageRecord[],
  trusted: ReadonlySet<string>,
): VerifiedStages {
  requireIntact(file, records);
  const distrust = records.flatMap((record) => {
    const why = distrustOf(record, trusted);
    return why === null ? [] : [[record.id, why] as const];
  });
  return { records, distrust: new Map(distrust) };
}

/** Throws STAGE_TAMPERED with every field that is not what it should be. */
function requireIntact(store: string, records: readonly StageRecord[]): void {
  const faults = records.flatMap((record) =>
    recordFaults(record).map((fault) => ({ stage: record.name, id: record.id, ...fault })),
  );
  if (faults.length === 0) return;
  throw new StageError(
    'STAGE_TAMPERED',
    { store, faults },
    {
      hint: `./noether stage verify --store ${shellWord(store)} lists every field; move the file away and write it anew with ./noether stage sync --store ${shellWord(store)}`,
    },
  );
}
