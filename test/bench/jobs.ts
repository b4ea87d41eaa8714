import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import {
  createRuntime,
  findHome,
  loadCatalog,
  loadGraph,
  readConfig,
  readEnvironment,
  type Runtime,
  startScheduler,
} from '@caloron/scheduler';
import { openStore } from '@caloron/store';
import { type Clock, timestampOf } from '@caloron/types';

import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';
import { start, type Started } from './process.ts';
import type { Row } from './table.ts';

const JOBS = 1_000;
const AT_ONCE = 100;
const STARTS = 7;
const ROUNDS = 9;
const WARM_UP = 2;
const MINUTE_MS = 60_000;
const BIN = join(ROOT, 'packages/scheduler/bin/noether-scheduler.mjs');

/** Of 1,000 jobs: how often each is due. */
const EACH_MINUTE = (): string => '* * * * *';
const EACH_HOUR = (index: number): string => `${index % 60} * * * *`;
const EACH_DAY = (index: number): string => `${index % 60} ${index % 24} * * *`;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A folder with a graph of one stage and a config of so many jobs. */
function folder(jobs: number, cron: (index: number) => string) {
  const home = temporaryHome();
  const at = (name: string): string => join(home.dir, name);
  const root = { op: 'Stage', id: 'text_upper' };
  writeFileSync(at('graph.json'), JSON.stringify({ description: 'bench', version: '0.1.0', root }));
  const entries = Array.from({ length: jobs }, (_, i) => ({
    name: `job-${i}`,
    cron: cron(i),
    timezone: 'UTC',
    graph: at('graph.json'),
    input: 'text',
  }));
  writeFileSync(at('scheduler.json'), JSON.stringify({ store_path: at('store.json'), jobs: entries }));
  const noether = join(ROOT, 'packages/cli/bin/noether.mjs');
  const args = [noether, 'stage', 'sync', '--store', at('store.json')];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: home.dir, encoding: 'utf8' });
  if (status !== 0) throw new Error(`no stage store: ${stderr}`);
  return home;
}

const schedulerIn = (dir: string): Promise<Started> =>
  start(BIN, ['--config', join(dir, 'scheduler.json'), '--home', dir, '--port', '0'], {
    CALORON_LOG_LEVEL: 'warn',
  });

/** Resident memory of a process, MB. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Start and memory of a scheduler of 1,000 jobs of each day, by turns with one of a single job. */
async function startsOf(): Promise<readonly Row[]> {
  const homes = [folder(1, EACH_DAY), folder(JOBS, EACH_DAY)];
  const ready: number[][] = [[], []];
  const memory: number[][] = [[], []];
  try {
    for (let run = 0; run <= STARTS; run += 1)
      for (const [i, { dir }] of homes.entries()) {
        const begun = performance.now();
        const scheduler = await schedulerIn(dir);
        const took = performance.now() - begun;
        await sleep(1_000);
        const used = memoryOf(scheduler.pid);
        await scheduler.stop();
        // The first runs fill caches of the disk and of compiled code.
        if (run === 0) continue;
        ready[i]?.push(took);
        memory[i]?.push(used);
      }
  } finally {
    for (const home of homes) home.remove();
  }
  const [one = [], many = []] = ready;
  const [of_one = [], of_many = []] = memory;
  return [
    { what: 'scheduler with 1 job, until it is ready', unit: 'ms', values: one },
    { what: `scheduler with ${JOBS} jobs, until it is ready`, unit: 'ms', values: many },
    { what: 'memory with 1 job', unit: 'MB', values: of_one },
    { what: `memory with ${JOBS} jobs`, unit: 'MB', values: of_many },
  ];
}

/** How long after its slot each fire began, over two slots of a process whose clock is that of the machine. */
async function latenessOf(what: string, cron: (index: number) => string): Promise<readonly Row[]> {
  const home = folder(JOBS, cron);
  try {
    const scheduler = await schedulerIn(home.dir);
    const minutes = 2;
    const until = (Math.floor(Date.parse(systemClock.now()) / MINUTE_MS) + minutes) * MINUTE_MS + 10_000;
    await sleep(until - Date.parse(systemClock.now()));
    const used = memoryOf(scheduler.pid);
    await scheduler.stop();
    const store = openStore(join(home.dir, '.caloron', 'caloron.db'), {
      clock: systemClock,
      uuid: () => systemRandom.uuid(),
    });
    const late = store.runs
      .list({ limit: JOBS * minutes })
      .map(({ started_at, labels }) => Date.parse(started_at) - Date.parse(labels['slot'] ?? ''))
      .toSorted((a, b) => a - b);
    store.close();
    const at = (share: number): number => late[Math.ceil(late.length * share) - 1] ?? Number.NaN;
    return [
      { what: `${what}: p50 of ${late.length} fires after their slot`, unit: 'ms', values: [at(0.5)] },
      { what: `${what}: p99`, unit: 'ms', values: [at(0.99)] },
      { what: `${what}: memory afterwards`, unit: 'MB', values: [used] },
    ];
  } finally {
    home.remove();
  }
}

