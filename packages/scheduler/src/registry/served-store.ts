import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Logger } from '@caloron/capabilities/logger';
import type { StageRecord } from '@caloron/noether';
import { codeOf, messageOf } from '@caloron/noether/errors';
import { lifecycleWord, recordFaults } from '@caloron/noether/records';
import { readStageStore, readVerifiedStages } from '@caloron/store';
import { trustedKeys } from '@caloron/store/stage-store-keys';
import { shellWord } from '@caloron/types';

import { RegistryError } from './errors.ts';
import type { LifecycleFilter } from './wire.ts';

/** A lifecycle as questions and answers write it. */
export type LifecycleName = Exclude<LifecycleFilter, 'all'>;

/** One stage, ready to be sent. */
export interface ServedStage {
  readonly record: StageRecord;
  readonly lifecycle: LifecycleName;
  /** The record as JSON. */
  readonly text: string;
}

/** What is wrong with a store for as long as its file is what it is. */
const CONTENT: ReadonlySet<string> = new Set(['STAGE_TAMPERED', 'STORE_STAGES_INVALID']);

/** What a store held when it was last good. */
export interface ServedStages {
  /** Ordered by id. */
  readonly stages: readonly ServedStage[];
  /** SHA-256 over every record: another one means that an answer may differ. */
  readonly revision: string;
}

/** A stage store that is read again when its file changes. */
export interface ServedStore {
  /** What the file holds now, or held when it was last good. */
  current(): Promise<ServedStages>;
  /** Code of what is wrong with the file now; null while nothing is. */
  readonly problem: string | null;
  close(): void;
}

/** How often the file is looked at while nobody asks, ms: so that the log tells of a store that became bad. */
const LOOK_INTERVAL_MS = 5_000;

/** A file that another one replaced while it was read is read again, as often as this. */
const MAX_READS = 5;

/**
 * Opens a stage store for reading. Throws REGISTRY_STORE_MISSING, STAGE_TAMPERED, STORE_STAGES_INVALID, STORE_STAGES_FAILED or
 * STORE_TRUST_INVALID; later the last good content stays, and the log tells of the bad one.
 */
export async function openServedStore(file: string, logger: Logger): Promise<ServedStore> {
  let stamp: string | null = await stampOf(file);
  await trustedKeys(dirname(file));
  let good = await readStages(file);
  let problem: string | null = null;
  let reading: Promise<ServedStages> | undefined;

  const look = async (): Promise<ServedStages> => {
    const seen = await stampOf(file).catch(codeOf);
    if (seen === stamp) return good;
    try {
      good = await readStages(file, good);
      logger.info({ file, stages: good.stages.length }, 'store read again');
      problem = null;
      stamp = seen;
    } catch (error) {
      const code = codeOf(error);
      const told = problem === code;
      // What lies in the file is wrong until the file changes; anything else may pass.
      stamp = CONTENT.has(code) ? seen : null;
      problem = code;
      if (!told)
        logger.error({ file, code, problem: messageOf(error) }, 'store refused: the last good one is served');
    }
    return good;
  };
  // Those who ask at once share one reading.
  const current = (): Promise<ServedStages> => (reading ??= look().finally(() => (reading = undefined)));
  const timer = setInterval(() => void current(), LOOK_INTERVAL_MS);
  timer.unref();
  return {
    current,
    get problem() {
      return problem;
    },
    close: () => clearInterval(timer),
  };
}

/** What changes with a file's content. Throws REGISTRY_STORE_MISSING. */
async function stampOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    throw new RegistryError(
      'REGISTRY_STORE_MISSING',
      { path: file },
      { cause: error, hint: `./noether stage sync --store ${shellWord(file)} writes one` },
    );
  }
}

/** Reads and verifies; of what was good before, what is as it was is not verified again. */
async function readStages(file: string, good?: ServedStages): Promise<ServedStages> {
  const before = new Map(good?.stages.map((stage) => [stage.record.id, stage]));
  for (let reads = 1; ; reads += 1) {
    const stamp = await stampOf(file);
    const records = await readStageStore(file);
    const read = records.map((record) => served(record, before));
    const fresh = read.filter((stage) => before.get(stage.record.id) !== stage);
    const faulty = fresh.some(({ record }) => recordFaults(record).length > 0);
    // It names every fault, unless another file has taken the place of the faulty one.
    if (faulty) await readVerifiedStages({ file });
    // An absent file is read as an empty store: it may have gone after it was looked at.
    if ((faulty || (await stampOf(file)) !== stamp) && reads < MAX_READS) continue;
    if (faulty) throw new RegistryError('REGISTRY_STORE_STALE', { problem: 'STAGE_TAMPERED' });
    const stages = read.toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1));
    const hash = createHash('sha256');
    for (const { text } of stages) hash.update(`${text}\n`);
    return { stages, revision: hash.digest('hex') };
  }
}

function served(record: StageRecord, before: ReadonlyMap<string, ServedStage>): ServedStage {
  const text = JSON.stringify(record);
  const known = before.get(record.id);
  if (known?.text === text) return known;
  return { record, lifecycle: lifecycleWord(record.lifecycle).toLowerCase() as LifecycleName, text };
}
