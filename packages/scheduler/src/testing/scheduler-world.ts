import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fixedClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome } from '@caloron/store';
import type { Random } from '@caloron/types';

import { readConfig } from '../config.ts';
import { readEnvironment } from '../environment.ts';
import { createRuntime, type Runtime } from '../runtime.ts';
import { type Scheduler, type SchedulerDeps, startScheduler } from '../scheduler.ts';

/** A slot's row as tests look at it, oldest first. */
export interface SlotRow {
  readonly slot: string;
  readonly status: string;
  readonly reason: string | null;
}

/** A folder with a database, graphs and schedulers whose clock a test moves. */
export interface SchedulerWorld {
  readonly dir: string;
  readonly clock: ReturnType<typeof fixedClock>;
  readonly runtime: Runtime;
  /** Writes a graph; gives its name. */
  graph(name: string, root: unknown): string;
  start(jobs: readonly unknown[], random?: Random, more?: Partial<SchedulerDeps>): Scheduler;
  config(jobs: readonly unknown[]): ReturnType<typeof readConfig>;
  slots(job: string): readonly SlotRow[];
  /** Cause of each run, oldest first. */
  causes(): readonly string[];
  close(): Promise<void>;
}

/** Makes a world whose clock stands at an instant. */
export function schedulerWorld(at: string): SchedulerWorld {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-slots-'));
  const home = findHome({ flag: dir, cwd: dir });
  const clock = fixedClock(at);
  const environment = readEnvironment({}, home);
  const runtime = createRuntime({ home, environment, clock, random: systemRandom });
  const started: Scheduler[] = [];
  const config = (jobs: readonly unknown[]): ReturnType<typeof readConfig> => {
    writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs }));
    return readConfig('scheduler.json', dir);
  };
  return {
    dir,
    clock,
    runtime,
    graph: (name, root) => {
      writeFileSync(join(dir, name), JSON.stringify({ description: 'test', version: '0.1.0', root }));
      return name;
    },
    config,
    start: (jobs, random = systemRandom, more = {}) => {
      const logger = createLogger({ name: 'test', level: 'silent' });
      const made = startScheduler({ config: config(jobs), runtime, logger, clock, random, ...more });
      started.push(made);
      return made;
    },
    slots: (job) =>
      runtime.store.slots
        .list({ job, limit: 1_000 })
        .map(({ slot, status, reason }) => ({ slot, status, reason }))
        .toReversed(),
    causes: () =>
      runtime.store.runs
        .list()
        .map(({ labels }) => labels['cause'] ?? '')
        .toReversed(),
    close: async () => {
      await Promise.all(started.map((scheduler) => scheduler.stop(0)));
      runtime.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
