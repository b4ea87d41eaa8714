import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { must, run, serve, type Serving, temporaryDirectory, writeText } from '../support/bins.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const WITHIN = { timeout: 10_000 };
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
    expect(stderr).toMatch(/jobs\[1\]\.graph: cannot read the graph .*nowhere\.json: there is no such file/);
    expect(stderr).not.toMatch(/jobs\[2\]/);
  });

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
