import { open, rename, rm } from 'node:fs/promises';

import { randomToken } from './random.ts';

/**
 * Writes a file as a whole: a reader sees the old text or the new one, also after a crash. `mode` is that of a fresh file
 * before the umask. Rejects with the system's reason, and nothing is left behind.
 */
export async function writeAtomically(file: string, text: string, mode = 0o666): Promise<void> {
  const fresh = `${file}.${randomToken(6)}.tmp`;
  try {
    const handle = await open(fresh, 'wx', mode);
    try {
      await handle.writeFile(text, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