/** A hundred jobs that are due at once, in this process by a clock that is put forward; beside the same graph run by hand. */
async function atOnce(): Promise<readonly Row[]> {
  const home = folder(AT_ONCE, EACH_MINUTE);
  const place = findHome({ flag: home.dir, cwd: home.dir, variables: {} });
  let now_ms = Date.parse('2026-01-01T00:00:30.000Z');
  const clock: Clock = { now: () => timestampOf(now_ms) };
  const environment = readEnvironment({}, place);
  const runtime = createRuntime({
    home: place,
    environment,
    clock,
    random: systemRandom,
    catalog: loadCatalog(),
  });
  const graph = join(home.dir, 'graph.json');
  const run = (): Promise<unknown> =>
    runtime.run({ graph: loadGraph(graph), graph_name: graph, input: 'text' });
  const fires = watched(runtime);
  const config = readConfig(join(home.dir, 'scheduler.json'), home.dir);
  const logger = createLogger({ name: 'bench', level: 'silent' });
  const scheduler = startScheduler({ config, runtime: fires.runtime, logger, clock, random: systemRandom });
  const rows: Record<'started' | 'ended' | 'bare' | 'one', number[]> = {
    started: [],
    ended: [],
    bare: [],
    one: [],
  };
  try {
    for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
      const fired = fires.next();
      now_ms += MINUTE_MS;
      const { started, ended } = await fired;
      const begun = performance.now();
      await Promise.all(Array.from({ length: AT_ONCE }, run));
      const bare = performance.now() - begun;
      const again = performance.now();
      for (let i = 0; i < AT_ONCE; i += 1) await run();
      const one = performance.now() - again;
      if (round < WARM_UP) continue;
      for (const [name, value] of Object.entries({ started, ended, bare, one }))
        rows[name as 'one'].push(value);
    }
  } finally {
    await scheduler.stop(0);
    runtime.close();
    home.remove();
  }
  return [
    { what: `${AT_ONCE} fires at once, until all are started`, unit: 'ms', values: rows.started },
    { what: `${AT_ONCE} fires at once, until all are settled`, unit: 'ms', values: rows.ended },
    { what: `the same graph run ${AT_ONCE} times at once, by hand`, unit: 'ms', values: rows.bare },
    { what: `the same, one after the other`, unit: 'ms', values: rows.one },
  ];
}

/** Milliseconds from the first claim of a round. */
interface Round {
  readonly started: number;
  readonly ended: number;
}

/** A runtime that tells, from the first claim of a round on, when all runs of it were started and all slots settled. */
function watched(runtime: Runtime) {
  let begun: number | null = null;
  let started_ms = 0;
  let [started, settled] = [0, 0];
  let resolve: (round: Round) => void = () => undefined;
  const { store } = runtime;
  const slots: typeof store.slots = {
    ...store.slots,
    claim: (slot) => {
      begun ??= performance.now();
      return store.slots.claim(slot);
    },
    note: async (...args) => {
      await store.slots.note(...args);
      if (args[1] === 'skipped') throw new Error(`a slot was skipped: ${args[2] ?? ''}`);
      settled += 1;
      if (settled === AT_ONCE) resolve({ started: started_ms, ended: performance.now() - (begun ?? 0) });
    },
  };
  return {
    runtime: {
      ...runtime,
      store: { ...store, slots },
      run: (request: Parameters<Runtime['run']>[0]) => {
        started += 1;
        if (started === AT_ONCE) started_ms = performance.now() - (begun ?? 0);
        return runtime.run(request);
      },
    },
    next: () => {
      begun = null;
      [started, settled] = [0, 0];
      return new Promise<Round>((told) => {
        resolve = told;
      });
    },
  };
}

/** The scheduler with 1,000 jobs: its start, its memory, how late its fires are, and a hundred at once. Takes some six minutes, for it waits for slots. */
export async function benchJobs(): Promise<readonly Row[]> {
  return [
    ...(await startsOf()),
    ...(await atOnce()),
    ...(await latenessOf(`${JOBS} jobs of each hour, 16 or 17 a minute`, EACH_HOUR)),
    ...(await latenessOf(`${JOBS} jobs of each minute, all at once`, EACH_MINUTE)),
  ];
}
