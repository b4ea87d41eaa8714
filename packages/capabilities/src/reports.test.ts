import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createReports } from './reports.ts';

let dir = '';

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'caloron-reports-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

describe('a report', () => {
  it('replaces the one before and leaves nothing else behind', async () => {
    const reports = createReports({ dir: path.join(dir, 'reports') });

    await reports.write('s1', '# first\n');
    const { path: file } = await reports.write('s1', '# second\n');

    expect(file).toBe(path.join(dir, 'reports', 's1.md'));
    expect(await readFile(file, 'utf8')).toBe('# second\n');
    expect(await readdir(path.join(dir, 'reports'))).toEqual(['s1.md']);
  });

  it.each(['../s1', 'S1', '', 'a/b'])('is refused for the sprint id %j', async (sprint_id) => {
    await expect(createReports({ dir }).write(sprint_id, 'x')).rejects.toThrow('expected an id');
    expect(await readdir(dir)).toEqual([]);
  });

  it('that cannot be written is REPORT_UNWRITABLE', async () => {
    await writeFile(path.join(dir, 'file'), '');

    await expect(createReports({ dir: path.join(dir, 'file') }).write('s1', 'x')).rejects.toMatchObject({
      code: 'REPORT_UNWRITABLE',
    });
  });
});
