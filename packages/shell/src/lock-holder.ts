import { readFileSync, statSync } from 'node:fs';

import { bootId, isAlive, pidNamespace } from '@caloron/capabilities/process-identity';
import { z } from 'zod';

/** Who holds a lock that is a file. */
export const LockHolder = z.object({
  pid: z.number().int().positive(),
  start_ticks: z.string().nullable(),
  boot_id: z.string(),
  pid_ns: z.string(),
});
export type LockHolder = z.infer<typeof LockHolder>;

/** Who a lock's file names, as `schema` has it; undefined without a file, or when it was never finished or is none of ours: nobody holds it. */
export function holderIn<T extends LockHolder>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/**
 * Whether whoever a file names still holds it: the very process lives. One of another container cannot be seen: it counts as gone once
 * its file was not touched for `unseen_ms`.
 */
export function holds(holder: LockHolder, file: string, unseen_ms: number): boolean {
  if (holder.boot_id !== bootId()) return false;
  if (holder.pid_ns === pidNamespace()) return isAlive(holder);
  const found = statSync(file, { throwIfNoEntry: false });
  return found !== undefined && performance.timeOrigin + performance.now() - found.mtimeMs < unseen_ms;
}
