import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fixedClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { ownProcess } from '@caloron/scheduler/run-process';
import { openStore, type Store } from '@caloron/store';
import { keys, timestampOf, type Timestamp } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Drive, driveLines, driveOf, dueAfter } from './sprint-drive.ts';

const START = '2026-04-14T10:00:00.000Z';
const at = (minutes: number): Timestamp => timestampOf(Date.parse(START) + minutes * 60_000);

describe('whether a sprint is driven', () => {
  let dir: string;
  let store: Store;
  let made = 0;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-drive-'));
    mkdirSync(join(dir, '.caloron'));
    const clock = fixedClock(START);
    store = openStore(join(dir, '.caloron/caloron.db'), { clock, uuid: () => systemRandom.uuid() });
    await store.kv.put(keys.startedAt('s-1'), START);
  });
  afterEach(() => {
    store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const began = (
    minutes: number,
    labels: object = {},
    graph = '/p/compositions/sprint_tick.json',
  ): string => {
    made += 1;
    const run_id = `run-${String(made)}`;
    const told = { sprint: 's-1', process: ownProcess(), ...labels };
    void store.runs.runStarted({
      run_id,
      composition_id: 'c',
      graph,
      started_at: at(minutes),
      input_hash: 'h',
      labels: told,
    });
    return run_id;
  };
  const ended = async (minutes: number, status: 'ok' | 'failed' | 'skipped', message?: string) => {
    const run_id = began(minutes);
    const error = message === undefined ? null : { code: 'FORGE_AUTH', message, path: 'root' };
    const finished_at = at(minutes);
    await store.runs.runFinished({ run_id, finished_at, duration_ms: 1, status, output_hash: null, error });
    return run_id;
  };
  const look = (minutes: number, status: 'active' | 'completed' = 'active'): Promise<Drive> =>
    driveOf(store, { sprint_id: 's-1', status }, at(minutes), (after) => dueAfter(dir, after));
  const told = (drive: Drive, minutes: number): readonly string[] =>
    driveLines({}, drive, at(minutes), { home: dir, home_flag: ' --home H' });

  it('is told before the first tick too, some minutes after it was due', async () => {
    expect(await look(4)).toMatchObject({ last_tick_at: null, problem: null });
    const silent = await look(9);
    expect(silent).toMatchObject({ last_tick_at: null, problem: 'silent', since: START });
    expect(told(silent, 9)).toEqual([
      'NOT DRIVEN: no tick has run for 9 min: nothing is polled, started or merged',
      '  next: ./caloron up --home H',
    ]);
  });

  it('is by a tick that has just run, of this sprint alone', async () => {
    await ended(20, 'ok');
    began(29, { sprint: 's-2' });
    began(29, {}, '/p/compositions/retro.json');

    expect(await look(22)).toMatchObject({ last_tick_at: at(20), problem: null, since: null });
    expect(told(await look(22), 22)).toEqual([]);
    expect(await look(30)).toMatchObject({ problem: 'silent', since: at(20) });
    expect(await look(30, 'completed')).toMatchObject({ problem: null });
  });

  it('waits for the slot that scheduler.json has', async () => {
    const job = { name: 't', cron: '*/30 * * * *', timezone: 'UTC', graph: 'sprint_tick.json' };
    writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [job] }));
    await ended(1, 'ok');

    expect(await look(33)).toMatchObject({ problem: null });
    expect(await look(35)).toMatchObject({ problem: 'silent', since: at(1) });
  });

  it('says since when ticks fail, and of what, whatever found the lease taken meanwhile', async () => {
    await ended(1, 'ok');
    await ended(2, 'failed', 'the forge answered 401');
    const run_id = await ended(3, 'failed', 'the forge answered 401\u001b[2J');
    await ended(3, 'skipped');

    const failed = await look(4);
    expect(failed).toMatchObject({ problem: 'failed', since: at(2), run_id });
    expect(told(failed, 4)).toEqual([
      'NOT DRIVEN: ticks fail for 2 min: nothing is polled, started or merged',
      expect.stringMatching(/^ {2}the forge answered 401.* \[FORGE_AUTH\]$/),
      `  next: ./noether trace ${run_id.slice(0, 8)} --home H`,
    ]);
    expect(told(failed, 4).join('')).not.toContain('\u001b');
    await ended(4, 'ok');
    expect(await look(4)).toMatchObject({ problem: null });
  });

  it('tells a tick that does not end from one whose process is gone', async () => {
    const run_id = began(2);
    expect(await look(6)).toMatchObject({ problem: null });
    const hangs = await look(12);
    expect(hangs).toMatchObject({ problem: 'hangs', since: at(2), run_id });
    expect(told(hangs, 12)[0]).toContain('a tick goes on for 10 min and does not end');

    began(13, { process: ownProcess().replace(/^\d+ \d+/, '1 1') });
    await store.runs.runFinished({
      run_id,
      finished_at: at(13),
      duration_ms: 1,
      status: 'ok',
      output_hash: null,
      error: null,
    });
    expect(await look(14)).toMatchObject({ problem: 'failed', reason: 'its process ended before it did' });
  });
});
