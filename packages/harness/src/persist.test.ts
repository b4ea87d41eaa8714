import { ForgeError } from '@caloron/capabilities/forge-errors';
import { systemClock } from '@caloron/capabilities/clock';
import { beforeEach, describe, expect, it } from 'vitest';

import { type HarnessContext, type Patience, persist } from './context.ts';
import { HarnessError } from './errors.ts';

const patience: Patience = { retries: 1, first_ms: 1, rounds: 3, pause_ms: 1 };

function unavailable(retryable: boolean): ForgeError {
  const facts = { host: 'h', repo: 'o/r', doing: 'do', status: null, answer: 'no answer came' };
  return new ForgeError('FORGE_UNAVAILABLE', facts, { retryable });
}

describe('finished work while the forge is away', () => {
  let lines: string[];
  let promised: number[];
  let ended: AbortController;
  let context: HarnessContext;

  beforeEach(() => {
    [lines, promised, ended] = [[], [], new AbortController()];
    context = {
      log: { write: (line: string) => lines.push(line) },
      logger: { info: () => undefined },
      clock: systemClock,
      activity: { promise: (ms: number) => promised.push(ms) },
      signal: ended.signal,
    } as unknown as HarnessContext;
  });

  /** Work that fails so often before it is done. */
  function failing(times: number, error: Error): { readonly run: () => Promise<string>; tries: number } {
    const work = {
      tries: 0,
      run: async () => {
        work.tries += 1;
        if (work.tries <= times) throw error;
        return Promise.resolve('done');
      },
    };
    return work;
  }

  it('is tried on over several rounds, which are promised, and done when it is back', async () => {
    const work = failing(5, unavailable(true));

    expect(await persist(context, 'open it', work.run, patience)).toBe('done');

    expect(promised).toEqual([120_001, 120_001]);
    expect(lines.join('')).toContain('no answer came; it is tried on');
  });

  it('ends when it stays away', async () => {
    const work = failing(99, unavailable(true));

    await expect(persist(context, 'open it', work.run, patience)).rejects.toThrow(/no answer came/);
    expect(work.tries).toBe(6);
  });

  it('waits for nothing that is no outage: a refusal at once, anything else for one round', async () => {
    const refused = failing(99, unavailable(false));
    await expect(persist(context, 'open it', refused.run, patience)).rejects.toThrow();
    expect(refused.tries).toBe(1);

    const other = failing(
      99,
      new HarnessError('HARNESS_SHELL_UNREACHABLE', { url: 'u', reason: 'r' }, { retryable: true }),
    );
    await expect(persist(context, 'open it', other.run, patience)).rejects.toThrow();
    expect(other.tries).toBe(2);
  });

  it('is given up when the run is stopped', async () => {
    const work = failing(99, unavailable(true));
    const run = persist(context, 'open it', work.run, { ...patience, rounds: 1_000, pause_ms: 60_000 });
    await expect.poll(() => promised.length).toBe(1);
    ended.abort(new Error('stopped'));

    await expect(run).rejects.toThrow(/stopped/);
  });
});
