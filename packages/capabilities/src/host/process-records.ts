import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { writeAtomically } from '../atomic-file.ts';

/** A process as it was started: what tells it from a later one with its pid. */
export const ProcessRecord = z.strictObject({
  pid: z.int().positive(),
  start_ticks: z.string().nullable(),
  boot_id: z.string(),
  pid_ns: z.string(),
  /** Seconds since 1970. */
  started_at: z.number(),
  output_path: z.string(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

/** Records and outputs of processes that ended are kept so long, in milliseconds: a week. */
const KEPT_MS = 7 * 24 * 60 * 60_000;

/** The processes an installation started, one file each, the newest of a pid. */
export interface ProcessRecords {
  /** Makes the folder; forgets what is old and has ended. `now` in milliseconds since 1970. */
  prepare(now: number, alive: (record: ProcessRecord) => boolean): Promise<void>;
  /** A fresh file for a process's output. */
  outputPath(name: string): string;
  write(record: ProcessRecord): Promise<void>;
  /** Undefined for a pid that was not started here, and for a damaged record. */
  read(pid: number): Promise<ProcessRecord | undefined>;
}

/** Records in a folder. */
export function createProcessRecords(dir: string): ProcessRecords {
  const file = (pid: number): string => path.join(dir, `${pid}.json`);
  const read: ProcessRecords['read'] = async (pid) => {
    try {
      const record = ProcessRecord.parse(JSON.parse(await readFile(file(pid), 'utf8')));
      return record.pid === pid ? record : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    async prepare(now, alive) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const names = (await readdir(dir)).filter((name) => /^\d+\.json$/.test(name));
      for (const name of names) {
        const record = await read(Number.parseInt(name, 10));
        const written = await stat(path.join(dir, name)).catch(() => undefined);
        if (written === undefined || now - written.mtimeMs < KEPT_MS) continue;
        if (record !== undefined && alive(record)) continue;
        await rm(path.join(dir, name), { force: true });
        if (record !== undefined && path.dirname(record.output_path) === dir)
          await rm(record.output_path, { force: true });
      }
    },
    outputPath: (name) => path.join(dir, `${name}.log`),
    write: (record) => writeAtomically(file(record.pid), JSON.stringify(record), 0o600),
    read,
  };
}
