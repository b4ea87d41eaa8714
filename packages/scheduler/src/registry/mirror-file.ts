import { mkdir, open, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { sha256Hex, StageError, type StageErrorDetails } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import { fileFailed, withFileLock } from '@caloron/store/stage-store-lock';
import { readVerifiedStages, type StageStorePlace } from '@caloron/store/stage-store-open';
import { type Clock, epochMs, Timestamp } from '@caloron/types';
import { z } from 'zod';

import { plainUrl } from './address.ts';
import type { Catalogue } from './client.ts';

/** What a mirror's file says of itself beside its stages. */
const Head = z.object({
  registry: z.object({
    url: z.string(),
    etag: z.string().nullable(),
    /** When these stages were read. */
    read_at: Timestamp,
  }),
});
/** See {@link Head}. */
export type MirrorHead = z.infer<typeof Head>['registry'];

/** Where the mirror of a registry lies below a Noether home: one folder for each address. */
export function mirrorFile(noether_dir: string, url: string): string {
  const plain = plainUrl(url);
  const host = new URL(plain).host.replaceAll(/[^a-z0-9.-]/gu, '_');
  return join(noether_dir, 'registry', `${host}-${sha256Hex(plain).slice(0, 12)}`, 'store.json');
}

/** Longest first line of a mirror's file, bytes: what it says of itself. */
const HEAD_BYTES = 8 * 1024;

/** What a mirror's file says of itself; null where there is none that can be read. Its stages, megabytes of them, are not looked at. */
export async function readHead(file: string): Promise<MirrorHead | null> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      const [line = ''] = buffer.toString('utf8', 0, bytesRead).split('\n', 1);
      const parsed = Head.safeParse(JSON.parse(line.replace(/,$/u, '}')));
      return parsed.success ? parsed.data.registry : null;
    } finally {
      await handle.close();
    }
  } catch {
    // What is wrong with it is told when its stages are read; a whole one is fetched then.
    return null;
  }
}

/** A mirror's text: what it says of itself is its first line. */
function textOf(head: MirrorHead, { stages }: Catalogue): string {
  return `{"registry":${JSON.stringify(head)},\n"stages":${JSON.stringify(stages)}}\n`;
}

/** When a registry last said that the mirror is what it has; null where it never did. */
export async function confirmedAt(file: string): Promise<number | null> {
  return stat(markOf(file)).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}

/** Notes that the registry has what the mirror has. Throws STORE_STAGES_FAILED. */
export async function confirm(file: string, clock: Clock): Promise<void> {
  const now = epochMs(clock.now()) / 1000;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(markOf(file), '', { mode: 0o600 });
    await utimes(markOf(file), now, now);
  } catch (error) {
    throw fileFailed(markOf(file), error);
  }
}

function markOf(file: string): string {
  return join(dirname(file), 'confirmed');
}

/**
 * Puts a catalogue in the mirror's place, whole, once it verifies as a stage store does; one that was read later by another process
 * stays. Throws STAGE_TAMPERED and STORE_STAGES_INVALID as readVerifiedStages does, and STORE_STAGES_FAILED.
 */
export async function replaceMirror(
  place: Required<StageStorePlace>,
  catalogue: Catalogue,
  { url, read_at }: Pick<MirrorHead, 'url' | 'read_at'>,
  clock: Clock,
): Promise<void> {
  const { file, keys_dir } = place;
  const text = textOf({ url: plainUrl(url), etag: catalogue.etag, read_at }, catalogue);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw fileFailed(file, error);
  });
  await withFileLock(file, async (replace) => {
    const candidate = join(dirname(file), 'candidate.json');
    try {
      await writeFile(candidate, text, { mode: 0o600 }).catch((error: unknown) => {
        throw fileFailed(candidate, error);
      });
      await readVerifiedStages({ file: candidate, keys_dir });
    } finally {
      await rm(candidate, { force: true });
    }
    const there = epochMs((await readHead(file))?.read_at ?? read_at);
    // One that is to be read yet was read while the clock was ahead.
    if (there <= epochMs(read_at) || there > epochMs(clock.now())) await replace(text);
  });
}

/** What is wrong with a catalogue, without the path it was verified at. */
export function catalogueFault(error: unknown): string {
  if (!(error instanceof StageError) || error.code !== 'STAGE_TAMPERED') return messageOf(error);
  const { faults } = error.details as StageErrorDetails['STAGE_TAMPERED'];
  const told = faults.slice(0, 3).map(({ stage, field }) => `${field} of stage ${stage}`);
  const more = faults.length > told.length ? ` and ${faults.length - told.length} more` : '';
  return `its catalogue was changed: ${told.join(', ')}${more} does not hold`;
}
