import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';

import { describe, expect, it } from 'vitest';

import { createBench } from '../test/bench.ts';
import { createSpending, haltOnPause } from './budget.ts';
import { cliFramework } from './frameworks/cli-framework.ts';
import type { FrameworkCall } from './frameworks/framework.ts';
import { runHarness } from './harness.ts';

const NONE = { input: 0, output: 0, cache_read: 0, cache_write: 0 };

describe('what a process has used', () => {
  it('O6 is the sum of its runs, each as it was told last', () => {
    const spending = createSpending({ model: 'm-1', elapsedMs: () => 0 });
    const first = spending.call();
    first.hear([{ ...NONE, model: 'm-1', input: 10 }]);
    first.hear([{ ...NONE, model: 'm-1', input: 30, cost_usd: 0.5 }]);
    const second = spending.call();
    second.hear([{ ...NONE, model: null, output: 5 }]);

    expect(spending.usage).toEqual([
      { ...NONE, model: 'm-1', input: 30, output: 5, micro_usd: 500_000, uncosted: 5 },
    ]);
    second.end({ tokens_used: 9, usage: [{ ...NONE, model: 'm-1', output: 6 }] });
    expect(spending.usage).toMatchObject([{ input: 30, output: 9, uncosted: 9 }]);
  });

  it('takes no number that is none for tokens or money', () => {
    const spending = createSpending({ model: undefined, elapsedMs: () => 0 });
    spending
      .call()
      .hear([{ ...NONE, model: ' ', input: -5, output: Number.NaN, cache_read: 1e300, cost_usd: -1 }]);

    expect(spending.usage).toEqual([{ ...NONE, model: 'unknown', cache_read: 1e11, micro_usd: 0 }]);
  });
});

describe('a run that keeps its limits by itself', () => {
  const prices = { default: { input: 1, output: 10 } };
  const nothing = { tokens: 0, micro_usd: 0, ms: 0 };

  it.each([
    ['tokens of its own', { agent: { tokens: 100 } }, 'one run has used 100 tokens of 100 tokens'],
    ['money of its own', { agent: { micro_usd: 1000 } }, 'one run has used $0.001000 of $0.001000'],
    [
      'what its task has left',
      { task: { tokens: 500 }, used: { ...nothing, tokens: 400 } },
      'the task has used 500 tokens of 500 tokens',
    ],
  ])('is to pause the moment it has used up %s, and not before', (_what, limits, why) => {
    const said: string[] = [];
    const budget = { agent: {}, task: {}, used: nothing, prices, ...limits };
    const spending = createSpending({
      model: 'm',
      budget,
      elapsedMs: () => 0,
      onOver: (reason) => said.push(reason),
    });
    const call = spending.call();
    call.hear([{ ...NONE, model: 'm', output: 99 }]);
    expect([spending.pause_reason, spending.pause.aborted]).toEqual([null, false]);
    call.hear([{ ...NONE, model: 'm', output: 100 }]);
    call.hear([{ ...NONE, model: 'm', output: 101 }]);
    spending.close();

    expect([spending.pause_reason, spending.pause.aborted]).toEqual([`budget: ${why}`, true]);
    expect(said).toEqual([`budget: ${why}`]);
  });

  it('is to pause when its minutes are over though it says nothing; one that ended first is left alone', async () => {
    const start = performance.now();
    const elapsedMs = (): number => performance.now() - start;
    const budget = { agent: { ms: 30 }, task: { ms: 9e12 }, used: nothing, prices };
    const ended = createSpending({ model: 'm', budget, elapsedMs });
    ended.close();
    const spending = createSpending({ model: 'm', budget, elapsedMs });
    await new Promise((resolve) => spending.pause.addEventListener('abort', resolve));

    expect(elapsedMs()).toBeGreaterThanOrEqual(30);
    expect(spending.pause_reason).toMatch(/^budget: one run has used .* of 0 min/);
    expect(ended.pause_reason).toBeNull();
  });

  it('ends a whole run whose shell is silent: class budget, work left in place, no feedback asked', async () => {
    const bench = await createBench();
    try {
      const use = { use: { model: 'm', input: 60, output: 0 } };
      const steps = [
        { write: 'half.txt', content: 'half' },
        use,
        use,
        { write: 'late.txt', content: 'late' },
      ];
      await bench.script('t1', { v: 1, attempts: [{ steps }] });
      const budget = { agent: { tokens: 100 }, task: {}, used: nothing, prices };
      await runHarness(bench.order({ budget, heartbeat_ms: 600_000 }), bench.deps());

      const [report] = bench.shell.reports;
      expect(report).toMatchObject({
        outcome: 'failed',
        exit: { cause: { class: 'budget' } },
        tokens_used: 120,
      });
      expect(report?.exit.cause?.sentence).toBe('budget: one run has used 120 tokens of 100 tokens');
      expect(await readdir(bench.worktree)).toEqual(expect.arrayContaining(['half.txt']));
      expect(await readdir(bench.worktree)).not.toContain('late.txt');
    } finally {
      await bench.close();
    }
  });
});

describe('an agent that is to pause', () => {
  it('is ended between two steps, once it was asked', async () => {
    const pause = new AbortController();
    let lines = 0;
    const steps = cliFramework({
      name: 'steps',
      model: true,
      argv: () => ['sh', '-c', 'while :; do echo step; sleep 0.05; done'],
      prompt_on_stdin: false,
      hear: () => ({ between: true }),
    });
    const framework = { name: 'steps', options: {} };
    const task = { id: 't', issue_number: 1, pr_number: null };
    const order = {
      worktree: tmpdir(),
      framework,
      task,
      sprint_id: 's',
      agent_id: 'a',
      branch: 'b',
      base_branch: 'main',
    };
    const call: Partial<FrameworkCall> = {
      order: order as unknown as FrameworkCall['order'],
      prompt_file: '/dev/null',
      confine: (argv) => argv,
      env: { PATH: process.env['PATH'] ?? '' },
      timeout_ms: 10_000,
      signal: new AbortController().signal,
      pause: pause.signal,
      onOutput() {
        lines += 1;
        if (lines === 3) pause.abort();
      },
    };
    const result = await steps.run(call as FrameworkCall);

    expect(result).toMatchObject({ stopped: true, timed_out: false });
    expect(lines).toBeGreaterThanOrEqual(3);
  });

  it('is ended after its grace where it never says that a step is finished, and not before', async () => {
    const pause = new AbortController();
    const halt = haltOnPause(pause.signal, 20);
    halt.between();
    expect(halt.signal.aborted).toBe(false);
    const ended = new Promise((resolve) => halt.signal.addEventListener('abort', resolve));
    pause.abort();
    await ended;
    halt.close();

    expect(halt.signal.aborted).toBe(true);
  });
});
