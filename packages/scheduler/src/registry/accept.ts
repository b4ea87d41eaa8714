import { dirname } from 'node:path';

import type { StageRecord } from '@caloron/noether';
import {
  type Distrust,
  distrustOf,
  exampleProblems,
  fieldHashes,
  jsonFault,
  lifecycleWord,
  propertyProblems,
  type RecordFault,
  recordFaults,
} from '@caloron/noether/records';
import { openStageStore } from '@caloron/store';
import { trustedKeys } from '@caloron/store/stage-store-keys';
import { StageRecordShape } from '@caloron/store/stage-store';
import type { z } from 'zod';

import { archiveProblem } from './archive-paths.ts';
import { RegistryError } from './errors.ts';
import type { ServedStore } from './served-store.ts';
import type { PushAnswer } from './wire.ts';

/** What became of a pushed stage. */
export type Accepted = PushAnswer['data'];

/** A record from outside. Throws REGISTRY_RECORD_INVALID with every issue. */
export function parsePushed(body: unknown): StageRecord {
  const fault = jsonFault(body);
  if (fault !== null)
    throw new RegistryError('REGISTRY_RECORD_INVALID', {
      issues: [`${fault.path} expected ${fault.expected}, got ${fault.actual}`.trim()],
    });
  const parsed = StageRecordShape.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new RegistryError('REGISTRY_RECORD_INVALID', { issues: parsed.error.issues.map(issueText) });
}

function issueText({ path, message }: z.core.$ZodIssue): string {
  return `${path.map(String).join('.')} ${message}`.trim();
}

/**
 * Puts records into the store, sealed by this registry, once they are what they say and a key the registry trusts signed them;
 * written to the disk when a promise is fulfilled. The same stage again changes nothing, whatever became of it here since. Those
 * that come while the store is written are written together. Throws REGISTRY_RECORD_REFUSED with every issue,
 * REGISTRY_STAGE_DIFFERS, REGISTRY_STORE_STALE, and as the stage store does.
 */
export function createIntake(file: string, served: ServedStore): (record: StageRecord) => Promise<Accepted> {
  const put = together((records: readonly StageRecord[]) => openStageStore({ file }).putAll(records));
  return async (record) => {
    const { stages } = await served.current();
    if (served.problem !== null) throw new RegistryError('REGISTRY_STORE_STALE', { problem: served.problem });
    const known = new Map(stages.map((stage) => [stage.record.id, stage.record]));
    const issues = issuesOf(record, await trustedKeys(dirname(file)), known);
    const { id, name: stage } = record;
    if (issues.length > 0) throw new RegistryError('REGISTRY_RECORD_REFUSED', { stage, id, issues });
    const there = known.get(id);
    if (there !== undefined) return sameStage(there, record);
    const change = await put(record);
    if (change !== null)
      return { ...accepted(change.record), created: true, supersedes: [...change.supersedes] };
    // Somebody was quicker.
    const now = (await served.current()).stages.find((other) => other.record.id === id);
    if (now === undefined)
      throw new RegistryError('REGISTRY_STORE_STALE', { problem: served.problem ?? 'gone' });
    return sameStage(now.record, record);
  };
}

/** Most pushes that are written together. */
const MAX_TOGETHER = 64;

/** Work on one item that is done on all that wait for it, in their order. */
function together<T, R>(work: (items: readonly T[]) => Promise<readonly R[]>): (item: T) => Promise<R> {
  const waiting: {
    readonly item: T;
    readonly done: (result: R) => void;
    readonly failed: (error: unknown) => void;
  }[] = [];
  let busy = false;
  const drain = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    while (waiting.length > 0) {
      const now = waiting.splice(0, MAX_TOGETHER);
      try {
        const results = await work(now.map(({ item }) => item));
        now.forEach(({ done }, i) => done(results[i] as R));
      } catch (error) {
        for (const { failed } of now) failed(error);
      }
    }
    busy = false;
  };
  return (item) =>
    new Promise<R>((done, failed) => {
      waiting.push({ item, done, failed });
      void drain();
    });
}

