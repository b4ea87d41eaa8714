import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { messageOf } from '@caloron/noether/errors';
import { Id, type Reports } from '@caloron/types';

import { ReportError } from './errors.ts';
import { randomToken } from './random.ts';

async function writeAtomically(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const fresh = `${file}.${randomToken(6)}.tmp`;
  try {
    const handle = await open(fresh, 'wx');
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

/**
 * Reports in a folder: `{dir}/{sprint_id}.md`, made when it is missing. A reader sees the old report or the new one, never half.
 * The path it gives is absolute. Throws REPORT_UNWRITABLE.
 */
export function createReports(options: { readonly dir: string }): Reports {
  return {
    async write(sprint_id, markdown) {
      const file = path.resolve(options.dir, `${Id.parse(sprint_id)}.md`);
      try {
        await writeAtomically(file, markdown);
      } catch (cause) {
        throw new ReportError('REPORT_UNWRITABLE', { file, reason: messageOf(cause) }, { cause });
      }
      return { path: file };
    },
  };
}
