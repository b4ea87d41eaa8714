import type { Json } from '@caloron/noether/stage';

/** Calls a higher-order stage makes at once; the run's own bound holds on top of it. */
const AT_ONCE = 16;

interface Failure {
  readonly index: number;
  readonly error: unknown;
}

/**
 * Calls for each index from 0, at most 16 at once, and gives the answers in order. Calls begin in order; after a failure no
 * further one begins, those before it are waited for, so that the error thrown is that of the lowest index whatever the timing,
 * and those after it are interrupted.
 */
export function together(
  count: number,
  call: (index: number, signal: AbortSignal) => Promise<Json>,
  signal: AbortSignal | undefined,
): Promise<Json[]> {
  const control = new AbortController();
  const stop = signal ? AbortSignal.any([signal, control.signal]) : control.signal;
  const { promise, resolve, reject } = Promise.withResolvers<Json[]>();
  const answers: Json[] = [];
  const running = new Set<number>();
  let next = 0;
  let failure: Failure | null = null;

  const proceed = (): void => {
    const begun = failure;
    if (begun !== null) {
      if ([...running].some((index) => index < begun.index)) return;
      reject(begun.error as Error);
      control.abort(begun.error);
      return;
    }
    if (next >= count && running.size === 0) resolve(answers);
    while (next < count && running.size < AT_ONCE) begin(next++);
  };
  const begin = (index: number): void => {
    running.add(index);
    const answered = (answer: Json): void => {
      answers[index] = answer;
    };
    const failed = (error: unknown): void => {
      if (failure === null || index < failure.index) failure = { index, error };
    };
    // Begins in a microtask: a call that throws at once is a failure like any other.
    void Promise.resolve()
      .then(() => {
        stop.throwIfAborted();
        return call(index, stop);
      })
      .then(answered, failed)
      .finally(() => {
        running.delete(index);
        proceed();
      });
  };
  proceed();
  return promise;
}
