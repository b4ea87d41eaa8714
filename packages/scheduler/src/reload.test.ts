import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createLoggerTo } from '@caloron/capabilities/logger';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { readConfig } from './config.ts';
import { watchConfig } from './reload.ts';

const WITHIN = { timeout: 30_000 };

describe('a config that changes while it is in use', () => {
  let dir: string;
  let file: string;
  let taken: (readonly string[])[];
  let told: string[];
  let end: () => void;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-reload-'));
    file = join(dir, 'scheduler.json');
    taken = [];
    told = [];
    writeFileSync(file, text('one'));
    const logger = createLoggerTo(
      { name: 'test', level: 'info' },
      { write: (line: string) => void told.push(line) },
    );
    end = watchConfig({
      config: readConfig(file, dir),
      cwd: dir,
      logger,
      apply: ({ jobs }) => void taken.push(jobs.map(({ name }) => name)),
    });
  });
  afterEach(() => {
    end();
    rmSync(dir, { recursive: true, force: true });
  });

  const text = (...names: readonly string[]): string =>
    JSON.stringify({ jobs: names.map((name) => ({ name, cron: '* * * * *', graph: 'g.json' })) });
  const refusals = (): number =>
    told.filter((line) => line.includes('the last good one stays in use')).length;
  const refused = (count: number): Promise<void> => vi.waitFor(() => expect(refusals()).toBe(count), WITHIN);
  const are = (...all: readonly (readonly string[])[]): Promise<void> =>
    vi.waitFor(() => expect(taken).toEqual(all), WITHIN);

  it('is taken, also by rename; one that is wrong, removed or a folder is told once and not taken', async () => {
    writeFileSync(file, '{"jobs": [');
    await refused(1);
    writeFileSync(file, text('two'));
    await are(['two']);
    rmSync(file);
    await refused(2);
    mkdirSync(file);
    rmSync(file, { recursive: true });
    writeFileSync(join(dir, 'new.json'), text('three'));
    renameSync(join(dir, 'new.json'), file);

    await are(['two'], ['three']);
    expect(refusals()).toBe(2);
  });

  it('is taken again where the good one comes back as it was', async () => {
    writeFileSync(file, text('one', 'one'));
    await refused(1);
    expect(told.join('')).toContain('another job is called');
    writeFileSync(file, text('one'));

    await are(['one']);
  });
});
