/** How long anybody was waited for, ms: time in which at least one watched call was under way counts once. */
export class Waiting {
  #under_way = 0;
  #since = 0;
  #total = 0;

  /** ms so far. */
  get total(): number {
    return this.#total;
  }

  /** The client with every call that answers later watched; what it hands out is watched too. */
  watch<T extends object>(client: T): T {
    return new Proxy(client, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...given: readonly unknown[]): unknown => {
          const answer: unknown = Reflect.apply(member, target, given);
          if (answer instanceof Promise) return this.#during(answer);
          return typeof answer === 'object' && answer !== null ? this.watch(answer) : answer;
        };
      },
    });
  }

  async #during<R>(answer: Promise<R>): Promise<R> {
    if (this.#under_way === 0) this.#since = performance.now();
    this.#under_way += 1;
    try {
      return await answer;
    } finally {
      this.#under_way -= 1;
      if (this.#under_way === 0) this.#total += performance.now() - this.#since;
    }
  }
}
