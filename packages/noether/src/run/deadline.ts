import type { RunContext } from './context.ts';
import { Ending } from './wait.ts';

/** What ends a part of a run before the run itself. */
export interface Bounds {
  /** Its reason is what the part fails with. */
  readonly signal?: AbortSignal;
  /** Longest the part may take, ms, and the error it then fails with. */
  readonly timeout?: { readonly ms: number; readonly error: () => Error };
}

/** Runs a part of a run that ends when the run does, when its signal is aborted, or at its deadline. */
export async function within<T>(
  run: RunContext,
  { signal, timeout }: Bounds,
  part: (run: RunContext) => Promise<T>,
): Promise<T> {
  const control = new AbortController();
  const sources = signal ? [run.signal, signal] : [run.signal];
  const undo = sources.map((source) => follow(source, control));
  const timer = timeout && setTimeout(() => control.abort(timeout.error()), timeout.ms);
  const began = performance.now();
  try {
    const output = await part({ ...run, signal: control.signal, ending: new Ending(control.signal) });
    // Code that never waits lets no timer fire: late is late all the same.
    if (timeout && performance.now() - began > timeout.ms) throw timeout.error();
    return output;
  } catch (error) {
    // What ended it explains it better than what came of being stopped.
    throw control.signal.aborted ? control.signal.reason : error;
  } finally {
    clearTimeout(timer);
    for (const stop of undo) stop();
  }
}

function follow(source: AbortSignal, control: AbortController): () => void {
  const stop = (): void => control.abort(source.reason);
  if (source.aborted) stop();
  else source.addEventListener('abort', stop, { once: true });
  return () => source.removeEventListener('abort', stop);
}
