import type { NType } from '../types/ntype.ts';

/** What is known of a type variable: the type that flowed in, or else what its uses need it to be. */
export interface Bounds {
  readonly lower?: NType;
  readonly upper?: NType;
  /** The last type without variables that `upper` was made to fit. */
  readonly needs?: NType;
}

/** Bounds by variable, with the way back to what they were. */
export class BoundsTable {
  readonly #bounds = new Map<string, Bounds>();
  /** What each change replaced, newest last, while an attempt may still take it back. */
  readonly #trail: (readonly [variable: string, before: Bounds | undefined])[] = [];
  #attempts = 0;
  #version = 0;

  /** Grows with every change: what was made of the bounds holds while it stays. */
  get version(): number {
    return this.#version;
  }

  get(variable: string): Bounds {
    return this.#bounds.get(variable) ?? {};
  }

  set(variable: string, bounds: Bounds): void {
    this.#version += 1;
    if (this.#attempts > 0) this.#trail.push([variable, this.#bounds.get(variable)]);
    this.#bounds.set(variable, bounds);
  }

  /** Runs a check; what it decided about variables is taken back when it fails. */
  attempt(check: () => string | null): string | null {
    const mark = this.#trail.length;
    this.#attempts += 1;
    try {
      const reason = check();
      if (reason !== null) this.#takeBack(mark);
      return reason;
    } finally {
      this.#attempts -= 1;
      if (this.#attempts === 0) this.#trail.length = 0;
    }
  }

  #takeBack(mark: number): void {
    this.#version += 1;
    for (let at = this.#trail.length - 1; at >= mark; at -= 1) {
      const [variable, before] = this.#trail[at] ?? ['', undefined];
      if (before) this.#bounds.set(variable, before);
      else this.#bounds.delete(variable);
    }
    this.#trail.length = mark;
  }
}
