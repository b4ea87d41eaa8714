import { lstatSync, readFileSync } from 'node:fs';

import { Exit } from '@caloron/types';
import { z } from 'zod';

/** What the harness writes last; further fields are its own. */
const ExitFile = z.object({ ...Exit.shape, known: z.boolean().default(true) });

/** Longest exit file that is read, in bytes; a harness writes some hundred. */
const MAX_BYTES = 64 * 1024;

/** How a process ended by its own account; undefined when it left none that can be read. */
export function readExit(file: string): Exit | undefined {
  try {
    // The agent may have put something else there: a pipe would keep the shell waiting for ever.
    const found = lstatSync(file);
    if (!found.isFile() || found.size > MAX_BYTES) return undefined;
    const { code, signal, at, cause } = ExitFile.parse(JSON.parse(readFileSync(file, 'utf8')));
    return { code, signal, at, known: true, ...(cause === undefined ? {} : { cause }) };
  } catch {
    // Killed before it could write, or in the middle of it: the caller says what is known then.
    return undefined;
  }
}
