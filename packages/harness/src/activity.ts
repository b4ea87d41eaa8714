import type { Clock, Timestamp } from '@caloron/types';

/** What the shell is told of a running agent: signs of progress, not of life. */
export interface Activity {
  /** When output or the worktree last changed; null before anything did. */
  readonly progress_at: Timestamp | null;
  readonly tokens_used: number;
  /** What the harness is at, in a few words. */
  readonly status: string;
  /** What the shell wanted the agent to know. */
  readonly nudges: readonly string[];
  progress(): void;
  tokens(count: number): void;
  at(status: string): void;
  nudge(message: string): void;
}

/** The activity of one process, empty. */
export function createActivity(clock: Clock): Activity {
  let progress_at: Timestamp | null = null;
  let tokens_used = 0;
  let status = 'starting';
  const nudges: string[] = [];
  return {
    get progress_at() {
      return progress_at;
    },
    get tokens_used() {
      return tokens_used;
    },
    get status() {
      return status;
    },
    nudges,
    progress() {
      progress_at = clock.now();
    },
    tokens(count) {
      if (Number.isFinite(count) && count > 0) tokens_used += Math.round(count);
    },
    at(phase) {
      status = phase;
    },
    nudge(message) {
      nudges.push(message);
    },
  };
}
