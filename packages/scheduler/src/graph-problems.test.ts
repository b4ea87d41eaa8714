import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadCatalog } from './catalog.ts';
import { readConfig } from './config.ts';
import { readWhole, refusedStore } from './graph-problems.ts';
import { verifyStageStore } from './verify-stages.ts';

const stages = loadCatalog();
const host = { catalog: () => stages, timezone: undefined };

describe('a config that cannot be started with', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-whole-'));
    writeFileSync(
      join(dir, 'good.json'),
      '{"description": "d", "version": "1.0.0", "root": {"op": "Const", "value": 1}}',
    );
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const write = (jobs: readonly object[]): void =>
    writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs }));
  const problems = async (of: Promise<unknown>): Promise<readonly string[]> => {
    const error = await of.then(
      () => undefined,
      (thrown: unknown) => thrown as { readonly details: { readonly problems: readonly string[] } },
    );
    return error?.details.problems ?? [];
  };
  const missing = (): object =>
    expect.stringMatching(/^store_path: no stage store at .*; \.\/noether stage sync/u) as object;
  const nowhere = (): object =>
    expect.stringMatching(/^jobs\[\d\]\.graph: cannot read the graph .*nowhere/u) as object;

  it('is told with its stage store, its graphs and the zone of its host, all at once', async () => {
    write([
      { name: 'a', cron: '61 * * * *', graph: 'good.json' },
      { name: 'b', cron: '* * * * *', graph: 'nowhere.json' },
    ]);
    expect(await problems(readWhole('scheduler.json', dir, { ...host, timezone: '/nowhere/Base' }))).toEqual([
      expect.stringMatching(/^TZ is "\/nowhere\/Base"/u),
      'jobs[0].cron: minute: 61 is outside 0 to 59',
      missing(),
      nowhere(),
    ]);
  });

  it('is refused for the zone of its host alone, as jobs would be fired by UTC', async () => {
    write([{ name: 'a', cron: '* * * * *', graph: 'good.json' }]);
    await expect(readWhole('scheduler.json', dir, host)).resolves.toMatchObject({ jobs: [{ name: 'a' }] });
    expect(await problems(readWhole('scheduler.json', dir, { ...host, timezone: '/nowhere/Base' }))).toEqual([
      expect.stringMatching(/^TZ is/u),
      missing(),
    ]);
  });

  it('is told with its graphs where its stage store is refused, and without where they are right', async () => {
    const refusal = async (graph: string): Promise<unknown> => {
      write([{ name: 'a', cron: '* * * * *', graph }]);
      const config = readConfig('scheduler.json', dir);
      const error: unknown = await verifyStageStore(config.store_path, stages).catch(
        (thrown: unknown) => thrown,
      );
      return refusedStore(error, config, stages);
    };
    expect(await refusal('good.json')).toMatchObject({ code: 'SCHEDULER_STORE_MISSING' });
    expect(await refusal('nowhere.json')).toMatchObject({
      code: 'SCHEDULER_CONFIG_INVALID',
      details: { problems: [missing(), nowhere()] },
    });
  });
});
