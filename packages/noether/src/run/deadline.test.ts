import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import type { Json } from '../ports.ts';
import { stageKit } from '../stage/define-stage.ts';
import { StageError } from '../stage/errors.ts';
import { type Act, runnerOf, sink, stageNode } from '../testing/running.ts';

const real = runnerOf([]);
/** Runs with a time of its own, which goes on by a millisecond whenever everybody waits. */
const run: typeof real = async (...given) => {
  const over = { yet: false };
  const running = real(...given).finally(() => (over.yet = true));
  while (!over.yet) await vi.advanceTimersByTimeAsync(1);
  return running;
};

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Never answers, but ends with its signal. */
const listening =
  (heard: (reason: unknown) => void): Act =>
  (_input, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        heard(signal.reason);
        reject(signal.reason as Error);
      });
    });
const deaf: Act = () => new Promise(() => undefined);

let spun = 0;
/** Takes a millisecond of the processor. */
const spin = stageKit<Record<string, never>>()({
  name: 'spin',
  description: 'Spins.',
  effects: ['Pure'],
  input: z.object({ x: z.number() }),
  output: z.number(),
  examples: [{ input: { x: 1 }, output: 1 }],
  run: ({ x }) => {
    spun += 1;
    const begun = performance.now();
    while (performance.now() - begun < 1);
    return x;
  },
});

describe('the deadline of a node', () => {
  it.each([
    ['a Stage', stageNode('act', undefined, { timeout_ms: 20 }), 'root'],
    ['a Sequential', { op: 'Sequential', stages: [stageNode('act')], timeout_ms: 20 }, 'root'],
    [
      'a branch',
      { op: 'Parallel', branches: { a: stageNode('act', undefined, { timeout_ms: 20 }) } },
      'root.branches.a',
    ],
    [
      'a Map',
      { op: 'Map', over: 'xs', as: 'x', stage: stageNode('act'), concurrency: 4, timeout_ms: 20 },
      'root',
    ],
  ] as const)('ends %s and tells its stages', async (_what, root, path) => {
    const heard = vi.fn();
    const result = await run(root as unknown as Json, { xs: [1, 2, 3] }, { act: listening(heard) });

    expect(result).toMatchObject({ status: 'failed', error: { code: 'GRAPH_NODE_TIMEOUT', path } });
    expect(heard).toHaveBeenCalledWith(expect.objectContaining({ code: 'GRAPH_NODE_TIMEOUT' }));
  });

  it('ends a stage that does not listen, and a Retry that would go on', async () => {
    const called = vi.fn(deaf);
    const root = { op: 'Retry', stage: stageNode('act'), max_attempts: 5, delay_ms: 10_000, timeout_ms: 20 };

    expect(await run(root, null, { act: called })).toMatchObject({ error: { code: 'GRAPH_NODE_TIMEOUT' } });
    expect(called).toHaveBeenCalledTimes(1);
  });

  it('may pass at the next attempt of a Retry around it', async () => {
    const trace = sink();
    let calls = 0;
    const result = await run(
      { op: 'Retry', stage: stageNode('act', undefined, { timeout_ms: 20 }), max_attempts: 3 },
      'x',
      { act: (input) => ((calls += 1) < 3 ? new Promise(() => undefined) : input), trace },
    );

    expect(result).toMatchObject({ ok: true, output: 'x' });
    expect(trace.steps.map(({ attempt, status, error }) => [attempt, status, error?.code])).toEqual([
      [1, 'failed', 'GRAPH_NODE_TIMEOUT'],
      [2, 'failed', 'GRAPH_NODE_TIMEOUT'],
      [3, 'ok', undefined],
    ]);
  });

  it('does not concern its siblings', async () => {
    const root = {
      op: 'Map',
      over: 'xs',
      as: 'x',
      stage: stageNode('act', undefined, { timeout_ms: 50 }),
      concurrency: 3,
      on_error: 'collect',
    };
    const result = await run(
      root,
      { xs: [1, 2, 3] },
      {
        act: (input) =>
          (input as { x: number }).x === 2 ? new Promise(() => undefined) : (input as { x: number }).x,
      },
    );

    expect(result).toMatchObject({
      output: { results: [1, 3], errors: [{ index: 1, code: 'GRAPH_NODE_TIMEOUT' }] },
    });
  });

  it('counts the waiting for a place, and frees the place', async () => {
    const root = {
      op: 'Parallel',
      branches: {
        a: stageNode('act', { who: 'slow' }, { timeout_ms: 60 }),
        b: { op: 'Retry', stage: stageNode('act', { who: 'queued' }, { timeout_ms: 10 }), max_attempts: 1 },
      },
    };
    const called: Json[] = [];
    const result = await run(
      root,
      {},
      {
        act: (input) => {
          called.push((input as { who: string }).who);
          return new Promise(() => undefined);
        },
        concurrency: 1,
      },
    );

    expect(result).toMatchObject({ error: { code: 'GRAPH_NODE_TIMEOUT', path: 'root.branches.a' } });
    expect(called).toEqual(['slow']);
  });

  it('is also missed by code that never waits', async () => {
    vi.useRealTimers();
    const busy: Act = (input) => {
      const begun = performance.now();
      while (performance.now() - begun < 15);
      return input;
    };
    expect(await real(stageNode('act', undefined, { timeout_ms: 5 }), 1, { act: busy })).toMatchObject({
      error: { code: 'GRAPH_NODE_TIMEOUT' },
    });
    expect(await real(stageNode('act', undefined, { timeout_ms: 600_000 }), 1, { act: busy })).toMatchObject({
      ok: true,
    });
  });

  it('passes in time for a long list of stages that take none', async () => {
    vi.useRealTimers();
    const root = { op: 'Map', over: 'xs', as: 'x', stage: stageNode('spin'), timeout_ms: 50 };
    const xs = Array.from({ length: 100_000 }, (_, i) => i);
    const result = await runnerOf([spin])(root, { xs });

    expect(result).toMatchObject({ error: { code: 'GRAPH_NODE_TIMEOUT', path: 'root' } });
    // It had time for fifty of the hundred thousand, and for those between two looks.
    expect(spun).toBeLessThan(1_000);
  });

  it('leaves the reason of the run where both end', async () => {
    const root = stageNode('act', undefined, { timeout_ms: 10_000 });
    expect(await run(root, 1, { act: deaf, timeout_ms: 20 })).toMatchObject({
      error: { code: 'GRAPH_RUN_ABORTED' },
    });
  });
});

describe('the rule of a Retry', () => {
  const root = (retry_on?: Json): Json => ({
    op: 'Retry',
    stage: stageNode('act'),
    max_attempts: 3,
    ...(retry_on !== undefined && { retry_on }),
  });

  it.each([
    ['everything', undefined, 3],
    ['what says that it may pass, which this does not', 'retryable', 1],
    ['codes it has not', ['OTHER'], 1],
    ['its code', ['STAGE_FAILED'], 3],
  ] as const)('tries again on %s', async (_what, rule, times) => {
    const failing = vi.fn(() => {
      throw new Error('no');
    });
    await run(root(rule), 1, { act: failing });
    expect(failing).toHaveBeenCalledTimes(times);
  });

  it('tries again what says that it may pass', async () => {
    const failing = vi.fn(() => {
      throw new StageError(
        'STAGE_REMOTE_FAILED',
        { url: 'u', path: 'p', reason: 'busy' },
        { retryable: true },
      );
    });
    await run(root('retryable'), 1, { act: failing });
    expect(failing).toHaveBeenCalledTimes(3);
  });
});
