import type { Json, StageCalls } from '@caloron/noether/stage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { fallback, retry } from './attempts.ts';
import { filter, map, reduce } from './each.ts';
import { ensure } from './ensure.ts';
import { router } from './router.ts';
import { parallel, race, timeout } from './time.ts';

type Call = Parameters<StageCalls['call']>;

/** Stages of a test by name; every call is noted. */
function world(
  stages: Readonly<Record<string, (input: Json, signal: AbortSignal) => Json | Promise<Json>>>,
): {
  readonly context: { readonly stages: StageCalls };
  readonly calls: Call[];
} {
  const calls: Call[] = [];
  const call = async (...args: Call): Promise<Json> => {
    calls.push(args);
    const [name, input, options] = args;
    const stage = stages[name];
    if (!stage) throw new Error(`no stage ${name}`);
    return stage(input, options?.signal ?? new AbortController().signal);
  };
  return { context: { stages: { call } }, calls };
}

/** Never answers, but fails with the signal's reason. */
function hang(_: Json, signal: AbortSignal): Promise<Json> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function failure(running: unknown): Promise<{ code?: unknown; message?: string }> {
  try {
    await running;
  } catch (error) {
    return error as Error;
  }
  return {};
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('map and filter', () => {
  it('answer in the order of the items, whatever the timing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 }), async (items) => {
        const slow = async (item: Json): Promise<Json> => {
          if (item !== 0) await later(Number(item) % 2);
          return Number(item) > 1;
        };
        const { context } = world({ slow });

        expect(await answer(map, { items, stage_id: 'slow' }, context)).toEqual(items.map((n) => n > 1));
        expect(await answer(filter, { items, stage_id: 'slow' }, context)).toEqual(
          items.filter((n) => n > 1),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('call at most 16 at once, each with its index', async () => {
    let running = 0;
    let most = 0;
    const stage = async (item: Json): Promise<Json> => {
      running += 1;
      most = Math.max(most, running);
      await later(1);
      running -= 1;
      return item;
    };
    const { context, calls } = world({ stage });

    await answer(map, { items: Array.from({ length: 50 }, (_, i) => i), stage_id: 'stage' }, context);

    expect(most).toBe(16);
    expect(calls.map(([, , options]) => options?.index)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('fail with the error of the first item that has one, and interrupt those after it', async () => {
    const interrupted: Json[] = [];
    const stage = async (item: Json, signal: AbortSignal): Promise<Json> => {
      if (item === 1) {
        await later(15);
        throw new Error('one');
      }
      if (item === 2) throw new Error('two');
      if (item === 0) return item;
      return hang(item, signal).finally(() => interrupted.push(item));
    };
    const { context, calls } = world({ stage });

    const items = Array.from({ length: 40 }, (_, i) => i);
    const error = await failure(answer(map, { items, stage_id: 'stage' }, context));

    expect(error.message).toBe('one');
    await expect.poll(() => interrupted.length).toBe(calls.length - 3);
    expect(calls.length).toBeLessThanOrEqual(17);
  });

  it('stop with the run', async () => {
    const control = new AbortController();
    const { context } = world({ hang });

    const running = answer(map, { items: [1, 2], stage_id: 'hang' }, context, control.signal);
    control.abort(new Error('stopped'));

    expect((await failure(running)).message).toBe('stopped');
  });

  it('keep an item only for true itself', async () => {
    const { context } = world({ same: (item) => item });

    expect(
      await answer(filter, { items: [true, 1, 'true', null, false], stage_id: 'same' }, context),
    ).toEqual([true]);
  });
});

describe('reduce', () => {
  it('hands on what the stage answered, one item after the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), fc.integer(), async (items, initial) => {
        const { context } = world({
          list: (input) => {
            const { accumulator, item } = input as { accumulator: Json; item: Json };
            return [accumulator, item];
          },
        });

        const nested = items.reduce<unknown>((left, right) => [left, right], initial);

        expect(await answer(reduce, { items, initial, stage_id: 'list' }, context)).toEqual(nested);
      }),
      { numRuns: 20 },
    );
  });
});

describe('retry', () => {
  it('calls again until the stage succeeds, with a pause between', async () => {
    let left = 2;
    const { context, calls } = world({
      shaky: () => {
        left -= 1;
        if (left >= 0) throw new Error('not yet');
        return 'done';
      },
    });
    const start = performance.now();

    const input = { input: 1, stage_id: 'shaky', max_attempts: 5, delay_ms: 20 };
    expect(await answer(retry, input, context)).toBe('done');
    expect(calls.length).toBe(3);
    expect(performance.now() - start).toBeGreaterThanOrEqual(38);
  });

  it('gives up after the attempts it has, at least one', async () => {
    const { context, calls } = world({
      broken: () => {
        throw new Error('always');
      },
    });

    const once = await failure(answer(retry, { input: 1, stage_id: 'broken', max_attempts: -3 }, context));
    const thrice = await failure(answer(retry, { input: 1, stage_id: 'broken', max_attempts: 3 }, context));

    expect([once.code, thrice.code]).toEqual(['STDLIB_RETRY_EXHAUSTED', 'STDLIB_RETRY_EXHAUSTED']);
    expect(thrice.message).toContain('always');
    expect(calls.length).toBe(4);
  });

  it('does not go on when the run is over', async () => {
    const control = new AbortController();
    const { context, calls } = world({
      broken: () => {
        control.abort(new Error('stopped'));
        throw new Error('broken');
      },
    });

    const input = { input: 1, stage_id: 'broken', max_attempts: 9, delay_ms: 60_000 };
    await failure(answer(retry, input, context, control.signal));

    expect(calls.length).toBe(1);
  });
});

describe('fallback', () => {
  it('gives the first success and throws the last failure', async () => {
    const { context, calls } = world({
      a: () => {
        throw new Error('a failed');
      },
      b: () => 'b',
      c: () => 'c',
    });

    expect(await answer(fallback, { input: 1, stages: ['a', 'b', 'c'] }, context)).toBe('b');
    expect(calls.map(([name]) => name)).toEqual(['a', 'b']);
    expect((await failure(answer(fallback, { input: 1, stages: ['a', 'a'] }, context))).message).toBe(
      'a failed',
    );
    expect((await failure(answer(fallback, { input: 1, stages: [] }, context))).code).toBe(
      'STDLIB_STAGES_EMPTY',
    );
  });
});

describe('timeout', () => {
  it('interrupts a stage that takes too long', async () => {
    let reason: unknown = null;
    const { context } = world({
      slow: async (input, signal) => {
        try {
          return await hang(input, signal);
        } catch (error) {
          reason = error;
          throw error;
        }
      },
    });

    const error = await failure(answer(timeout, { input: 1, stage_id: 'slow', timeout_ms: 10 }, context));

    expect(error).toMatchObject({ code: 'STDLIB_TIMEOUT', retryable: true });
    await expect.poll(() => reason).toBe(error);
  });

  it('passes on an answer and a failure in time', async () => {
    const { context } = world({
      same: (input) => input,
      broken: () => {
        throw new Error('broken');
      },
    });

    expect(await answer(timeout, { input: [1], stage_id: 'same', timeout_ms: 5000 }, context)).toEqual([1]);
    expect(
      (await failure(answer(timeout, { input: 1, stage_id: 'broken', timeout_ms: 5000 }, context))).message,
    ).toBe('broken');
  });
});

describe('race', () => {
  it('takes the first success and interrupts the others', async () => {
    let interrupted = 0;
    const { context } = world({
      hang: (input, signal) => hang(input, signal).finally(() => (interrupted += 1)),
      broken: () => {
        throw new Error('broken');
      },
      quick: async () => {
        await later(2);
        return 'quick';
      },
    });

    expect(await answer(race, { input: 1, stages: ['hang', 'broken', 'quick', 'hang'] }, context)).toBe(
      'quick',
    );
    await expect.poll(() => interrupted).toBe(2);
  });

  it('throws the failure of the last in the list where all fail', async () => {
    const { context } = world({
      slow: async () => {
        await later(5);
        throw new Error('slow');
      },
      quick: () => {
        throw new Error('quick');
      },
    });

    expect((await failure(answer(race, { input: 1, stages: ['slow', 'quick'] }, context))).message).toBe(
      'quick',
    );
    expect((await failure(answer(race, { input: 1, stages: [] }, context))).code).toBe('STDLIB_STAGES_EMPTY');
  });
});

describe('parallel', () => {
  it('pairs stages and inputs by position', async () => {
    const { context } = world({ same: (input) => input, twice: (input) => Number(input) * 2 });

    expect(
      await answer(parallel, { inputs: [1, 2, 'x'], stages: ['same', 'twice', 'same'] }, context),
    ).toEqual([1, 4, 'x']);
    expect(() => answer(parallel, { inputs: [1], stages: [] }, context)).toThrow(
      expect.objectContaining({ code: 'STDLIB_LENGTHS_DIFFER' }),
    );
  });
});

describe('ensure and router', () => {
  it('fail by their codes', () => {
    expect(() => answer(ensure, { condition: false, message: 'no repository', value: 1 })).toThrow(
      expect.objectContaining({ code: 'STDLIB_FAILED', message: 'no repository' }),
    );
    expect(() => answer(router, { route: '/x', default: 'constructor', routes: {} })).toThrow(
      expect.objectContaining({ code: 'STDLIB_ROUTE_UNKNOWN' }),
    );
  });
});
