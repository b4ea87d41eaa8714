import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { runHarness } from './harness.ts';
import { parseVerdict } from './reviewer.ts';
import { tailOf } from './verify.ts';

describe('a verdict', () => {
  it.each([
    ['fine\nAPPROVED', { outcome: 'approved', body: 'fine' }],
    ['**APPROVED**\n', { outcome: 'approved', body: '' }],
    ['why\nCHANGES_REQUESTED: no tests', { outcome: 'changes_requested', body: 'no tests\n\nwhy' }],
    ['`CHANGES_REQUESTED`: x', { outcome: 'changes_requested', body: 'x' }],
    ['APPROVED\nno:\nCHANGES_REQUESTED: x', { outcome: 'changes_requested', body: 'x\n\nAPPROVED\nno:' }],
  ])('%j', (text, verdict) => {
    expect(parseVerdict(text)).toEqual(verdict);
  });

  it.each(['', 'I think it is APPROVED', 'approved', 'APPROVEDLY', 'NOT APPROVED'])('%j is none', (text) => {
    expect(parseVerdict(text)).toBeUndefined();
  });
});

describe('the tail of an output', () => {
  it('is at most 60 lines and 4 kB', () => {
    const lines = Array.from({ length: 100 }, (_, n) => `line ${n}`).join('\n') + '\n';

    expect(tailOf(lines).split('\n')).toHaveLength(61);
    expect(tailOf(lines)).toMatch(/^line 40\n/);
    expect(Buffer.byteLength(tailOf('é'.repeat(10_000)))).toBeLessThanOrEqual(4096);
    expect(tailOf('short\n')).toBe('short\n');
  });
});

describe('a reviewing model', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await createBench();
  });
  afterEach(async () => bench.close());

  /** A `claude` on PATH that notes its prompt and answers as the real one does. */
  async function review(result: string, verify: string[][]): Promise<void> {
    const bin = join(bench.root, 'bin');
    await mkdir(bin);
    const said = JSON.stringify({ type: 'result', result, usage: { input_tokens: 10, output_tokens: 5 } });
    const script = `#!/bin/sh\ncat > ${bench.root}/asked\ncat <<'END'\n${said}\nEND\n`;
    await writeFile(join(bin, 'claude'), script);
    await chmod(join(bin, 'claude'), 0o755);
    const order = bench.order({ role: 'reviewer', mode: 'review', head_sha: bench.base_sha, verify });
    const { config } = bench.deps();
    const env = { PATH: `${bin}:${config.env['PATH'] ?? ''}` };
    await runHarness({ ...order, framework: { name: 'claude-code', options: {} } }, bench.deps({ env }));
  }

  it('is asked after the commands passed, and decides', async () => {
    await review('The test is missing.\nCHANGES_REQUESTED: add a test', [['true']]);

    expect(bench.shell.reports).toMatchObject([
      { outcome: 'changes_requested', tokens_used: 15, receipt: { exit_code: 0 } },
    ]);
    expect(bench.shell.reports[0]?.body).toMatch(/^add a test\n\nThe test is missing\./);
  });

  it('is not asked when a command failed', async () => {
    await review('APPROVED', [['false']]);

    expect(bench.shell.reports).toMatchObject([{ outcome: 'changes_requested', tokens_used: 0 }]);
  });

  it('fails without a verdict: none is guessed', async () => {
    await review('Looks good to me!', [['true']]);

    expect(bench.shell.reports).toMatchObject([{ outcome: 'failed' }]);
    expect(bench.shell.reports[0]?.body).toContain('HARNESS_VERDICT_MISSING');
    expect(bench.shell.reports[0]?.body).toContain('Looks good to me!');
  });
});
