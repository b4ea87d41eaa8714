import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Catalog, StageRecord } from '@caloron/noether';
import {
  type Distrust,
  distrustOf,
  exampleProblems,
  fieldHashes,
  propertyProblems,
  type RecordFault,
  recordFaults,
} from '@caloron/noether/records';
import { readStageStore } from '@caloron/store';
import { trustedKeys } from '@caloron/store/stage-store-keys';

import { CliError } from './errors.ts';

/** What an audit found of one record. */
export interface AuditedRecord {
  readonly record: StageRecord;
  /** Fields that are not what they were, or not what follows from the others. */
  readonly faults: readonly RecordFault[];
  readonly distrust: Distrust | null;
  /** Fields in which it is not what the program's stage of this id says. */
  readonly differs: readonly RecordFault[];
  /** Examples that do not have the types, properties that do not hold. */
  readonly claims: readonly string[];
}

/** Fields a store may say otherwise than the program: where the record is in its life, and whose it is. */
const OF_THE_STORE: readonly string[] = ['lifecycle', 'ed25519_signature', 'signer_public_key'];

/** Looks through a stage store without refusing it. Throws CLI_NOT_FOUND, STORE_STAGES_INVALID, STORE_STAGES_FAILED. */
export async function auditStore(file: string, catalog: Catalog): Promise<readonly AuditedRecord[]> {
  if (!existsSync(file))
    throw new CliError('CLI_NOT_FOUND', { what: 'stage store', id: file }, { hint: './noether stage sync' });
  const trusted = await trustedKeys(dirname(file));
  const code = new Map(catalog.entries.map(({ record }) => [record.id, record]));
  return (await readStageStore(file)).map((record) => ({
    record,
    faults: recordFaults(record),
    distrust: distrustOf(record, trusted),
    differs: differences(record, code.get(record.id)),
    claims: claimProblems(record, code.has(record.id)),
  }));
}

/** Where the code is here its own schemas judge the examples: a stage that keeps an original's types may take more than they say. */
function claimProblems(record: StageRecord, here: boolean): readonly string[] {
  if (recordFaults(record).some(({ field }) => field.startsWith('signature.'))) return [];
  return [...(here ? [] : exampleProblems(record)), ...propertyProblems(record)];
}

function differences(record: StageRecord, own: StageRecord | undefined): readonly RecordFault[] {
  if (own === undefined) return [];
  const [held, made] = [fieldHashes(record), fieldHashes(own)];
  const fields = [...new Set([...Object.keys(held), ...Object.keys(made)])].toSorted();
  return fields
    .filter((field) => !OF_THE_STORE.includes(field) && held[field] !== made[field])
    .map((field) => ({ field, stored: held[field] ?? null, recomputed: made[field] ?? null }));
}
