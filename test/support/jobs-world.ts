import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { fixedClock } from '@caloron/capabilities/clock';
import { createLoggerTo } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, readConfig, readEnvironment, type Runtime } from '@caloron/scheduler';
import { type Scheduler, startScheduler } from '@caloron/scheduler/scheduler';
import { type DagState, keys } from '@caloron/types';

import { temporaryDirectory, writeText } from './bins.ts';
import { LIB, type LibForge, libForge } from './lib-forge.ts';
import { ROOT } from './tree.ts';

/** A slot's row as tests look at it. */
export interface SlotRow {
  readonly slot: string;
  readonly status: string;
  readonly reason: string | null;
}

/** A forge with the repository `LIB`, a home, and schedulers in this process whose clock a test moves. Ended by `close`. */
export class JobsWorld {
  readonly dir = temporaryDirectory();
  readonly clock: ReturnType<typeof fixedClock>;
  /** What its schedulers logged, line by line. */
  readonly logged: Readonly<Record<string, unknown>>[] = [];
  readonly #schedulers: Scheduler[] = [];
  #lib: LibForge | undefined;
  #runtime: Runtime | undefined;

  constructor(at: string) {
    this.clock = fixedClock(at);
  }

  /** Starts the forge and opens the home. */
  async open(): Promise<void> {
    const lib = await libForge(join(this.dir, 'forge'));
    this.#lib = lib;
    mkdirSync(join(this.dir, '.caloron'));
    const settings = { repo: LIB, host: lib.forge.url, token_env: 'CALORON_FORGE_TOKEN', framework: 'stub' };
    writeText(join(this.dir, 'caloron.json'), JSON.stringify(settings));
    this.#runtime = this.newRuntime();
  }

  /** A runtime of the home: a further one is as another process's. Closed by the test. */
  newRuntime(): Runtime {
    const home = findHome({ flag: this.dir, cwd: this.dir, variables: {} });
    const variables = {
      CALORON_FORGE_TOKEN: this.#lib?.token ?? '',
      CALORON_LLM_PROVIDER: 'none',
      CALORON_SHELL_URL: 'http://127.0.0.1:9',
    };
    const environment = readEnvironment(variables, home);
    return createRuntime({ home, environment, clock: this.clock, random: systemRandom });
  }

  /** The runtime of its schedulers; throws before `open`. */
  get runtime(): Runtime {
    if (this.#runtime === undefined) throw new Error('the world was not opened');
    return this.#runtime;
  }

  /** The address of the forge's API; throws before `open`. */
  get forgeUrl(): string {
    if (this.#lib === undefined) throw new Error('the world was not opened');
    return this.#lib.forge.url;
  }

  /** Starts a scheduler of these jobs; the graph of each is named as in `compositions/`. */
  start(
    jobs: readonly ({ readonly name: string; readonly graph: string } & Readonly<Record<string, unknown>>)[],
    { scheduler_id = 'default', runtime = this.runtime } = {},
  ): Scheduler {
    const resolved = jobs.map((job) => ({
      timezone: 'UTC',
      ...job,
      graph: join(ROOT, 'compositions', `${job.graph}.json`),
    }));
    const file = join(this.dir, `${scheduler_id}.json`);
    writeText(file, JSON.stringify({ scheduler_id, jobs: resolved }));
    const logger = createLoggerTo(
      { name: 'test' },
      { write: (line) => void this.logged.push(JSON.parse(line) as Readonly<Record<string, unknown>>) },
    );
    const config = readConfig(file, this.dir);
    const scheduler = startScheduler({ config, runtime, logger, clock: this.clock, random: systemRandom });
    this.#schedulers.push(scheduler);
    return scheduler;
  }

  /** The slots of a job, oldest first. */
  slots(job: string): readonly SlotRow[] {
    return this.runtime.store.slots
      .list({ job, limit: 1_000 })
      .map(({ slot, status, reason }) => ({ slot, status, reason }))
      .toReversed();
  }

  /** Titles of all issues there are, oldest first. */
  async issues(): Promise<readonly string[]> {
    const { forge, token } = this.#lib ?? {};
    const found = await fetch(
      `${forge?.url ?? ''}/repos/${LIB}/issues?state=all&direction=asc&per_page=100`,
      {
        headers: { authorization: `token ${token ?? ''}` },
      },
    );
    return ((await found.json()) as readonly { readonly title: string }[]).map(({ title }) => title);
  }

  /** A sprint as it is stored. */
  async state(sprint_id: string): Promise<DagState> {
    return (await this.#states().load(sprint_id)).state;
  }

  /** Ends a sprint as a tick does: its state, its end, and the event. */
  async complete(sprint_id: string): Promise<void> {
    const { state, rev, cursors } = await this.#states().load(sprint_id);
    const now = this.clock.now();
    await this.#states().commit({
      sprint_id,
      expect_rev: rev,
      state: { ...state, status: 'completed' },
      cursors,
      last_poll: null,
      events: [],
      actions: [],
      announce: [{ kind: 'sprint.completed', payload: { sprint_id } }],
      puts: { [keys.endedAt(sprint_id)]: now },
      now,
    });
  }

  /** Stops its schedulers, closes everything, removes the directory. */
  async close(): Promise<void> {
    await Promise.all(this.#schedulers.map((scheduler) => scheduler.stop(0)));
    this.#runtime?.close();
    await this.#lib?.forge.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #states() {
    return this.runtime.store.forRun({ run_id: 'test', lease: null }).state;
  }
}
