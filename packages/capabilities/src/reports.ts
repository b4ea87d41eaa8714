import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { messageOf } from '@caloron/noether/errors';
import { Id, type Reports } from '@caloron/types';

import { writeAtomically } from './atomic-file.ts';
import { ReportError } from './errors.ts';

/**
 * Reports in a folder: `{dir}/{sprint_id}.md`, made when it is missing. A reader sees the old report or the new one, never half.
 * The path it gives is absolute. Throws REPORT_UNWRITABLE.
 */
export function createReports(options: { readonly dir: string }): Reports {
  return {
    async write(sprint_id, markdown) {
      const file = path.resolve(options.dir, `${Id.parse(sprint_id)}.md`);
      try {
        await mkdir(path.dirname(file), { recursive: true });
        await writeAtomically(file, markdown);
      } catch (cause) {
        throw new ReportError('REPORT_UNWRITABLE', { file, reason: messageOf(cause) }, { cause });
      }
      return { path: file };
    },
  };
}
