import { mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { messageOf } from '@caloron/noether/errors';
import { lock } from 'proper-lockfile';

import { StoreError } from './errors.ts';

/** A lock whose owner died is taken over after this long; a live owner renews it. */
const STALE_MS = 5_000;
/** Errors of a disk, quota or file limit that is full: the same call succeeds when there is room. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** STORE_STAGES_FAILED for what went wrong with a file. */
export function fileFailed(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new StoreError(
    'STORE_STAGES_FAILED',
    { file, reason: messageOf(error) },
    {
      cause: error,
      ...(FULL.has(code) && {
        retryable: true,
        hint: 'free some space and repeat the command: the file is as it was before',
      }),
    },
  );
}

/** Replaces the locked file whole: readers see the old text or the new, also after a crash. */
export type ReplaceText = (text: string) => Promise<void>;

/**
 * Does work on a file that no other process does work on meanwhile. What a killed writer left beside the file is removed.
 * Throws STORE_STAGES_FAILED when the lock cannot be had or the file cannot be written.
 */
export async function withFileLock<T>(file: string, work: (replace: ReplaceText) => Promise<T>): Promise<T> {
  let release: () => Promise<void>;
  let compromised: Error | undefined;
  try {
    await mkdir(dirname(file), { recursive: true });
    release = await lock(file, {
      realpath: false,
      stale: STALE_MS,
      retries: { retries: 400, factor: 1.1, minTimeout: 5, maxTimeout: 80, randomize: true },
      onCompromised: (error) => (compromised = error),
    });
  } catch (error) {
    throw fileFailed(file, error);
  }
  try {
    return await work(async (text) => {
      if (compromised !== undefined) throw fileFailed(file, compromised);
      try {
        await removeLeftovers(file);
        await writeWhole(file, text);
      } catch (error) {
        throw fileFailed(file, error);
      }
    });
  } finally {
    if (compromised === undefined) await release();
  }
}

/**
 * Replaces a file by way of one beside it, synced before it takes the name. FileHandle.writeFile goes on after a short write,
 * which a disk that is nearly full gives; a writer that does not (write-file-atomic 8) puts half a text in the file's place.
 */
async function writeWhole(file: string, text: string): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const mode = await stat(target).then(
    (found) => found.mode & 0o777,
    () => 0o644,
  );
  const beside = `${target}.${process.pid}${LEFT}`;
  try {
    const handle = await open(beside, 'w', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** What the name of a half-written text ends in, after the writer's process id. */
const LEFT = '.tmp';

/** Half-written texts of writers that were killed: only the holder of the lock writes, so none is in use. */
async function removeLeftovers(file: string): Promise<void> {
  const name = `${basename(file)}.`;
  const beside = await readdir(dirname(file));
  const left = beside.filter(
    (entry) => entry.startsWith(name) && /^\d+\.tmp$/u.test(entry.slice(name.length)),
  );
  await Promise.all(left.map((entry) => rm(join(dirname(file), entry), { force: true })));
}
