import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

import type { Exit, Report } from '@caloron/types';

/** Leaves `exit.json` in the process's directory: how the harness ended, for a shell that was not there to see it. */
export async function writeExit(directory: string, exit: Exit): Promise<void> {
  await writeDurably(directory, 'exit.json', exit);
}

/** Leaves `report.json` beside it: what was (or could not be) told to the shell. */
export async function writeReport(directory: string, report: Report): Promise<void> {
  await writeDurably(directory, 'report.json', report);
}

/** Synced under another name, then renamed: a reader sees the whole file or none, also after a power cut. */
async function writeDurably(directory: string, name: string, value: unknown): Promise<void> {
  const target = join(directory, name);
  const draft = `${target}.${process.pid}.tmp`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(value)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, target);
  const parent = await open(directory, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}
