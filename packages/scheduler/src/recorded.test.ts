import { createLoggerTo } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { openDatabase } from '@caloron/store';
import { migrationsFor } from '@caloron/store/schema';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { startPruning } from './pruning.ts';
import { type Scheduler, startScheduler } from './scheduler.ts';
import { schedulerWorld, type SchedulerWorld } from './testing/scheduler-world.ts';

const MINUTE_MS = 60_000;
const WITHIN = { timeout: 30_000 };
const SLOT = '2026-04-15T12:01:00Z';

describe('a database', () => {
  let world: SchedulerWorld;
  let lines: { readonly msg: string; readonly job?: string; readonly err?: { readonly message: string } }[];
  let started: Scheduler[];

  beforeEach(() => {
    world = schedulerWorld('2026-04-15T12:00:30.000Z');
    lines = [];
    started = [];
  });
  afterEach(async () => {
    await Promise.all(started.map((scheduler) => scheduler.stop(0)));
    await world.close();
  });

  const job = (name: string): object => ({
    name,
    cron: '* * * * *',
    timezone: 'UTC',
    graph: world.graph('quick.json', { op: 'Const', value: 1 }),
  });
  const start = (tell: () => Promise<void> = () => Promise.resolve()): void => {
    const destination = { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) };
    const logger = createLoggerTo({ name: 'test', level: 'info' }, destination);
    const { runtime, clock } = world;
    const config = world.config([
      job('sick'),
      { ...job('told'), webhook: 'https://a.example/' },
      job('well'),
    ]);
    const deps = { config, runtime, logger, clock, random: systemRandom, retry_ms: 20 };
    started.push(startScheduler({ ...deps, webhooks: { tell } }));
  };
  /** Another connection changes what the database takes. */
  const sql = (text: string): void => {
    const other = openDatabase(
      world.runtime.store.path,
      migrationsFor(() => ''),
    );
    other.db.exec(text);
    other.close();
  };
  const refuse = (name: string, what: string): void =>
    sql(`CREATE TRIGGER ${name} BEFORE ${what} BEGIN SELECT raise(ABORT, 'the disk has a hole'); END`);
  const runs = (name: string): number => world.runtime.store.runs.list({ labels: { job: name } }).length;
  const said = (msg: RegExp): number =>
    lines.filter(({ msg: text, err }) => msg.test(text) && /a hole/.test(err?.message ?? '')).length;
  const ended = (name: string, slots: readonly string[]): Promise<void> =>
    vi.waitFor(
      () => expect(world.slots(name)).toEqual(slots.map((slot) => ({ slot, status: 'ok', reason: null }))),
      WITHIN,
    );

  it('that refuses a claim stops no other job, tells why, and fires the slot when it can be claimed', async () => {
    refuse('no_claim', "INSERT ON job_slots WHEN NEW.job = 'sick'");
    start();
    world.clock.advance(MINUTE_MS);
    await ended('well', [SLOT]);
    await vi.waitFor(() => expect(said(/could not be claimed/)).toBeGreaterThan(1), WITHIN);
    expect(world.slots('sick')).toEqual([]);
    expect(started[0]?.unrecorded()).toBe(1);

    sql('DROP TRIGGER no_claim');

    await ended('sick', [SLOT]);
    expect([runs('sick'), started[0]?.unrecorded()]).toEqual([1, 0]);
  });

  it('that refuses the end of a slot is given it later, and the next one is fired meanwhile', async () => {
    refuse('no_end', "UPDATE ON job_slots WHEN NEW.job = 'sick' AND NEW.status = 'ok'");
    start();
    world.clock.advance(MINUTE_MS);
    await ended('well', [SLOT]);
    await vi.waitFor(() => expect(said(/how a slot ended could not be recorded/)).toBeGreaterThan(1), WITHIN);
    await vi.waitFor(() => expect(started[0]?.jobs()[0]?.running).toBe(false), WITHIN);
    expect(started[0]?.unrecorded()).toBe(1);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(world.slots('sick')).toHaveLength(2), WITHIN);

    sql('DROP TRIGGER no_end');

    await ended('sick', [SLOT, '2026-04-15T12:02:00Z']);
    expect(runs('sick')).toBe(2);
  });

  it('that refuses a webhook is given it later and once, and the slot is settled after that', async () => {
    let refused = true;
    const tellings: string[] = [];
    start(async () => {
      tellings.push(refused ? 'refused' : 'kept');
      if (refused) throw new Error('there is a hole in the outbox');
    });
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(tellings.length).toBeGreaterThan(1), WITHIN);
    expect(world.slots('told')).toEqual([{ slot: SLOT, status: 'fired', reason: null }]);

    refused = false;

    await ended('told', [SLOT]);
    expect(tellings.filter((telling) => telling === 'kept')).toHaveLength(1);
    expect(runs('told')).toBe(1);
  });

  it('of which old rows are gone fires no slot again when the clock is put back, and goes on with the next', async () => {
    start();
    world.clock.advance(MINUTE_MS);
    await ended('sick', [SLOT]);
    sql(
      `DELETE FROM job_slots WHERE job = 'sick'; INSERT INTO job_marks VALUES ('default', 'sick', '${SLOT}', NULL)`,
    );

    world.clock.advance(-2 * MINUTE_MS);
    await vi.waitFor(() => expect(started[0]?.jobs()[0]?.next_at).toBe('2026-04-15T12:00:00.000Z'), WITHIN);
    world.clock.advance(2 * MINUTE_MS);
    const looked = { next_at: '2026-04-15T12:02:00.000Z', running: false };
    await vi.waitFor(() => expect(started[0]?.jobs()[0]).toMatchObject(looked), WITHIN);
    world.clock.advance(MINUTE_MS);

    await ended('sick', ['2026-04-15T12:02:00Z']);
    expect(runs('sick')).toBe(2);
  });

  it('whose mark is ahead of the clock is told at the start, with the job and until when', () => {
    sql("INSERT INTO job_marks VALUES ('default', 'well', '2030-01-01T00:00:00Z', NULL)");
    start();
    expect(lines.filter(({ msg }) => /fires no slot until then/.test(msg))).toMatchObject([
      { job: 'well', until: '2030-01-01T00:00:00Z' },
    ]);
  });

  it('that refuses to delete old rows is told, and asked again', async () => {
    const warned: string[] = [];
    const destination = { write: (line: string) => void warned.push(line) };
    const logger = createLoggerTo({ name: 'test', level: 'info' }, destination);
    const { store } = world.runtime;
    const old = { scheduler_id: 's', job: 'j' };
    for (let n = 0; n < 101; n += 1) {
      const slot = {
        ...old,
        slot: `2025-01-01T${String(10 + Math.floor(n / 60))}:${String(n % 60).padStart(2, '0')}:00Z`,
      };
      await store.slots.note(slot, 'ok', null);
    }
    refuse('no_end', 'DELETE ON job_slots');
    const end = startPruning({ store, logger, first_ms: 0, every_ms: 20 });
    try {
      await vi.waitFor(() => expect(warned.join('')).toMatch(/a hole.*could not be deleted/u), WITHIN);
      sql('DROP TRIGGER no_end');
      await vi.waitFor(() => expect(world.slots('j')).toHaveLength(100), WITHIN);
      await vi.waitFor(() => expect(warned.join('')).toMatch(/"rows":\{"job_slots":1\}/u), WITHIN);
    } finally {
      await end();
    }
  });
});
