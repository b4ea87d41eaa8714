import type { FrameworkCall } from './framework.ts';
import { numberOption } from './options.ts';
import type { Trouble } from './trouble.ts';

/** Milliseconds a program may wait for a provider that refuses it before it is ended, so that it holds no place meanwhile. */
const PATIENCE_MS = 5 * 60 * 1000;

/** Ends a run before its time for what it shows, or does not show. */
export interface RunWatch {
  /** Aborted to end the run. */
  readonly signal: AbortSignal;
  /** Why it was ended; null while it was not. */
  readonly ended: 'waiting' | 'silent' | null;
  /** It printed something. */
  output(): void;
  /** It met trouble, or got over it (null). */
  trouble(trouble: Trouble | null): void;
  close(): void;
}

/**
 * Watches a run. A program that can only wait for its provider is ended after option `patience_ms` (5 min), at once when it says that the
 * wait is longer. One that prints nothing for option `silence_ms` is ended too; without the option silence is no reason, since a build may be
 * silent for long.
 */
export function watchRun(call: FrameworkCall): RunWatch {
  const patience_ms = numberOption(call, 'patience_ms') ?? PATIENCE_MS;
  const silence_ms = numberOption(call, 'silence_ms');
  const abort = new AbortController();
  let ended: RunWatch['ended'] = null;
  let waiting: NodeJS.Timeout | undefined;
  let silence: NodeJS.Timeout | undefined;
  const end = (why: 'waiting' | 'silent'): void => {
    ended ??= why;
    abort.abort();
  };
  const output = (): void => {
    if (silence_ms === undefined) return;
    clearTimeout(silence);
    silence = setTimeout(() => end('silent'), silence_ms);
  };
  output();
  return {
    signal: abort.signal,
    get ended() {
      return ended;
    },
    output,
    trouble(trouble) {
      if (trouble === null) {
        clearTimeout(waiting);
        waiting = undefined;
      } else if ((trouble.reset_in_ms ?? 0) > patience_ms) end('waiting');
      else waiting ??= setTimeout(() => end('waiting'), patience_ms);
    },
    close() {
      clearTimeout(waiting);
      clearTimeout(silence);
    },
  };
}
