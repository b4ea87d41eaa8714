/** Secrets that no variable holds and that are known once they were made: tokens of a GitHub App, its key. */
export interface LiveSecrets {
  /** Every run that goes on hides it from now on, and those that begin later. */
  readonly learn: (secret: string) => void;
  /** What a run hides: what is known at its beginning, and what is learned until its end. */
  during<T>(known: readonly string[], work: (secrets: readonly string[]) => Promise<T>): Promise<T>;
}

/** Tokens of an app hold for an hour: of a hundred the oldest are long over. */
const KEPT = 100;

/** Keeps what was learned in memory alone. */
export function createLiveSecrets(): LiveSecrets {
  const learned = new Set<string>();
  const lists = new Set<string[]>();
  return {
    learn: (secret) => {
      if (learned.has(secret)) return;
      learned.add(secret);
      const [oldest] = learned;
      if (learned.size > KEPT && oldest !== undefined) learned.delete(oldest);
      for (const list of lists) list.push(secret);
    },
    during: async (known, work) => {
      const list = [...known, ...learned];
      lists.add(list);
      try {
        return await work(list);
      } finally {
        lists.delete(list);
      }
    },
  };
}
