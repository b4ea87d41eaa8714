import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openLog } from './log-file.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'caloron-log-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

describe('a log file', () => {
  it('is appended to and readable by its owner only', async () => {
    const file = join(root, 'deep', 'a.log');
    openLog(file).write('one\n');
    openLog(file).write('two\n');

    expect(await readFile(file, 'utf8')).toBe('one\ntwo\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is rotated at its limit, the newest first, the oldest gone', async () => {
    const file = join(root, 'a.log');
    const log = openLog(file, 10);

    for (const n of [1, 2, 3, 4, 5, 6]) log.write(`line ${n}..\n`);
    log.close();

    expect((await readdir(root)).sort()).toEqual(['a.log', 'a.log.1', 'a.log.2', 'a.log.3']);
    expect(await readFile(file, 'utf8')).toBe('line 6..\n');
    expect(await readFile(`${file}.3`, 'utf8')).toBe('line 3..\n');
  });

  it('O4 on a disk that is full stops nobody', () => {
    const log = openLog('/dev/full');

    expect(() => log.write('lost\n')).not.toThrow();
    expect(() => log.close()).not.toThrow();
  });

  it('O4 says what was lost once the disk takes it again', async () => {
    const file = join(root, 'a.log');
    const log = openLog(file, 8);
    log.write('first..\n');
    // Where a rotated file would go is a directory: rotating fails.
    await writeFile(`${file}.2`, '');
    await mkdir(`${file}.3`);
    log.write('lost...\n');
    await rm(`${file}.3`, { recursive: true });
    log.write('again..\n');
    log.close();

    const names = (await readdir(root)).sort();
    const all = await Promise.all(names.map((name) => readFile(join(root, name), 'utf8')));
    expect(all.join('')).toContain('[caloron] the disk did not take 8 bytes of output');
    expect(all.join('')).toContain('again..');
  });

  it('takes nothing once it is closed', async () => {
    const log = openLog(join(root, 'a.log'));
    log.close();
    log.close();
    log.write('late');

    expect(await readFile(join(root, 'a.log'), 'utf8')).toBe('');
  });
});
