/** One piece of work: `lane` says what it may run beside, `after` what it waits for (the same text: one after the other). */
export interface Work {
  readonly lane: 'serial' | 'pool';
  readonly after: string;
  readonly run: () => Promise<void>;
}

/**
 * Runs work in two lanes at once: the serial one in order, the pooled one at most `width` at a time; work with the same `after` in order
 * across both. The first error stops what has not begun and is thrown when everything begun has ended.
 */
export async function runLanes(work: readonly Work[], width: number): Promise<void> {
  const failures: unknown[] = [];
  const tails = new Map<string, Promise<void>>();
  // Chained in order, so a piece only ever waits for earlier ones: no two can wait for each other.
  const jobs = work.map(({ lane, after, run }) => {
    const before = tails.get(after) ?? Promise.resolve();
    let settle = (): void => undefined;
    tails.set(after, new Promise<void>((resolve) => (settle = resolve)));
    return {
      lane,
      start: async (): Promise<void> => {
        await before;
        try {
          if (failures.length === 0) await run();
        } catch (error) {
          failures.push(error);
        } finally {
          settle();
        }
      },
    };
  });
  const pooled = jobs.filter(({ lane }) => lane === 'pool');
  await Promise.all([
    inTurn(jobs.filter(({ lane }) => lane === 'serial')),
    ...Array.from({ length: width }, () => inTurn(pooled)),
  ]);
  if (failures.length > 0) throw failures[0];
}

/** Takes jobs off one queue until it is empty; several takers share it. */
async function inTurn(queue: { readonly start: () => Promise<void> }[]): Promise<void> {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job.start();
}
