import { CodedError } from '@caloron/noether/errors';
import { describe, expect, it } from 'vitest';

import { CliError } from './errors.ts';
import { type Answer, exitCodeOf, type Io, jsonText, writeAnswer, writeFailure } from './output.ts';
import { renderTable } from './table.ts';

function recording(): { readonly io: Io; readonly said: { out: string; err: string } } {
  const said = { out: '', err: '' };
  return { said, io: { out: (text) => void (said.out += text), err: (text) => void (said.err += text) } };
}

function failed(kind: 'CLI_RUN_FAILED' | 'CLI_RUN_REFUSED', code: string): CliError {
  const details = { code, message: 'root: no', run_id: 'r1', path: 'root' };
  return new CliError(kind, details, { hint: './noether trace r1' });
}

const answer: Answer = {
  data: { n: 1 },
  text: 'one',
  table: { head: ['name', 'n'], rows: [['a', '1']] },
};

describe('an answer', () => {
  it('is text for people, an envelope for programs, a table when asked, on stdout alone', async () => {
    const written: string[] = [];
    for (const format of ['text', 'json', 'table'] as const) {
      const { io, said } = recording();
      await writeAnswer(io, 'caloron x', format, answer);
      expect(said.err).toBe('');
      written.push(said.out);
    }

    expect(written[0]).toBe('one\n');
    expect(JSON.parse(written[1] ?? '')).toEqual({
      ok: true,
      command: 'caloron x',
      data: { n: 1 },
      meta: { version: expect.any(String) as string },
    });
    expect(written[2]).toBe('name  n\na     1\n');
  });

  it('without a table is text there too, and without text is silent', async () => {
    const { io, said } = recording();
    await writeAnswer(io, 'caloron x', 'table', { data: null, text: 'one' });
    await writeAnswer(io, 'caloron x', 'text', { data: null, text: '' });

    expect(said.out).toBe('one\n');
  });
});

describe('an answer as JSON', () => {
  it('that is longer than a text can be is a failure that says so', () => {
    const part = 'x'.repeat(2 ** 20);
    const long = Array.from({ length: 600 }, () => part);
    expect(() => jsonText(long)).toThrow(
      expect.objectContaining({ code: 'CLI_OUTPUT_FAILED', hint: expect.any(String) as string }) as Error,
    );
    expect(jsonText({ a: [1] })).toBe('{\n  "a": [\n    1\n  ]\n}');
  });
});

describe('a table', () => {
  it('begins each row at the margin and leaves no blanks at its end', () => {
    const lines = renderTable(
      ['task', 'why'],
      [
        ['first-of-all', ''],
        ['b', 'waits'],
      ],
    ).split('\n');

    expect(lines).toEqual(['task          why', 'first-of-all', 'b             waits']);
  });
});

describe('a failure', () => {
  it('is a sentence with its code and the next step on stderr', () => {
    const { io, said } = recording();
    writeFailure(io, 'caloron tick', 'text', failed('CLI_RUN_FAILED', 'FORGE_UNAVAILABLE'));

    expect(said).toEqual({
      out: '',
      err: 'caloron tick: root: no [FORGE_UNAVAILABLE]\n  next: ./noether trace r1\n',
    });
  });

  it('is an envelope on stdout for JSON, known by the reason of the run', () => {
    const { io, said } = recording();
    writeFailure(io, 'caloron tick', 'json', failed('CLI_RUN_FAILED', 'FORGE_UNAVAILABLE'));

    expect(said.err).toBe('');
    expect(JSON.parse(said.out)).toMatchObject({
      ok: false,
      command: 'caloron tick',
      error: {
        code: 'FORGE_UNAVAILABLE',
        message: 'root: no',
        hint: './noether trace r1',
        path: 'root',
        run_id: 'r1',
      },
    });
  });

  it('of no family of ours still says what happened', () => {
    const { io, said } = recording();
    writeFailure(io, 'caloron tick', 'text', new TypeError('boom'));

    expect(said.err).toBe('caloron tick: boom [UNEXPECTED]\n');
  });
});

describe('an exit code', () => {
  it.each([
    ['bad input', new CliError('CLI_USAGE', { problem: 'no' }), 1],
    ['not found', new CliError('CLI_NO_HOME', { dir: '/x', named: true }), 1],
    ['a code of another family', new CodedError<{ A_B: object }>('A_B', {}, 'no'), 1],
    ['what may succeed later', new CodedError<{ A_B: object }>('A_B', {}, 'busy', { retryable: true }), 3],
    ['refused before running', failed('CLI_RUN_REFUSED', 'GRAPH_TYPE_MISMATCH'), 2],
    ['failed while running', failed('CLI_RUN_FAILED', 'FORGE_UNAVAILABLE'), 3],
    ['a run that was given a sprint nobody knows', failed('CLI_RUN_FAILED', 'SPRINT_UNKNOWN'), 1],
    ['a run without its token variable', failed('CLI_RUN_FAILED', 'FORGE_TOKEN_MISSING'), 1],
    [
      'a service that did not start',
      new CliError('CLI_SERVICE_FAILED', { service: 'caloron-shell', reason: 'x', log: 'y' }),
      3,
    ],
    ['anything else', new Error('boom'), 3],
  ])('of %s', (_what, error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});
