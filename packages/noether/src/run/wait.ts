import type { Json } from '../ports.ts';
import type { RunContext } from './context.ts';

/** The end of a run, or of a part of it, for all who wait: one listener, and nothing kept of those who no longer do. */
export class Ending {
  readonly #signal: AbortSignal;
  readonly #waiting = new Set<(reason: unknown) => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#tell(), { once: true });
  }

  /** What a promise comes to, or the reason of the end where that is first. */
  first<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const leave = this.tell(reject);
      promise.then(
        (value) => {
          leave();
          resolve(value);
        },
        (error: unknown) => {
          leave();
          reject(error as Error);
        },
      );
    });
  }

  /** Calls back with the reason once it ends, at once where it has; gives the undoing. */
  tell(stop: (reason: unknown) => void): () => void {
    if (this.#signal.aborted) stop(this.#signal.reason);
    else this.#waiting.add(stop);
    return () => void this.#waiting.delete(stop);
  }

  #tell(): void {
    for (const stop of this.#waiting) stop(this.#signal.reason);
    this.#waiting.clear();
  }
}

/** Longest wait a timer knows, ms; a longer one would end at once. */
export const LONGEST_MS = 2_147_483_647;

/** Waits, in ms, 24 days at most; rejects with its reason at the end of the run. */
export async function wait(ms: number, ending: Ending): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await ending.first(
      new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(ms, LONGEST_MS)))),
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Longest time timers and signals wait for a loop without waits of its own, ms. */
const BREATH_MS = 20;

/** For a loop whose rounds may take no time: now and then lets timers, signals and other runs have their turn. */
export function breather(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < BREATH_MS) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        since = performance.now();
        resolve();
      }),
    );
  };
}

/** Calls when one of the run's places is free; who is still waiting for one when the run ends does not wait on. */
export function inTurn(
  { limit, ending }: Pick<RunContext, 'limit' | 'ending'>,
  call: () => Promise<Json>,
): Promise<Json> {
  return new Promise((resolve, reject) => {
    // A call that has begun ends by itself, and tells the trace before anybody goes on.
    const leave = ending.tell(reject);
    limit(() => {
      leave();
      return call();
    }).then(resolve, reject);
  });
}