/** What may differ between two records of one stage: who signed and sealed it, and what became of it. */
const OWN: readonly string[] = ['lifecycle', 'ed25519_signature', 'signer_public_key'];

function sameStage(there: StageRecord, pushed: StageRecord): Accepted {
  const [a, b] = [there, pushed].map((record) => new Map(Object.entries(fieldHashes(record))));
  const fields = [...new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])]
    .filter((field) => !OWN.includes(field) && a?.get(field) !== b?.get(field))
    .toSorted();
  if (fields.length > 0)
    throw new RegistryError('REGISTRY_STAGE_DIFFERS', { stage: there.name, id: there.id, fields });
  return { ...accepted(there), created: false, supersedes: [] };
}

function accepted({ id, name, lifecycle }: StageRecord): Pick<Accepted, 'id' | 'name' | 'lifecycle'> {
  return { id, name, lifecycle: lifecycleWord(lifecycle).toLowerCase() as Accepted['lifecycle'] };
}

/** Everything that is wrong with a record, seen from this registry. */
function issuesOf(
  record: StageRecord,
  trusted: ReadonlySet<string>,
  known: ReadonlyMap<string, StageRecord>,
): readonly string[] {
  const faults = recordFaults(record);
  // Types that are none cannot be compared with anything.
  const typed = !faults.some(({ field }) => field.startsWith('signature.'));
  return [
    ...faults.map(faultText),
    ...nameIssues(record),
    ...codeIssues(record),
    ...trustIssues(distrustOf(record, trusted)),
    ...lifecycleIssues(record, known),
    ...(typed ? [...exampleProblems(record), ...propertyProblems(record)] : []),
  ];
}

function faultText({ field, stored, recomputed }: RecordFault): string {
  const said = recomputed === null ? 'does not hold' : `expected ${recomputed}`;
  return `${field} is ${stored ?? 'absent'}: ${said}`;
}

/** Terminals and logs of all readers show it. */
function nameIssues({ name }: StageRecord): readonly string[] {
  return name !== '' && !/\p{Cc}/u.test(name) ? [] : ['name expected a text without control characters'];
}

/** One code, of which the implementation's hash is: beside it another could be smuggled in. */
function codeIssues({ archive, implementation_code }: StageRecord): readonly string[] {
  if (archive === undefined && implementation_code === undefined)
    return ['it carries no code: expected archive or implementation_code, whose hash is implementation_hash'];
  if (archive !== undefined && implementation_code !== undefined)
    return ['it carries both archive and implementation_code: expected one of them'];
  // No reader would run it.
  const problem = archive === undefined ? null : archiveProblem(archive);
  return problem === null ? [] : [problem];
}

function trustIssues(distrust: Distrust | null): readonly string[] {
  // A record without a seal gets this registry's: the write key vouches for what the author's signature does not cover.
  if (distrust === null || distrust.reason === 'unsealed') return [];
  if (distrust.reason === 'unsigned')
    return ['ed25519_signature is absent: expected the signature of its author'];
  const field = distrust.reason === 'author' ? 'signer_public_key' : 'record_signer';
  const key = distrust.public_key ?? '';
  return [
    `${field} ${key} is not trusted by this registry; where it runs: ./noether stage trust ${key} --name WHO`,
  ];
}

function lifecycleIssues(
  { id, lifecycle }: StageRecord,
  known: ReadonlyMap<string, StageRecord>,
): readonly string[] {
  if (known.has(id) || lifecycle === 'Draft' || lifecycle === 'Active') return [];
  if (lifecycle === 'Tombstone') return ['lifecycle is Tombstone: nobody would find it'];
  const successor = lifecycle.Deprecated.successor_id;
  const there = known.get(successor);
  if (there === undefined)
    return [`lifecycle.Deprecated.successor_id ${successor} is not here: push it first`];
  return there.lifecycle === 'Tombstone'
    ? [`lifecycle.Deprecated.successor_id ${successor} is a Tombstone here`]
    : [];
}
