import { tmpdir } from 'node:os';

import { describe, expect, it } from 'vitest';

import { createSpending, haltOnPause } from './budget.ts';
import { cliFramework } from './frameworks/cli-framework.ts';
import type { FrameworkCall } from './frameworks/framework.ts';

const NONE = { input: 0, output: 0, cache_read: 0, cache_write: 0 };

describe('what a process has used', () => {
  it('O6 is the sum of its runs, each as it was told last', () => {
    const spending = createSpending('m-1');
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
    const spending = createSpending(undefined);
    spending
      .call()
      .hear([{ ...NONE, model: ' ', input: -5, output: Number.NaN, cache_read: 1e300, cost_usd: -1 }]);

    expect(spending.usage).toEqual([{ ...NONE, model: 'unknown', cache_read: 1e11, micro_usd: 0 }]);
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
