import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { type Order, type OrderWorkspace, Report } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { runHarness } from './harness.ts';

/** Its processes are found by it: no other test's may be among them. */
const PROCESS = `hooks-${process.pid}`;

let bench: Bench;
beforeEach(async () => {
  bench = await createBench();
  await bench.script('t1', {
    v: 1,
    attempts: [{ steps: [{ run: ['sh', '-c', 'echo agent >> order.log'] }] }],
  });
});
afterEach(async () => bench.close());

/** An order with hooks that are lines of shell. */
function orderWith(
  hooks: { readonly before?: string; readonly after?: string },
  change: Partial<OrderWorkspace> = {},
  more: Partial<Order> = {},
): Order {
  const sh = (script: string | undefined) => (script === undefined ? null : ['sh', '-c', script]);
  return bench.order({
    process_id: PROCESS,
    workspace: {
      before_run: sh(hooks.before),
      after_run: sh(hooks.after),
      hook_timeout_ms: 20_000,
      port_first: null,
      port_count: null,
      cache_dir: null,
      ...change,
    },
    ...more,
  });
}
const lines = (): string[] => readFileSync(join(bench.root, 'order.log'), 'utf8').trim().split('\n');
const log = (): string => readFileSync(join(bench.root, 'logs', 'p1.log'), 'utf8');
const report = (): Report => Report.parse(bench.shell.reports[0]);
const put = (word: string): string => `echo ${word} >> ${bench.root}/order.log`;
const agent = (script: string): Promise<void> =>
  bench.script('t1', { v: 1, attempts: [{ steps: [{ run: ['sh', '-c', script] }] }] });

describe('the hooks around a run', () => {
  it('W9 W10 run in the worktree before and after it, with facts and without keys', async () => {
    await agent(put('agent'));
    const say =
      'printf "%s " "$CALORON_HOOK" "$PWD" "$CALORON_TASK_ID" "$CALORON_SPRINT_ID" "$CALORON_PORT_FIRST" "$CALORON_CACHE_DIR" "$SECRET$ANTHROPIC_API_KEY$CALORON_ORDER_FILE" >> ../hooks.log';
    const order = orderWith(
      { before: `${put('before')}; ${say}`, after: `${put('after')}; env > ../env.log` },
      { port_first: 20_010, port_count: 5, cache_dir: join(bench.root, 'cache') },
    );

    const code = await runHarness(order, bench.deps({ env: { SECRET: 's', ANTHROPIC_API_KEY: 'k' } }));

    expect(code).toBe(0);
    expect(lines()).toEqual(['before', 'agent', 'after']);
    const said = readFileSync(join(bench.worktree, '..', 'hooks.log'), 'utf8');
    expect(said).toBe(`before_run ${bench.worktree} t1 s1 20010 ${bench.root}/cache  `);
    expect(readFileSync(join(bench.worktree, '..', 'env.log'), 'utf8')).not.toMatch(/TOKEN|KEY|SECRET/);
    expect(log()).toMatch(/hook before_run: sh -c [^]*hook before_run: done in \d+ ms/);
  });

  it('W9 a before_run that fails fails the attempt: the agent does not run, the end of its output is told', async () => {
    await agent(put('agent'));

    const code = await runHarness(
      orderWith({ before: `${put('before')}; echo no database >&2; exit 3`, after: put('after') }),
      bench.deps(),
    );

    expect(code).toBe(1);
    expect(lines()).toEqual(['before', 'after']);
    expect(report()).toMatchObject({ outcome: 'failed', exit: { cause: { class: 'crash' } } });
    expect(report().exit.cause?.sentence).toMatch(/hook before_run .* failed: exit code 3/);
    expect(report().body).toContain('HARNESS_HOOK_FAILED');
    expect(report().body).toContain('no database');
  });

  it('W9 a command that is not there fails the attempt as well', async () => {
    await runHarness(orderWith({}, { before_run: ['no-such-program'] }), bench.deps());

    expect(report()).toMatchObject({ outcome: 'failed' });
    expect(report().body).toContain('"no-such-program" was not found');
  });

  it('W10 an after_run that fails is noted and changes nothing', async () => {
    await agent('echo work > work.txt');

    const code = await runHarness(orderWith({ after: 'echo broken; exit 4' }), bench.deps());

    expect(code).toBe(0);
    expect(report()).toMatchObject({ outcome: 'completed', exit: { code: 0 } });
    expect(log()).toMatch(/the hook after_run .* failed: exit code 4.*\(ignored\)/);
  });

  it('W10 after_run runs after an attempt that failed and one that took too long', async () => {
    await agent('exit 5');
    await runHarness(orderWith({ after: put('after failure') }), bench.deps());
    await agent('sleep 600');
    await runHarness(orderWith({ after: put('after timeout') }, {}, { timeout_ms: 300 }), bench.deps());

    expect(lines()).toEqual(['after failure', 'after timeout']);
  });

  it('W10 after_run runs after an attempt that was stopped, when the report is out, and does not hold it up', async () => {
    await agent(`${put('agent')}; sleep 600`);
    const stop = new AbortController();
    const running = runHarness(
      orderWith({ after: `${put('after')}; sleep 600` }, { hook_timeout_ms: 600_000 }),
      bench.deps({ signal: stop.signal }),
    );
    await expect.poll(() => log(), { timeout: 30_000 }).toContain('attempt 1');
    await expect
      .poll(
        () => {
          try {
            return lines();
          } catch {
            return [];
          }
        },
        { timeout: 30_000 },
      )
      .toEqual(['agent']);
    const began = performance.now();
    stop.abort();
    await running;

    expect(performance.now() - began).toBeLessThan(30_000);
    expect(lines()).toEqual(['agent', 'after']);
    expect(report()).toMatchObject({ outcome: 'failed' });
    expect(await bench.file('exit.json')).toMatchObject({ code: 1, known: true });
  });

  it('W12 a hook that takes too long is ended with all it started, also what holds its output open', async () => {
    const began = performance.now();
    await runHarness(
      orderWith({ before: 'sleep 600 & sleep 601 & setsid sleep 604 & sleep 602' }, { hook_timeout_ms: 300 }),
      bench.deps(),
    );

    expect(performance.now() - began).toBeLessThan(30_000);
    expect(report().body).toContain('it was ended after 300 ms');
    const left = taggedProcesses(new Set([PROCESS])).map(({ pid }) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
    );
    expect(left).toEqual([]);
  });

  it('W16 what a hook says is cut in the log', async () => {
    await runHarness(
      orderWith({ before: 'yes 0123456789 | head -c 400000; echo the end; exit 1' }),
      bench.deps(),
    );

    expect(log().length).toBeLessThan(60_000);
    expect(log()).toMatch(/… 36\d{4} characters more/);
    expect(report().body).toContain('the end');
    expect(report().body.length).toBeLessThan(8000);
  });

  it('come from the order alone, never from the repository', async () => {
    mkdirSync(join(bench.worktree, '.caloron'), { recursive: true });
    const hooks = { workspace: { hooks: { before_run: ['touch', join(bench.root, 'ran')] } } };
    writeFileSync(join(bench.worktree, 'caloron.json'), JSON.stringify(hooks));
    await agent(put('agent'));

    await runHarness(bench.order(), bench.deps());

    expect(lines()).toEqual(['agent']);
    expect(() => readFileSync(join(bench.root, 'ran'))).toThrow('ENOENT');
  });
});
