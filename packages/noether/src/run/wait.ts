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
