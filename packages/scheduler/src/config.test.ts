import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readConfig } from './config.ts';

const job = { name: 'sprint-tick', cron: '* * * * *', graph: 'compositions/sprint_tick.json' };

describe('a scheduler config', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-config-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const write = (value: unknown, path = join(dir, 'scheduler.json')): string => {
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
    return path;
  };
  const problems = (value: unknown): unknown => {
    try {
      readConfig(write(value), dir);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  it('falls back to .noether/store.json when neither store is named', () => {
    expect(readConfig(write({ jobs: [] }), dir).store_path).toBe(join(dir, '.noether', 'store.json'));
  });

  it('fills every optional field of a job', () => {
    const { jobs } = readConfig(write({ jobs: [job] }), dir);

    expect(jobs).toEqual([
      {
        ...job,
        graph: join(dir, job.graph),
        input: null,
        input_key: null,
        webhook: null,
        on: [],
        timezone: null,
        timeout_s: null,
        enabled: true,
      },
    ]);
  });

  it('looks for paths in the working directory first and then beside the config, and warns when both exist', () => {
    const folder = join(dir, 'etc');
    const here = join(dir, 'work');
    mkdirSync(folder);
    mkdirSync(here);
    const path = write({ jobs: [{ ...job, graph: 'g.json' }] }, join(folder, 'scheduler.json'));
    writeFileSync(join(folder, 'g.json'), '{}');

    expect(readConfig(path, here).jobs[0]?.graph).toBe(join(folder, 'g.json'));

    writeFileSync(join(here, 'g.json'), '{}');
    const both = readConfig(path, here);

    expect(both.jobs[0]?.graph).toBe(join(here, 'g.json'));
    expect(both.warnings).toEqual([expect.stringContaining('g.json exists')]);
  });

  it('says that a missing file counts from the working directory', () => {
    expect(() => readConfig('nowhere.json', dir)).toThrow(
      expect.objectContaining({
        code: 'SCHEDULER_CONFIG_MISSING',
        hint: expect.stringContaining('working directory') as string,
      }),
    );
  });

  it('names line and column of a trailing comma', () => {
    expect(problems('{\n  "jobs": [],\n}')).toMatchObject({
      code: 'SCHEDULER_CONFIG_INVALID',
      message: expect.stringMatching(/line 3 column 1/) as string,
    });
  });

  it('lists every problem at once', () => {
    const error = problems({
      store_path: 'a',
      registry_url: 'https://registry.example.com',
      jobs: [
        job,
        { ...job, cron: '61 * * * *', input: {}, input_from: 'kv:x' },
        { ...job, name: 'x', cron: '@daily' },
        { ...job, name: 'y', timezone: 'Mars/Base' },
      ],
    });

    expect(error).toMatchObject({
      details: {
        problems: [
          expect.stringContaining('exactly one') as string,
          expect.stringContaining('registry_url') as string,
          expect.stringContaining('another job is called sprint-tick') as string,
          expect.stringContaining('jobs[1].cron') as string,
          expect.stringContaining('not both') as string,
          expect.stringContaining('five fields') as string,
          expect.stringContaining('Mars/Base') as string,
        ],
      },
    });
  });

  it.each([
    ['an unknown key', { jobs: [], webhok: 1 }],
    ['a webhook that is no web address', { jobs: [{ ...job, webhook: 'ftp://x' }] }],
    ['a job without a graph', { jobs: [{ name: 'x', cron: '* * * * *' }] }],
    ['no jobs', {}],
  ])('refuses %s', (_what, value) => {
    expect(problems(value)).toMatchObject({ code: 'SCHEDULER_CONFIG_INVALID' });
  });
});
