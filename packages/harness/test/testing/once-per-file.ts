import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What was made in a directory, and the directory. */
interface Made {
  readonly dir: string;
  readonly told: string;
}

const known = new Map<string, Promise<Made>>();

async function begin(make: (dir: string) => Promise<string>): Promise<Made> {
  const dir = await mkdtemp(join(tmpdir(), 'caloron-harness-once-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return { dir, told: await make(dir) };
}

/** Makes something in a directory at the first call of a process of tests; later ones of that name are given the same. It goes with the process. */
export async function oncePerFile(name: string, make: (dir: string) => Promise<string>): Promise<Made> {
  const made = known.get(name) ?? begin(make);
  known.set(name, made);
  return made;
}
