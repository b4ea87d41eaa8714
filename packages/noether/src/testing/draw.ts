import fc from 'fast-check';

const upTo = (max: number): fc.Arbitrary<number> => fc.nat({ max });

/** Draws the parts of a generated thing one after another, so that later ones can depend on earlier ones. */
export class Draw {
  readonly #next: fc.GeneratorValue;

  constructor(next: fc.GeneratorValue) {
    this.#next = next;
  }

  /** A whole number from 0 to `max`. */
  nat(max: number): number {
    return max <= 0 ? 0 : this.#next(upTo, max);
  }

  /** One of the items; there must be one. */
  pick<T>(items: readonly [T, ...T[]]): T;
  pick<T>(items: readonly T[]): T | undefined;
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.nat(items.length - 1)];
  }

  /** True once in `of` times. */
  chance(of: number): boolean {
    return this.nat(of - 1) === of - 1;
  }

  /** As many as `make` gives, from `min` to `max`. */
  some<T>(min: number, max: number, make: (index: number) => T): readonly T[] {
    return Array.from({ length: min + this.nat(max - min) }, (_, i) => make(i));
  }

  /** Different names out of a few, so that they meet. */
  names(min: number, max: number): readonly string[] {
    return [...new Set(this.some(min, max, () => this.pick(NAMES)))];
  }
}

/** Names of fields, branches and bindings: a few, some of them like the engine's own words. */
const NAMES = ['a', 'b', 'c', 'items', 'text', 'source_0', 'source_1', '10', '2'] as const;
