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

/** Waits, in ms; rejects as soon as `aborted` does. */
export async function wait(ms: number, aborted: Promise<never>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), aborted]);
  } finally {
    clearTimeout(timer);
  }
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
