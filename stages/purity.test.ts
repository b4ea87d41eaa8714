import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { catalog } from './index.ts';

const pure = catalog.filter(({ stage }) => stage.effects.some((effect) => effect === 'Pure'));
const RealDate = Date;

/** Reading a given time is no look at the clock; asking for this one is. */
class DateWithoutClock extends RealDate {
  constructor(...args: readonly unknown[]) {
    if (args.length === 0) throw new Error('a pure stage read the clock: new Date()');
    super(...(args as [number]));
  }
  static override now(): number {
    throw new Error('a pure stage read the clock: Date.now()');
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}

function poison(what: string): () => never {
  return () => {
    throw new Error(`a pure stage used ${what}`);
  };
}

beforeEach(() => {
  vi.stubGlobal('Date', DateWithoutClock);
  vi.stubGlobal('fetch', poison('the network'));
  vi.spyOn(Math, 'random').mockImplementation(poison('chance'));
  vi.spyOn(crypto, 'randomUUID').mockImplementation(poison('chance'));
  vi.spyOn(crypto, 'getRandomValues').mockImplementation(poison('chance'));
  vi.spyOn(performance, 'now').mockImplementation(poison('the clock'));
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('a pure stage', () => {
  it.each(pure.map(({ stage }) => ({ name: stage.name, stage })))(
    '$name answers at once, the same each time, without clock, chance or network, and leaves its input alone',
    ({ stage }) => {
      for (const example of stage.examples) {
        const input: unknown = frozen(stage.input.parse(structuredClone(example.input)));

        const first: unknown = stage.run(input, Object.freeze({}));
        const second: unknown = stage.run(input, Object.freeze({}));

        expect(first).not.toBeInstanceOf(Promise);
        expect(JSON.stringify(first)).toBe(JSON.stringify(second));
      }
    },
  );

  it('is found out when it looks at the clock', () => {
    expect(() => new Date()).toThrow('read the clock');
    expect(() => Date.now()).toThrow('read the clock');
    expect(() => Math.random()).toThrow('chance');
    expect(Date.parse('2026-04-14T08:30:00.000Z')).toBe(1_776_155_400_000);
  });
});
