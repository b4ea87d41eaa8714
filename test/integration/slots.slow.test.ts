import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { createRuntime, findHome, readEnvironment, type Runtime } from '@caloron/scheduler';
import { createCron } from '@caloron/scheduler/cron';
import { otherSlots, walkedSlots } from '@caloron/scheduler/testing/wall-clock';
import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { environment, temporaryDirectory, writeText } from '../support/bins.ts';
import { ROOT } from '../support/tree.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const MINUTES = 12;
const BEGIN = Date.parse('2026-04-15T12:00:10.000Z');

describe('three schedulers on one database, one killed each minute', () => {
  let dir: string;
  let children: ChildProcess[];
  let remote: Server;
  let runtime: Runtime;

  beforeEach(async () => {
    dir = temporaryDirectory();
    children = [];
    remote = createServer((request, response) => {
      request.resume();
      const text = JSON.stringify({ ok: true, data: { output: 'done' } });
      setTimeout(() => response.end(text), 100);
    });
    await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve));
    const home = findHome({ flag: dir, cwd: dir, variables: {} });
    runtime = createRuntime({
      home,
      environment: readEnvironment({}, home),
      clock: systemClock,
      random: systemRandom,
    });
  });
  afterEach(async () => {
    await Promise.all(children.map(end));
    runtime.close();
    remote.closeAllConnections();
    remote.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [join(ROOT, 'test/support/slots-child.ts'), dir], {
      cwd: ROOT,
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return child;
  };
  const setTime = (at_ms: number): void => {
    writeText(join(dir, 'now.new'), new Date(at_ms).toISOString());
    renameSync(join(dir, 'now.new'), join(dir, 'now'));
  };
  const rows = () => runtime.store.slots.list({ job: 'j', limit: 1_000 });

  it('fire each slot once, and make again what died with its process', async () => {
    const url = `http://127.0.0.1:${(remote.address() as AddressInfo).port}/`;
    const root = { op: 'RemoteStage', url, input: { kind: 'Any' }, output: { kind: 'Text' } };
    writeText(join(dir, 'g.json'), JSON.stringify({ description: 'd', version: '0.1.0', root }));
    writeText(
      join(dir, 'scheduler.json'),
      JSON.stringify({ jobs: [{ name: 'j', cron: '* * * * *', graph: 'g.json' }] }),
    );
    setTime(BEGIN);
    const live = await Promise.all([start(), start(), start()]);

    for (let minute = 1; minute <= MINUTES; minute += 1) {
      const slot = new Date(BEGIN + minute * MINUTE_MS).toISOString().replace(/:10\.000Z$/, ':00Z');
      setTime(BEGIN + minute * MINUTE_MS);
      // Some die before they look, some in the middle of a run, some after.
      await new Promise((resolve) => setTimeout(resolve, (minute % 6) * 60));
      const victim = live[minute % 3];
      if (victim !== undefined) await end(victim);
      live[minute % 3] = await start();
      await vi.waitFor(
        () => {
          expect(rows().map((row) => row.slot)).toContain(slot);
          expect(rows().filter(({ status }) => status === 'fired')).toEqual([]);
        },
        { timeout: 30_000 },
      );
    }

    const all = rows();
    const slots = all.filter(({ slot }) => /^\d/.test(slot));
    expect(slots).toHaveLength(MINUTES);
    expect(new Set(slots.map(({ slot }) => slot)).size).toBe(MINUTES);
    const cut_off = slots.filter(({ status }) => status === 'failed');
    const again = all.filter(({ slot }) => slot.startsWith('resume:'));
    // A fire that is made again may be cut off as well.
    expect(again.filter(({ status }) => status === 'ok')).toHaveLength(cut_off.length);
    const runs = runtime.store.runs.list({ limit: 500 });
    const fired = runs.flatMap(({ labels }) => (labels['cause'] === 'cron' ? [labels['slot']] : []));
    expect(new Set(fired).size).toBe(fired.length);
  });
});

const FROM = Date.parse('2024-01-01T00:00:00Z');
const TO = Date.parse('2034-01-01T00:00:00Z');
const ZONES = [
  'UTC',
  'Europe/Madrid',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Santiago',
];
const EXPRESSIONS = [
  '0 9 * * 1-5',
  '0 18 * * 5',
  '0 0 1 * *',
  '30 2 * * *',
  '0 12 13 * 5',
  '15 6 31 * *',
  '0 0 29 2 *',
  '*/30 0-5 * * *',
  '0 */3 28-31 * *',
  '5,35 1-3 1-7 3,4,10,11 0',
];

describe('the slots of ten years', () => {
  it.each(ZONES.flatMap((zone) => EXPRESSIONS.map((expression) => [expression, zone] as const)))(
    '%s in %s are those of another implementation, and of the wall where a clock changes',
    (expression, zone) => {
      const cron = createCron(expression, zone);
      const own: number[] = [];
      for (let at = cron.next(FROM - 1); at !== null && at < TO; at = cron.next(at)) own.push(at);
      const others: number[] = [];
      for (const at of otherSlots(expression, zone, FROM - 1)) {
        if (at >= TO) break;
        others.push(at);
      }

      const days = changes(zone);
      const isNear = (at: number): boolean => days.some((day) => Math.abs(at - day) < DAY_MS);
      expect(own.filter((at) => !isNear(at))).toEqual(others.filter((at) => !isNear(at)));
      for (const day of days) {
        const [from, to] = [day - DAY_MS, day + DAY_MS];
        expect(own.filter((at) => at >= from && at < to)).toEqual(walkedSlots(expression, zone, from, to));
      }
    },
  );

  it('* * * * * and */5 * * * * are every minute and every fifth of the clock, whatever it does', () => {
    for (const [expression, step] of [
      ['* * * * *', 1],
      ['*/5 * * * *', 5],
    ] as const) {
      const cron = createCron(expression, 'Europe/Madrid');
      const end = FROM + 366 * DAY_MS;
      for (let at = FROM - step * MINUTE_MS; at < end; at += step * MINUTE_MS)
        if (cron.next(at) !== at + step * MINUTE_MS)
          expect.fail(`${expression} after ${new Date(at).toISOString()}`);
    }
  });
});

/** When a zone's clock changes, to the hour. */
function changes(zone: string): readonly number[] {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  const offset = (at: number): string | undefined =>
    format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value;
  const found: number[] = [];
  for (let at = FROM; at < TO; at += DAY_MS) {
    if (offset(at) === offset(at + DAY_MS)) continue;
    for (let hour = at; hour < at + DAY_MS; hour += DAY_MS / 24)
      if (offset(hour) !== offset(hour + DAY_MS / 24)) found.push(hour + DAY_MS / 24);
  }
  return found;
}
