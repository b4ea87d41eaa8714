import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CheckProblem, RunResult } from '@caloron/noether';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { mustRun, readInput } from './composition.ts';

type Failed = Extract<RunResult, { ok: false }>;

const run = { run_id: '0123456789abcdef', composition_id: 'c', duration_ms: 1 };
const at = { graph: 'tick.json', home_flag: ' --home h' };

function failed(status: Failed['status'], error: Failed['error']): Failed {
  return { ok: false, status, ...run, error };
}

function problem(path: string, message: string): CheckProblem {
  const code = 'GRAPH_TYPE_MISMATCH';
  return { path, code, kind: code, message, expected: null, actual: null, nearest: null };
}

describe('a run that must go well', () => {
  it('gives its output', () => {
    const ok: RunResult = { ok: true, status: 'ok', ...run, output: 1, effects: [], warnings: [] };

    expect(mustRun(ok, at)).toBe(ok);
  });

  it.each([
    ['root.a: it failed', 'root.a', 'root.a: it failed'],
    ['it failed', 'root.a', 'root.a: it failed'],
    ['root.a: root.a: it failed', 'root.a', 'root.a: it failed'],
    ['it failed', null, 'it failed'],
  ])('and says %j at %j names the place once', (message, path, said) => {
    expect(() => mustRun(failed('failed', { code: 'STAGE_FAILED', message, path }), at)).toThrow(
      expect.objectContaining({ code: 'CLI_RUN_FAILED', message: said }) as Error,
    );
  });

  it('but failed points at its trace, unless the failure knows better', () => {
    const error = { code: 'STAGE_FAILED', message: 'no', path: 'root' };

    expect(() => mustRun(failed('failed', error), at)).toThrow(
      expect.objectContaining({ hint: './noether trace 01234567 --home h' }) as Error,
    );
    expect(() => mustRun(failed('failed', { ...error, hint: 'export X=…' }), at)).toThrow(
      expect.objectContaining({ hint: 'export X=…' }) as Error,
    );
  });

  it('but was refused lists every problem and points at the check', () => {
    const problems = [problem('root.a', 'root.a: wrong'), problem('root.b', 'missing')];
    const error = { code: 'GRAPH_REFUSED', message: 'the graph has 2 problems: …', path: 'root.a', problems };

    expect(() => mustRun(failed('refused', error), at)).toThrow(
      expect.objectContaining({
        code: 'CLI_RUN_REFUSED',
        message:
          'the graph has 2 problems:\n  root.a: wrong [GRAPH_TYPE_MISMATCH]\n  root.b: missing [GRAPH_TYPE_MISMATCH]',
        hint: './noether check tick.json',
      }) as Error,
    );
  });
});

describe('an input', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-input-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is JSON, or that of a file, or nothing', () => {
    const file = join(dir, 'input.json');
    writeFileSync(file, '{"b":2}');

    expect([readInput('{"a":1}'), readInput(`@${file}`), readInput(undefined)]).toEqual([
      { a: 1 },
      { b: 2 },
      {},
    ]);
  });

  it('that is the name of a file is told how a file is given', () => {
    const file = join(dir, 'input.json');
    writeFileSync(file, '{"b":2}');
    expect(() => readInput(file)).toThrow(
      expect.objectContaining({ hint: `--input @${file} reads the file` }) as Error,
    );
  });

  it.each(['{', '@/no/such/file'])('that is %j is refused with an example', (text) => {
    expect(() => readInput(text)).toThrow(
      expect.objectContaining({
        code: 'CLI_INPUT_INVALID',
        hint: expect.stringContaining('--input') as string,
      }) as Error,
    );
  });
});
