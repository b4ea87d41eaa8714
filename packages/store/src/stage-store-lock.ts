import { mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { messageOf } from '@caloron/noether/errors';
import { lock } from 'proper-lockfile';

import { StoreError } from './errors.ts';

/** A lock whose owner died is taken over after this long; a live owner renews it. */
const STALE_MS = 5_000;
/** How long a lock is waited for, ms: many writers of a large store, one after the other. */
const MAX_WAIT_MS = 40_000;
const MIN_PAUSE_MS = 5;
const MAX_PAUSE_MS = 80;
/** Errors of a disk, quota or file limit that is full: the same call succeeds when there is room. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
/** Errors of a file or folder that this user may not use so. */
const FORBIDDEN: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** What a refusal of the file system says of what to do. */
export interface Advice {
  readonly hint?: string;
  readonly retryable?: boolean;
}

/** Advice on a full disk and on a folder of somebody else; none on other failures. */
export function adviceOf(error: unknown): Advice {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (FULL.has(code))
    return {
      retryable: true,
      hint: 'free some space and repeat the command: the file is as it was before',
    };
  if (FORBIDDEN.has(code))
    return { hint: 'let this user read and write it, or name another directory with --home or NOETHER_HOME' };
  return {};
}

/** STORE_STAGES_FAILED for what went wrong with a file. */
export function fileFailed(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError(
    'STORE_STAGES_FAILED',
    { file, reason: messageOf(error) },
    { cause: error, ...adviceOf(error) },
  );
}

/** Waits for the lock while another process has it. Any other reason not to have it, as a folder that takes nothing, does not pass by waiting. */
async function locked(file: string, onCompromised: (error: Error) => void): Promise<() => Promise<void>> {
  const begun = performance.now();
  for (let pause = MIN_PAUSE_MS; ; pause = Math.min(MAX_PAUSE_MS, pause * 1.1)) {
    try {
      return await lock(file, { realpath: false, stale: STALE_MS, onCompromised });
    } catch (error) {
      const held = error instanceof Error && 'code' in error && error.code === 'ELOCKED';
      if (!held || performance.now() - begun > MAX_WAIT_MS) throw error;
    }
    // Processes that began to wait together do not go on in step.
    await setTimeout(pause * (1 + (process.pid % 16) / 16));
  }
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
    release = await locked(file, (error) => (compromised = error));
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
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** The name a file was given is the folder's: it survives a power cut once the folder is on the disk. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
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
