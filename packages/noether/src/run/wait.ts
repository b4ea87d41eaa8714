import type { Json } from '../ports.ts';
import type { RunContext } from './context.ts';

/** Rejects with the signal's reason once it is aborted: one listener, however many wait for it. */
export function abortOf(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  // Nobody may be waiting when it happens.
  aborted.catch(() => undefined);
  return aborted;
}

/** Longest wait a timer knows, ms; a longer one would end at once. */
export const LONGEST_MS = 2_147_483_647;

/** Waits, in ms, 24 days at most; rejects as soon as `aborted` does. */
export async function wait(ms: number, aborted: Promise<never>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(ms, LONGEST_MS)))),
      aborted,
    ]);
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
export async function inTurn(
  { limit, aborted }: Pick<RunContext, 'limit' | 'aborted'>,
  call: () => Promise<Json>,
): Promise<Json> {
  let begun = false;
  const turn = limit(() => {
    begun = true;
    return call();
  });
  // A call that has begun ends by itself, and tells the trace before anybody goes on.
  const ended = aborted.catch((error: unknown) => {
    if (!begun) throw error;
    return turn;
  });
  return Promise.race([turn, ended]);
}
