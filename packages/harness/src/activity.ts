import { addMs, type Clock, type ProgressKind, type Timestamp } from '@caloron/types';

import { LONGEST_PROMISE_MS } from './next-by.ts';

/** A sign that an agent gets on which its harness saw itself. */
export type VisibleProgress = Exclude<ProgressKind, 'cpu'>;

/** What the shell is told of a running agent: signs of progress, not of life. */
export interface Activity {
  /** When output or the worktree last changed; null before anything did. Told by the clock of the moment, so that it is as long ago as it says whatever the clock did. */
  readonly progress_at: Timestamp | null;
  /** What changed then. */
  readonly progress_kind: VisibleProgress | null;
  /** When the agent's processes last computed; null before they did. */
  readonly cpu_at: Timestamp | null;
  /** When the agent says it will show progress next; null when it has not said, and once that is over. */
  readonly next_by: Timestamp | null;
  readonly tokens_used: number;
  /** What the harness is at, in a few words. */
  readonly status: string;
  /** What the shell wanted the agent to know. */
  readonly nudges: readonly string[];
  /** Output, unless it was something else. */
  progress(kind?: VisibleProgress): void;
  /** Its processes were seen to compute. */
  computed(): void;
  /** The agent will show nothing for so many milliseconds: two hours at most, and its run's time limit. */
  promise(ms: number): void;
  tokens(count: number): void;
  at(status: string): void;
  nudge(message: string): void;
  /** Hands each further nudge on, to an agent that can be spoken to while it works; gives what ends that. */
  onNudge(take: (message: string) => void): () => void;
}

/** What an activity is reckoned by. */
export interface ActivityDeps {
  readonly clock: Clock;
  /** Milliseconds from any start that no change of the clock moves and a suspended machine does not count. */
  readonly monotonic: () => number;
  /** The time limit of the agent's run, in milliseconds. */
  readonly timeout_ms: number;
}

/** The activity of one process, empty. */
export function createActivity({ clock, monotonic, timeout_ms }: ActivityDeps): Activity {
  let progress: { readonly kind: VisibleProgress; readonly at: number } | null = null;
  let computed: number | null = null;
  let promised = 0;
  let tokens_used = 0;
  let status = 'starting';
  const nudges: string[] = [];
  const listeners = new Set<(message: string) => void>();
  const wallClock = (at: number): Timestamp => addMs(clock.now(), Math.round(at - monotonic()));
  return {
    get progress_at() {
      return progress === null ? null : wallClock(progress.at);
    },
    get progress_kind() {
      return progress?.kind ?? null;
    },
    get cpu_at() {
      return computed === null ? null : wallClock(computed);
    },
    get next_by() {
      return promised > monotonic() ? wallClock(promised) : null;
    },
    get tokens_used() {
      return tokens_used;
    },
    get status() {
      return status;
    },
    nudges,
    progress(kind = 'output') {
      progress = { kind, at: monotonic() };
    },
    computed() {
      computed = monotonic();
    },
    promise(ms) {
      promised = monotonic() + Math.min(ms, LONGEST_PROMISE_MS, timeout_ms);
    },
    tokens(count) {
      if (Number.isFinite(count) && count > 0) tokens_used += Math.round(count);
    },
    at(phase) {
      status = phase;
    },
    nudge(message) {
      nudges.push(message);
      for (const take of listeners) take(message);
    },
    onNudge(take) {
      listeners.add(take);
      return () => void listeners.delete(take);
    },
  };
}
