import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  environment,
  must,
  run,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from '../support/bins.ts';
import { ROOT } from '../support/tree.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const WITHIN = { timeout: 30_000 };
const TICK = join(ROOT, 'compositions/sprint_tick.json');
const NEVER = '0 0 1 1 *';

describe('noether-scheduler', () => {
  let dir: string;
  let running: Serving | undefined;

  beforeAll(async () => {
    dir = temporaryDirectory();
    await must('noether', ['stage', 'sync', '--store', '.noether/store.json'], { cwd: dir });
    graph('good.json', { op: 'Const', value: 1 });
    graph('wrong.json', { op: 'Stage', id: 'text_uper' });
  });
  beforeEach(() => {
    running = undefined;
  });
  afterEach(async () => {
    await running?.stop();
  });
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  const graph = (name: string, root: unknown): void =>
    writeText(join(dir, name), JSON.stringify({ description: 'test', version: '0.1.0', root }));
  const config = (jobs: readonly unknown[] | string, name = 'scheduler.json'): void =>
    writeText(join(dir, name), typeof jobs === 'string' ? jobs : JSON.stringify({ jobs }));
  const jobs = async (url: string): Promise<readonly { readonly name: string }[]> => {
    const response = await fetch(`${url}/jobs`);
    return ((await response.json()) as { jobs: readonly { name: string }[] }).jobs;
  };

  if (SLOW)
    it('S4 S5 is called in three forms, all the same, and tells how', async () => {
      config([{ name: 'yearly', cron: NEVER, graph: 'good.json' }]);
      const forms = [['--config', 'scheduler.json'], ['scheduler.json'], []];
      const told = await Promise.all(
        forms.map((form) => must('noether-scheduler', ['--check', ...form], { cwd: dir })),
      );
      expect(told[0]).toMatch(/^yearly: 0 0 1 1 \* in /);
      expect(new Set(told).size).toBe(1);

      const help = await must('noether-scheduler', ['--help'], { cwd: dir });
      for (const word of ['[config]', '--config', './scheduler.json', '--check', '--run'])
        expect(help).toContain(word);
    });

  if (SLOW)
    it('S21 S24 reckons by TZ, logs as RUST_LOG says, and leaves the stage store as it is', async () => {
      config([{ name: 'nine', cron: '0 9 * * *', graph: 'good.json' }]);
      const store = join(dir, '.noether/store.json');
      const before = readFileSync(store, 'utf8');
      const env = environment({ TZ: 'Asia/Tokyo', RUST_LOG: 'noether_scheduler=error' });

      expect(await must('noether-scheduler', ['--check'], { cwd: dir, env })).toMatch(
        /T00:00:00Z {2}.*09:00/,
      );
      running = await serve('noether-scheduler', [], { cwd: dir, env });
      const response = await fetch(`${running.url}/jobs`);
      expect(await response.json()).toMatchObject({
        jobs: [{ next_at: expect.stringMatching(/T00:00:00/) as string }],
      });
      expect(await running.stop()).toBe(0);
      expect(running.log()).toBe('');
      running = undefined;
      expect(readFileSync(store, 'utf8')).toBe(before);
    });

  if (SLOW)
    it('--check lists the next five fires of each job', async () => {
      config([
        {
          name: 'a',
          cron: '30 2 * * *',
          timezone: 'Asia/Tokyo',
          graph: 'good.json',
          on: ['sprint.completed'],
        },
        { name: 'b', cron: '* * * * *', graph: 'good.json', enabled: false },
      ]);
      const none = await must('noether-scheduler', ['--check'], { cwd: dir });

      const lines = none.split('\n');
      expect(lines).toHaveLength(12);
      expect(lines[0]).toBe('a: 30 2 * * * in Asia/Tokyo, and on sprint.completed');
      for (const line of lines.slice(1, 6))
        expect(line).toMatch(/^ {2}\S+T17:30:00Z {2}\w+ \d\d \w+, 02:30$/);
      expect(lines[6]).toMatch(/^b: .*disabled/);
    });

  if (SLOW)
    it('--check lists every problem of the graphs at once and exits 1', async () => {
      config(
        [
          { name: 'a', cron: NEVER, graph: 'wrong.json' },
          { name: 'b', cron: NEVER, graph: 'nowhere.json' },
          { name: 'c', cron: NEVER, graph: 'good.json' },
        ],
        'bad.json',
      );
      const { code, stderr, stdout } = await run('noether-scheduler', ['--check', 'bad.json'], { cwd: dir });

      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/jobs\[0\]\.graph: .*wrong\.json: .*text_uper/);
      expect(stderr).toMatch(
        /jobs\[1\]\.graph: cannot read the graph .*nowhere\.json: there is no such file/,
      );
      expect(stderr).not.toMatch(/jobs\[2\]/);
    });

  /** All that is there below the folder. */
  const everything = (): readonly string[] => readdirSync(dir, { recursive: true }).map(String).toSorted();

  it.each([['--check'], ['--port', '0']].slice(0, SLOW ? 2 : 1))(
    'lists the problems of the file and of its graphs at once, by %s, with exit 1, and starts nothing',
    async (...args) => {
      writeText(
        join(dir, 'all.json'),
        JSON.stringify({
          stor_path: 'x',
          jobs: [
            { name: 'a', cron: '61 * * * *', graph: 'good.json' },
            { name: 'a', cron: '0 0 * * * *', graph: 'nowhere.json' },
            { name: 'b', cron: '@daily', graph: 'wrong.json', timezone: 'Mars/Base', webhook: 'ftp://x' },
            { name: 'c', cron: NEVER, graph: TICK, input: { sprint_id: 7, repo: 'o/r' }, inptu: 1 },
            { name: 'd', cron: 5 },
          ],
        }),
      );
      const before = everything();
      const { code, stderr, stdout } = await run('noether-scheduler', [...args, 'all.json'], { cwd: dir });

      expect([code, stdout]).toEqual([1, '']);
      for (const problem of [
        'the file: there is no field "stor_path"; did you mean "store_path"?',
        'jobs[0].cron: minute: 61 is outside 0 to 59',
        'jobs[1].cron: expected five fields (minute hour day month weekday), got 6: "0 0 * * * *"; there is no field for seconds',
        'jobs[2].cron: expected five fields (minute hour day month weekday), got 1: "@daily"; write "0 0 * * *"',
        'jobs[2].timezone: expected an IANA zone like Europe/Madrid',
        'jobs[2].webhook: expected an http or https address',
        'jobs[3]: there is no field "inptu"; did you mean "input"?',
        'jobs[4].cron: expected string, got number',
        'jobs[4].graph: missing: expected string',
        'jobs[1].name: another job is called "a": jobs[0]',
        `jobs[1].graph: cannot read the graph ${join(dir, 'nowhere.json')}: there is no such file`,
        `jobs[2].graph: ${join(dir, 'wrong.json')}: root: no stage is called \`text_uper\`; did you mean`,
        'jobs[3].input.sprint_id: expected ',
      ])
        expect(stderr).toContain(`\n  - ${problem}`);
      expect(stderr.match(/\n {2}- /gu)).toHaveLength(13);
      expect(stderr).toMatch(/\[SCHEDULER_CONFIG_INVALID\]\n {2}next: correct these places/);
      expect(everything()).toEqual(before);
    },
  );

  if (SLOW)
    it.each<[string, (at: string) => unknown, RegExp]>([
      [
        'is missing',
        () => undefined,
        /Failed to read config from .*: there is no such file .*\n {2}next: .*working directory/,
      ],
      ['is a directory', (at) => mkdirSync(at), /Failed to read config from .*: it is a directory/],
      ['is empty', (at) => writeText(at, ''), /- the file is empty; expected \{"jobs": \[\]\}/],
      [
        'is a pipe nobody writes to',
        (at) => execa('mkfifo', [at]),
        /: it is a pipe, not a file .*\n {2}next: --config PATH/,
      ],
      [
        'has CRLF and a comma too many behind a byte order mark',
        (at) => writeText(at, '\uFEFF{\r\n  "jobs": [\r\n  ],\r\n}\r\n'),
        /- line 4 column 1: there is a comma before this \}; remove it/,
      ],
      [
        'is nested without an end',
        (at) => writeText(at, '['.repeat(200_000)),
        /- line 1 column 501: expected at most 500 levels/,
      ],
    ])('of a file that %s says so with exit 1', async (_what, make, expected) => {
      const at = join(dir, `strange-${randomUUID()}.json`);
      await make(at);
      const before = everything();
      const { code, stderr, stdout } = await run('noether-scheduler', ['--config', at], { cwd: dir });

      expect([code, stdout, everything()]).toEqual([1, '', before]);
      expect(stderr).toMatch(expected);
      expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+|UNEXPECTED/);
    });

  if (SLOW)
    it.each([['--check'], ['--port', '0']])(
      'lists a stage store that is missing with the graphs and with a zone nobody knows, by %s',
      async (...args) => {
        const jobs = [{ name: 'a', cron: NEVER, graph: 'wrong.json' }];
        writeText(join(dir, 'lost.json'), JSON.stringify({ store_path: 'nowhere.json', jobs }));
        const told = async (TZ: string): Promise<string> => {
          const env = environment({ TZ });
          const { code, stderr, stdout } = await run('noether-scheduler', [...args, 'lost.json'], {
            cwd: dir,
            env,
          });
          expect([code, stdout]).toEqual([1, '']);
          expect(stderr).toMatch(
            /\n {2}- store_path: no stage store at .*\n {2}- jobs\[0\]\.graph: .*text_uper/u,
          );
          return stderr;
        };
        expect(await told('Europe/Madrid')).not.toContain('TZ');
        expect(await told('Europe/Madird')).toContain('\n  - TZ is "Europe/Madird": expected an IANA zone');
      },
    );

  it('--run fires one job and exits 0, or 3 when it failed', async () => {
    config([
      { name: 'good', cron: NEVER, graph: 'good.json', enabled: false },
      { name: 'wrong', cron: NEVER, graph: 'wrong.json' },
    ]);
    const [good, wrong] = [
      await run('noether-scheduler', ['--run', 'good', '--config', 'scheduler.json'], { cwd: dir }),
      await run('noether-scheduler', ['--run', 'wrong'], { cwd: dir }),
    ];

    expect([good.code, wrong.code]).toEqual([0, 3]);
    expect(JSON.parse(good.stdout)).toMatchObject({ job: 'good', status: 'ok', output: 1 });
    expect(JSON.parse(wrong.stdout)).toMatchObject({ error: { code: 'GRAPH_STAGE_UNKNOWN' } });
  });

  if (SLOW)
    it('starts nothing of a config that is wrong: Invalid scheduler config JSON, with exit 1', async () => {
      config('{"jobs": [],}', 'bad.json');
      const { code, stderr, stdout } = await run('noether-scheduler', ['bad.json'], { cwd: dir });

      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/Invalid scheduler config JSON in .*bad\.json:\n +- line 1 column 13: .*comma/);
    });

  if (SLOW)
    it('takes a changed config while it runs, keeps the last good one, and ends by SIGTERM with exit 0', async () => {
      const one = { name: 'one', cron: NEVER, graph: 'good.json' };
      config([one]);
      running = await serve('noether-scheduler', [], { cwd: dir });
      const { url, log } = running;
      expect((await jobs(url)).map(({ name }) => name)).toEqual(['one']);

      config('{"jobs": [,]}');
      await vi.waitFor(() => expect(log()).toContain('the last good one stays in use'), WITHIN);
      expect((await jobs(url)).map(({ name }) => name)).toEqual(['one']);

      config([one, { name: 'two', cron: NEVER, graph: 'good.json' }]);
      await vi.waitFor(
        async () => expect((await jobs(url)).map(({ name }) => name)).toEqual(['one', 'two']),
        WITHIN,
      );

      expect(await running.stop()).toBe(0);
      running = undefined;
    });
});
