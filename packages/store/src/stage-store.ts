import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { findJsonFault, type StageRecord } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import { jsonFault } from '@caloron/noether/records';
import { shellWord } from '@caloron/types';
import { z } from 'zod';

import { issuesOf, StoreError } from './errors.ts';
import { fileFailed, withFileLock } from './stage-store-lock.ts';

const Hex64 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');

/** One record as the file and the registry hold it; fields this program does not know are kept. */
export const StageRecordShape = z.looseObject({
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
  aliases: z.array(z.string()).exactOptional(),
  properties: z.array(z.unknown()).exactOptional(),
  implementation_code: z.string().exactOptional(),
  implementation_language: z.string().exactOptional(),
  archive: z.record(z.string(), z.string()).exactOptional(),
  record_fields: z.record(z.string(), z.string()).exactOptional(),
  record_hash: z.string().exactOptional(),
  record_signature: z.string().exactOptional(),
  record_signer: z.string().exactOptional(),
});
const File = z.looseObject({ stages: z.array(StageRecordShape) });

function parseFile(text: string, file: string): readonly StageRecord[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fault = findJsonFault(text);
    throw invalid(
      file,
      [
        fault === null
          ? messageOf(error)
          : `line ${fault.line}, column ${fault.column}: not JSON, expected ${fault.expected}`,
      ],
      error,
    );
  }
  const fault = jsonFault(value);
  if (fault !== null) {
    const issue = `${fault.path} expected ${fault.expected}, got ${fault.actual}`.trim();
    throw invalid(file, [issue]);
  }
  const parsed = File.safeParse(value);
  if (!parsed.success) throw invalid(file, issuesOf(parsed.error), parsed.error);
  const { stages } = parsed.data;
  const first = new Map(stages.map(({ id }, i) => [id, i] as const).toReversed());
  const again = stages.flatMap(({ id }, i) =>
    first.get(id) === i ? [] : [`stages.${i}.id is that of stages.${first.get(id)}, too`],
  );
  if (again.length > 0) throw invalid(file, again);
  return stages;
}

function invalid(file: string, issues: readonly string[], cause?: unknown): StoreError {
  const hint = `put it back from a copy, or move it away and write it anew: ./noether stage sync --store ${shellWord(file)}`;
  return new StoreError('STORE_STAGES_INVALID', { file, issues }, { cause, hint });
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The records of a stage store file; none when the file is absent. Throws STORE_STAGES_INVALID naming file and place, STORE_STAGES_FAILED when it cannot be read. */
export async function readStageStore(file: string): Promise<readonly StageRecord[]> {
  let text: string;
  try {
    text = await textOf(file);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw fileFailed(file, error);
  }
  return parseFile(text, file);
}

/** A pipe without a writer is opened at once, and refused, instead of being waited for. */
async function textOf(file: string): Promise<string> {
  const opened = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await opened.stat()).isFile()) throw new Error('it is no file');
    return await opened.readFile('utf8');
  } finally {
    await opened.close();
  }
}

/** Changes the stage store file: what was read, changed and written is one step under a lock; readers see the old file or the new. A change that changes nothing writes nothing. Gives the records written. */
export async function updateStageStore(
  file: string,
  change: (records: readonly StageRecord[]) => readonly StageRecord[],
): Promise<readonly StageRecord[]> {
  return withFileLock(file, async (replace) => {
    const before = await readStageStore(file);
    const records = change(before);
    if (records === before) return before;
    const text = `${JSON.stringify({ stages: records }, null, 2)}\n`;
    parseFile(text, file);
    await replace(text);
    return records;
  });
}

/** Writes the stage store file whole. Throws STORE_STAGES_INVALID for a record that could not be read back. */
export async function writeStageStore(file: string, records: readonly StageRecord[]): Promise<void> {
  await updateStageStore(file, () => records);
}
