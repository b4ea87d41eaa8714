import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { StageRecord } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import { lock } from 'proper-lockfile';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';

import { issuesOf, StoreError } from './errors.ts';

const Hex64 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');

/** One record as the file holds it; fields this program does not know are kept. */
const Record = z.looseObject({
  id: Hex64,
  signature_id: Hex64,
  signature: z.looseObject({
    input: z.unknown(),
    output: z.unknown(),
    effects: z.looseObject({ effects: z.array(z.unknown()) }),
    implementation_hash: z.string(),
  }),
  name: z.string(),
  capabilities: z.array(z.string()),
  cost: z.looseObject({
    time_ms_p50: z.number().exactOptional(),
    tokens_est: z.number().exactOptional(),
    memory_mb: z.number().exactOptional(),
  }),
  description: z.string(),
  examples: z.array(z.looseObject({ input: z.unknown(), output: z.unknown() })),
  lifecycle: z.union([
    z.enum(['Draft', 'Active', 'Tombstone']),
    z.strictObject({ Deprecated: z.strictObject({ successor_id: z.string() }) }),
  ]),
  ed25519_signature: z.string().nullable(),
  signer_public_key: z.string().nullable(),
  tags: z.array(z.string()).exactOptional(),
  record_hash: z.string().exactOptional(),
  archive: z.record(z.string(), z.string()).exactOptional(),
});
const File = z.looseObject({ stages: z.array(Record) });

/** A lock whose owner died is taken over after this long; a live owner renews it. */
const STALE_MS = 10_000;

function parseFile(text: string, file: string): readonly StageRecord[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StoreError('STORE_STAGES_INVALID', { file, issues: [messageOf(error)] }, { cause: error });
  }
  const parsed = File.safeParse(value);
  if (!parsed.success)
    throw new StoreError(
      'STORE_STAGES_INVALID',
      { file, issues: issuesOf(parsed.error) },
      { cause: parsed.error },
    );
  return parsed.data.stages;
}

function failed(file: string, error: unknown): StoreError {
  return new StoreError('STORE_STAGES_FAILED', { file, reason: messageOf(error) }, { cause: error });
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The records of a stage store file; none when the file is absent. Throws STORE_STAGES_INVALID naming file and place, STORE_STAGES_FAILED when it cannot be read. */
export async function readStageStore(file: string): Promise<readonly StageRecord[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return [];
    throw failed(file, error);
  }
  return parseFile(text, file);
}

/** Changes the stage store file: what was read, changed and written is one step under a lock; readers see the old file or the new. Gives the records written. */
export async function updateStageStore(
  file: string,
  change: (records: readonly StageRecord[]) => readonly StageRecord[],
): Promise<readonly StageRecord[]> {
  let release: () => Promise<void>;
  let compromised: Error | undefined;
  try {
    await mkdir(dirname(file), { recursive: true });
    release = await lock(file, {
      realpath: false,
      stale: STALE_MS,
      retries: { retries: 60, factor: 1.2, minTimeout: 20, maxTimeout: 400, randomize: true },
      onCompromised: (error) => (compromised = error),
    });
  } catch (error) {
    throw failed(file, error);
  }
  try {
    const records = change(await readStageStore(file));
    const text = `${JSON.stringify({ stages: records }, null, 2)}\n`;
    parseFile(text, file);
    if (compromised !== undefined) throw failed(file, compromised);
    await writeFileAtomic(file, text);
    return records;
  } finally {
    if (compromised === undefined) await release();
  }
}

/** Writes the stage store file whole. Throws STORE_STAGES_INVALID for a record that could not be read back. */
export async function writeStageStore(file: string, records: readonly StageRecord[]): Promise<void> {
  await updateStageStore(file, () => records);
}
