import type { Logger } from '@caloron/capabilities/logger';
import { messageOf } from '@caloron/noether/errors';
import type { ProcessRow } from '@caloron/types';

import type { KeyedMutex } from './mutex.ts';

/** What became of one snapshot of a worktree. */
export interface Snapshot {
  /** Where the work is; null when nothing was uncommitted, or when it could not be saved. */
  readonly ref: string | null;
  /** Why it could not be saved; null when it was, or when there was nothing. */
  readonly error: string | null;
}

/** What saving needs. */
export interface SnapshotsDeps {
  readonly mutex: KeyedMutex;
  readonly log: Logger;
  /** Saves what a process left uncommitted; null when nothing was. Aborted when its time is over. */
  readonly saveWip: (row: ProcessRow, reason: string, signal: AbortSignal) => Promise<string | null>;
}

/** Takes a snapshot of a process's worktree, one at a time each; never throws, and ends in time. */
export type Snapshots = (row: ProcessRow, reason: string, limit_ms: number) => Promise<Snapshot>;

/** Snapshots that a disk that is full or a tree that is huge cannot turn into an agent nobody can stop. */
export function createSnapshots({ mutex, log, saveWip }: SnapshotsDeps): Snapshots {
  return (row, reason, limit_ms) =>
    mutex.run(`snapshot:${row.process_id}`, async () => {
      const signal = AbortSignal.timeout(limit_ms);
      const save = () => saveWip(row, reason, signal);
      try {
        // A file that a program at work deleted in the meantime is none the second time.
        const ref = await save().catch((cause: unknown) => (signal.aborted ? Promise.reject(cause) : save()));
        return { ref, error: null };
      } catch (cause) {
        const error = signal.aborted ? `it took longer than ${limit_ms / 1000} s` : messageOf(cause);
        // The files are still there: the next use of the worktree saves them or is refused.
        const { process_id, worktree } = row;
        log.error({ err: cause, process_id, worktree, reason, error }, 'unfinished work could not be saved');
        return { ref: null, error };
      }
    });
}
