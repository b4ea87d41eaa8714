import { type Dirent, lstatSync, type Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes per block as `stat` counts them, whatever the file system's own are. */
const BLOCK = 512;

/** What a file or directory takes on disk, in bytes; links are not followed, a file with several names counts once. */
export async function diskUse(path: string): Promise<number> {
  const seen = new Set<string>();
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? 0 : sizeOf(path, found, seen);
}

async function sizeOf(path: string, found: Stats, seen: Set<string>): Promise<number> {
  const name = `${found.dev}:${found.ino}`;
  if (seen.has(name)) return 0;
  if (found.nlink > 1) seen.add(name);
  let sum = found.blocks * BLOCK;
  if (!found.isDirectory()) return sum;
  const entries: Dirent[] = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const inner = join(path, entry.name);
    const stats = await lstat(inner).catch(() => undefined);
    if (stats !== undefined) sum += await sizeOf(inner, stats, seen);
  }
  return sum;
}
