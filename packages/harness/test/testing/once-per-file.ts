import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from 'vitest';

/** What was made in a directory, and the directory. */
interface Made {
  readonly dir: string;
  readonly told: string;
}

const known = new Map<string, Promise<Made>>();
afterAll(async () => {
  for (const made of known.values()) await rm((await made).dir, { recursive: true, force: true });
  known.clear();
});

async function begin(make: (dir: string) => Promise<string>): Promise<Made> {
  const dir = await mkdtemp(join(tmpdir(), 'caloron-harness-once-'));
  return { dir, told: await make(dir) };
}

/** Makes something in a directory at the first call of a test file; later ones of that name are given the same. It goes with the file. */
export async function oncePerFile(name: string, make: (dir: string) => Promise<string>): Promise<Made> {
  const made = known.get(name) ?? begin(make);
  known.set(name, made);
  return made;
}
