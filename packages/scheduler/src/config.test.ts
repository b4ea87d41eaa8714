import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readConfig, SchedulerFile } from './config.ts';

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

  it('S9 S11 falls back to .noether/store.json when neither store is named', () => {
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
        jitter_s: 0,
        overlap: 'skip',
        misfire: 'skip',
        enabled: true,
      },
    ]);
  });

  it('S27 looks for paths in the working directory first and then beside the config, and warns when both exist', () => {
    const folder = join(dir, 'etc');
    const here = join(dir, 'work');
    mkdirSync(folder);
    mkdirSync(here);
    const jobs = ['a', 'b'].map((name) => ({ ...job, name, graph: 'g.json' }));
    const path = write({ jobs }, join(folder, 'scheduler.json'));
    writeFileSync(join(folder, 'g.json'), '{}');

    expect(readConfig(path, here).jobs[0]?.graph).toBe(join(folder, 'g.json'));

    writeFileSync(join(here, 'g.json'), '{}');
    const both = readConfig(path, here);

    expect(both.jobs[0]?.graph).toBe(join(here, 'g.json'));
    expect(both.warnings).toEqual([expect.stringContaining('g.json exists')]);
  });

  it('S25 says that a missing file counts from the working directory', () => {
    expect(() => readConfig('nowhere.json', dir)).toThrow(
      expect.objectContaining({
        code: 'SCHEDULER_CONFIG_MISSING',
        hint: expect.stringContaining('working directory') as string,
      }),
    );
  });

  const told = (value: unknown): readonly string[] =>
    (problems(value) as { readonly details: { readonly problems: readonly string[] } }).details.problems;

  it.each([
    ['{\n  "jobs": [],\n}', 'line 3 column 1: there is a comma before this }; remove it'],
    ['{"jobs": [1,]}', 'line 1 column 13: there is a comma before this ]; remove it'],
    ['{"jobs": []\n "scheduler_id": "a"}', 'line 2 column 2: expected a comma between two values'],
    ['{"jobs": [\r\n', 'line 2 column 1: expected ] here'],
    ['// jobs\n{"jobs": []}', 'line 1 column 1: JSON has no comments'],
    ["{'jobs': []}", 'line 1 column 2'],
    ['{"jobs": []} x', 'line 1 column 14'],
    ['{"jobs": [], "jobs": []}', 'line 1 column 14: the field "jobs" is written twice'],
    ['', 'the file is empty'],
    [' \n', 'the file is empty'],
  ])('S26 names line and column of what is no JSON: %j', (text, expected) => {
    expect(told(text)).toContainEqual(expect.stringContaining(expected));
  });

  it('that begins with a byte order mark is read', () => {
    expect(readConfig(write('\uFEFF{"jobs": []}'), dir).jobs).toEqual([]);
  });

  it.each(['null', '[]', '"x"', '1'])('that is %s is told what was expected', (text) => {
    expect(told(text)).toEqual([expect.stringMatching(/^the file: .*expected object/)]);
  });

  it('that is a directory is said to be one', () => {
    expect(() => readConfig(dir, dir)).toThrow(/Failed to read config from .*: it is a directory/);
  });

  it('lists every problem at once, of each kind', () => {
    const found = told({
      store_path: 'a',
      registry_url: 'https://registry.example.com',
      webhok: 1,
      jobs: [
        job,
        { ...job, cron: '61 * * * *', input: {}, input_from: 'kv:x' },
        { ...job, name: 'x', cron: '@daily' },
        { ...job, name: 'y', timezone: 'Mars/Base', cron: '0 * * * * *' },
        { ...job, name: 'z', webhook: 'ftp://x', timout_s: 1 },
        { ...job, name: 7, graph: '', overlap: 'cancel', misfire: 'twice', timeout_s: -1, jitter_s: 1e9 },
      ],
    });

    const expected = [
      /^the file: there is no field "webhok"; known are /,
      /^jobs\[1\]\.cron: minute: 61 is outside 0 to 59$/,
      /^jobs\[2\]\.cron: expected five fields .* write "0 0 \* \* \*"$/,
      /^jobs\[3\]\.cron: expected five fields .* got 6/,
      /^jobs\[3\]\.timezone: expected an IANA zone like Europe\/Madrid$/,
      /^jobs\[4\]\.webhook: .*expected .*address/,
      /^jobs\[4\]: there is no field "timout_s"; did you mean "timeout_s"\?$/,
      /^jobs\[5\]\.name: expected string, got number$/,
      /^jobs\[5\]\.graph: expected the path of a graph$/,
      /^jobs\[5\]\.overlap: expected "skip" or "queue"$/,
      /^jobs\[5\]\.misfire: expected "skip" or "once"$/,
      /^jobs\[5\]\.timeout_s: expected seconds, more than 0$/,
      /^jobs\[5\]\.jitter_s: expected at most 86400 seconds$/,
      /^store_path, registry_url: expected exactly one of them$/,
      /^jobs\[1\]\.name: another job is called "sprint-tick": jobs\[0\]$/,
      /^jobs\[1\]: expected input or input_from, not both$/,
    ];
    for (const text of expected) expect(found).toContainEqual(expect.stringMatching(text));
  });

  it.each([
    [
      'nested deeper than anything means',
      '['.repeat(100_000),
      /^line 1 column 501: expected at most 500 levels$/,
    ],
    [
      'of an input that is',
      JSON.stringify({
        jobs: [{ ...job, input: JSON.parse(`${'['.repeat(600)}${']'.repeat(600)}`) as unknown }],
      }),
      /^line 1 column \d+: expected at most 500 levels$/,
    ],
    [
      'of more jobs than a scheduler takes',
      `{"jobs": [${'{},'.repeat(10_000)}{}]}`,
      /^jobs: expected at most 10000, got 10001$/,
    ],
    [
      'of a name nobody can read',
      { jobs: [{ ...job, name: 'x'.repeat(10_000) }] },
      /^jobs\[0\]\.name: expected at most 200 characters$/,
    ],
    [
      'of a name that colours a terminal',
      { jobs: [{ ...job, name: 'a\u001B[31m' }] },
      /^jobs\[0\]\.name: .*control characters$/,
    ],
    ['of a name of spaces', { jobs: [{ ...job, name: ' ' }] }, /^jobs\[0\]\.name: expected a name$/],
    [
      'of a secret in a wrong place',
      { registry_api_key: ['hidden'], jobs: [] },
      /^registry_api_key: expected string, got a list$/,
    ],
    [
      'without a field',
      { jobs: [{ ...job, cron: undefined }] },
      /^jobs\[0\]\.cron: missing: expected string$/,
    ],
  ])('%s is told in one line', (_what, value, expected) => {
    expect(told(value)).toEqual([expect.stringMatching(expected)]);
  });

  it('of 10 MB is read', () => {
    const jobs = Array.from({ length: 100 }, (_, n) => ({
      ...job,
      name: `n${n}`,
      input: 'x'.repeat(100_000),
    }));
    expect(readConfig(write({ jobs }), dir).jobs).toHaveLength(100);
  });

  it('of very many problems tells the first hundred and how many there are', () => {
    const found = told({ jobs: Array.from({ length: 1_000 }, () => 7) });
    expect([found.length, found.at(-1)]).toEqual([101, 'and 900 more']);
  });

  it('of whatever text is read, or refused with problems that say their place', () => {
    const any = fc.jsonValue({ maxDepth: 3 });
    const job_of = fc.dictionary(
      fc.constantFrom(...Object.keys(SchedulerFile.shape.jobs.element.shape), '__proto__', 'toString'),
      any,
    );
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record(
          { jobs: fc.array(fc.oneof(job_of, any)), store_path: any, registry_url: any, $schema: any },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (written) => {
        const error = problems(written) as
          { readonly code: string; readonly details: { readonly problems: readonly string[] } } | undefined;
        if (error === undefined) return;
        expect(error.code).toBe('SCHEDULER_CONFIG_INVALID');
        for (const problem of error.details.problems)
          expect(problem).toMatch(
            /^(the file|line \d+ column \d+|[a-z$_]+(\[\d+\])?[^:]*|and \d+ more)(: .|$| is)/su,
          );
      }),
      { numRuns: 300 },
    );
  });

  it('with keys that every object has is told of them as of others', () => {
    const text = `{"__proto__": 1, "jobs": [{"__proto__": {"enabled": false}, "constructor": 1, "name": "a", "cron": "* * * * *", "graph": "g.json"}]}`;
    expect(told(text)).toEqual([
      expect.stringMatching(/^jobs\[0\]: there is no field "__proto__"/),
      expect.stringMatching(/^jobs\[0\]: there is no field "constructor"/),
      expect.stringMatching(/^the file: there is no field "__proto__"/),
    ]);
  });

  it.each([
    ['is a directory', () => dir, /: it is a directory$/, /--config PATH names the file/],
    ['is a device', () => '/dev/null', /: it is a device, not a file$/, /--config PATH names the file/],
    ['is no path', () => 'a\0b', /: this is no path$/, /--config PATH names the file/],
    ['lies below a file', () => join(write('{}'), 'x.json'), /: there is no such file$/, /working directory/],
  ])('that %s is told with the next step', (_what, path, message, hint) => {
    expect(() => readConfig(path(), dir)).toThrow(
      expect.objectContaining({
        code: 'SCHEDULER_CONFIG_MISSING',
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(hint) as string,
      }),
    );
  });

  it.each([
    ['a job without a graph', { jobs: [{ name: 'x', cron: '* * * * *' }] }, 'jobs[0].graph: '],
    ['no jobs', {}, 'jobs: '],
    ['jobs that are no list', { jobs: {} }, 'jobs: '],
    ['a job that is no record', { jobs: [null] }, 'jobs[0]: '],
    [
      'a name twice among the names of all objects',
      { jobs: [{ ...job, __proto__: 1, name: '' }] },
      'jobs[0].name',
    ],
  ])('refuses %s and names the place', (_what, value, place) => {
    expect(told(value).join('\n')).toContain(place);
  });
});
