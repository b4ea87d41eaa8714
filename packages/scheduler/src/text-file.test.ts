import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadGraph } from './runtime.ts';
import { readTextFile } from './text-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-text-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const written = (bytes: Buffer | string): string => {
  const file = join(dir, 'file.json');
  writeFileSync(file, bytes);
  return file;
};

describe('a text file', () => {
  it('is read without its byte order mark', () => {
    expect(readTextFile(written('\uFEFF{"a":"é🦊"}'))).toBe('{"a":"é🦊"}');
  });

  it('that is no UTF-8 is refused, and so is a graph: its texts would become others', () => {
    const file = written(Buffer.from([0x7b, 0xff, 0x7d]));
    expect(() => readTextFile(file)).toThrow('it is not UTF-8 text');
    expect(() => loadGraph(file)).toThrow(
      expect.objectContaining({
        code: 'SCHEDULER_GRAPH_MISSING',
        message: `cannot read the graph ${file}: it is not UTF-8 text`,
        hint: undefined,
      }) as Error,
    );
  });
});

describe('what is no file', () => {
  it('is refused at once: a pipe nobody writes to, a device without an end', async () => {
    const pipe = join(dir, 'pipe.json');
    await execa('mkfifo', [pipe]);

    expect(() => readTextFile(pipe)).toThrow('it is a pipe, not a file');
    expect(() => readTextFile('/dev/zero')).toThrow('it is a device, not a file');
    expect(() => loadGraph(pipe)).toThrow(
      expect.objectContaining({
        message: `cannot read the graph ${pipe}: it is a pipe, not a file`,
      }) as Error,
    );
  });

  it('is read where the caller opened it for the process', async () => {
    const read = `import { readTextFile } from '${import.meta.dirname}/text-file.ts';
      process.stdout.write(readTextFile('/dev/stdin'));`;
    const { stdout } = await execa(
      'sh',
      ['-c', 'printf %s "$1" | "$2" --input-type=module --eval "$3"'].concat(
        'sh',
        '{"a":1}',
        process.execPath,
        read,
      ),
    );
    expect(stdout).toBe('{"a":1}');
  });
});

describe('a graph that cannot be read', () => {
  it('S27 because there is none is told where paths count from', () => {
    expect(() => loadGraph(join(dir, 'none.json'))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('working directory') as string }) as Error,
    );
  });

  it('because it is a directory is told that alone', () => {
    expect(() => loadGraph(dir)).toThrow(
      expect.objectContaining({
        message: `cannot read the graph ${dir}: it is a directory`,
        hint: undefined,
      }) as Error,
    );
  });
});

describe('a graph that is none', () => {
  it('names the command that checks it as a shell takes it', () => {
    const file = join(dir, 'my graph.json');
    writeFileSync(file, '{');
    expect(() => loadGraph(file)).toThrow(
      expect.objectContaining({
        hint: `correct it; ./noether check '${file}' tells when it is right`,
      }) as Error,
    );
  });
});
