import { constants } from 'node:fs';
import { open, readlink } from 'node:fs/promises';

import { FileError } from './errors.ts';

/**
 * Works in a folder that is held open: `work` gets a path that leads to it whatever is put in the place of its name meanwhile.
 * Throws FILE_REFUSED when the folder is not where its path said; rejects with the system's reason when there is none. Where
 * the system has no /proc the path itself is used.
 */
export async function inPinnedFolder<T>(
  folder: string,
  given: string,
  work: (pinned: string) => Promise<T>,
): Promise<T> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const pinned = `/proc/self/fd/${handle.fd}`;
    const real = await readlink(pinned).catch(() => null);
    if (real === null) return await work(folder);
    if (real !== folder)
      throw new FileError('FILE_REFUSED', { path: given, reason: 'a folder of it was moved meanwhile' });
    return await work(pinned);
  } finally {
    await handle.close();
  }
}
