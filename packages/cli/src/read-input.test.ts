import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readInput } from './read-input.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron input-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function written(name: string, bytes: string | Buffer): string {
  const file = join(dir, name);
  writeFileSync(file, bytes);
  return file;
}

function refusal(text: string): { readonly code: string; readonly message: string; readonly hint: string } {
  try {
    readInput(text);
  } catch (error) {
    return error as never;
  }
  throw new Error(`${text} was taken`);
}

describe('an input', () => {
  it('is JSON, or that of a file, or nothing', () => {
    const file = written('input.json', '{"b":2}');

    expect([readInput('{"a":1}'), readInput(`@${file}`), readInput(undefined)]).toEqual([
      { a: 1 },
      { b: 2 },
      {},
    ]);
  });

  it('of a file may begin with a byte order mark, as a graph may', () => {
    expect(readInput(`@${written('bom.json', '\uFEFF{"b":2}')}`)).toEqual({ b: 2 });
  });

  it('that is the name of a file is told how a file is given, as a shell takes it', () => {
    const file = written('input.json', '{"b":2}');
    expect(refusal(file).hint).toBe(`--input @'${file}' reads the file`);
  });

  it('that is no JSON is told the line and column, on the command line and in a file', () => {
    expect(refusal('{"a":1,\n "b": tru}')).toMatchObject({
      code: 'CLI_INPUT_INVALID',
      message: '--input cannot be read as JSON: line 2, column 7: expected a value',
      hint: expect.stringContaining("--input '") as string,
    });
    const file = written('bad.json', '{"a":1,\n "b": tru}');
    expect(refusal(`@${file}`)).toMatchObject({
      message: `--input cannot be read as JSON: ${file}: line 2, column 7: expected a value`,
      hint: `correct it; --input @'${file}' reads it again`,
    });
  });

  it('that is empty, no text or not there says so in words', () => {
    const reasons = [
      '',
      `@${written('empty', ' \n')}`,
      `@${written('bytes', Buffer.from([0x22, 0xff, 0x22]))}`,
    ];
    expect([...reasons, `@${dir}/none`, `@${dir}`, '@'].map((text) => refusal(text).message)).toEqual([
      '--input cannot be read as JSON: there is nothing in it',
      `--input cannot be read as JSON: ${dir}/empty: there is nothing in it`,
      `--input cannot be read as JSON: ${dir}/bytes: it is not UTF-8 text`,
      `--input cannot be read as JSON: ${dir}/none: there is no such file`,
      `--input cannot be read as JSON: ${dir}: it is a directory`,
      '--input cannot be read as JSON: @ names no file',
    ]);
  });
});
