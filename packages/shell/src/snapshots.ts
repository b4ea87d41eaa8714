import type { Logger } from '@caloron/capabilities/logger';
import { messageOf } from '@caloron/noether/errors';
import type { ProcessRow } from '@caloron/types';

import type { Patience } from './git/clean-repository.ts';
import type { KeyedMutex } from './mutex.ts';

/** What became of one snapshot of a worktree. */
export interface Snapshot {
  /** Where the work is; null when nothing was uncommitted, or when none of it could be saved. */
  readonly ref: string | null;
  /** Why it, or what of it, could not be saved; null when all was, or when there was nothing. */
  readonly error: string | null;
}

/** What saving needs. */
export interface SnapshotsDeps {
  readonly mutex: KeyedMutex;
  readonly log: Logger;
  /** Saves what a process left uncommitted; null when nothing was. Patience is for all of it. */
  readonly saveWip: (row: ProcessRow, reason: string, patience: Patience) => Promise<string | null>;
}

/** Takes a snapshot of a process's worktree, one at a time each; never throws, and ends in time. */
export type Snapshots = (row: ProcessRow, reason: string, limit_ms: number) => Promise<Snapshot>;

/** How much of its time a snapshot may spend on repositories inside, before the rest of the worktree is saved without them. */
const SHARE_INSIDE = 0.7;

/** How many that are left out are named. */
const NAMED = 5;

function named(left: readonly string[]): string {
  const more = left.length > NAMED ? ` and ${left.length - NAMED} more` : '';
  return `${left.slice(0, NAMED).join(', ')}${more}`;
}

/** Snapshots that a disk that is full or a tree that is huge cannot turn into an agent nobody can stop. */
export function createSnapshots({ mutex, log, saveWip }: SnapshotsDeps): Snapshots {
  return (row, reason, limit_ms) =>
    mutex.run(`snapshot:${row.process_id}`, async () => {
      const signal = AbortSignal.timeout(limit_ms);
      const inside = AbortSignal.timeout(Math.round(limit_ms * SHARE_INSIDE));
      const left = new Set<string>();
      const save = () => {
        left.clear();
        return saveWip(row, reason, { signal, inside, leftOut: (what) => left.add(what) });
      };
      const { process_id, worktree } = row;
      try {
        // A file that a program at work deleted in the meantime is none the second time.
        const ref = await save().catch((cause: unknown) => (signal.aborted ? Promise.reject(cause) : save()));
        if (left.size === 0) return { ref, error: null };
        const error = `after ${limit_ms / 1000} s there was no time left for ${named([...left])}`;
        log.warn({ process_id, worktree, reason, ref, error }, 'unfinished work is not saved whole');
        return { ref, error };
      } catch (cause) {
        const error = signal.aborted ? `it took longer than ${limit_ms / 1000} s` : messageOf(cause);
        // The files are still there: the next use of the worktree saves them or is refused.
        log.error({ err: cause, process_id, worktree, reason, error }, 'unfinished work could not be saved');
        return { ref: null, error };
      }
    });
}
