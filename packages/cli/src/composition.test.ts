import type { CheckProblem, RunResult } from '@caloron/noether';
import { describe, expect, it } from 'vitest';

import { mustBeMade, mustRun } from './composition.ts';

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

  it('says that another has what it needs, where that left it out', () => {
    const output = { status: 'skipped', reason: 'another run holds the lease retro:s' };
    const made: RunResult = { ok: true, status: 'ok', ...run, output, effects: [], warnings: [] };

    expect(mustBeMade(made, 'retro')).toBe(made);
    expect(() => mustBeMade({ ...made, status: 'skipped' }, 'retro of sprint s')).toThrow(
      expect.objectContaining({
        code: 'CLI_BUSY',
        message: expect.stringMatching(/^another retro of sprint s is running; .* 30 seconds/) as string,
        hint: 'give this command again then',
      }) as Error,
    );
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

  it.each([
    [{}, 'sprint s-1 is open (at root.a)'],
    [{ places: true }, 'sprint s-1 is open (at root.a)'],
    [{ places: false }, 'sprint s-1 is open'],
  ])('and names what a stage said before its place, or alone, with %j', (places, message) => {
    const said = 'sprint s-1 is open';
    const error = { code: 'X', message: `root.a: stage load failed: ${said}`, said, path: 'root.a' };
    expect(() => mustRun(failed('skipped', error), { ...at, ...places })).toThrow(
      expect.objectContaining({ code: 'CLI_RUN_FAILED', message }) as Error,
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

  it('asked for a credential nobody gave is told how one is given', () => {
    const error = { code: 'STAGE_CREDENTIAL_MISSING', message: 'no', path: 'root' };
    expect(() => mustRun(failed('failed', error), at)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('CALORON_TOKEN_ENVS') as string }) as Error,
    );
  });

  it('was refused names the graph as a shell takes it', () => {
    const error = { code: 'GRAPH_INPUT_INVALID', message: 'no', path: 'input' };
    expect(() => mustRun(failed('refused', error), { ...at, graph: '/my lib/tick.json' })).toThrow(
      expect.objectContaining({ hint: "./noether check '/my lib/tick.json'" }) as Error,
    );
  });

  it.each([
    [['GRAPH_INPUT_INVALID'], './noether check tick.json shows the input it takes'],
    [
      ['GRAPH_POLICY_INVALID', 'GRAPH_POLICY_REFUSED'],
      'correct the word in --allow-effects or --allow-hosts, or in the policy of the graph',
    ],
    [
      ['GRAPH_POLICY_REFUSED'],
      'grant it with --allow-effects, --allow-capabilities or --allow-hosts, or in the policy of the graph',
    ],
    [['GRAPH_TYPE_MISMATCH', 'GRAPH_INPUT_INVALID'], './noether check tick.json'],
  ] as const)('was refused for %j is told what helps', (codes, hint) => {
    const problems = codes.map((code) => ({ ...problem('root', 'wrong'), code }));
    const error = { code: 'GRAPH_REFUSED', message: 'no', path: 'root', problems };
    expect(() => mustRun(failed('refused', error), at)).toThrow(expect.objectContaining({ hint }) as Error);
  });
});
