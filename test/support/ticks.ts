import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment, type Runtime } from '@caloron/scheduler';
import { addMs, type Task } from '@caloron/types';

import type { SprintWorld } from './sprint-world.ts';
import { ROOT } from './tree.ts';

const TICK = join(ROOT, 'compositions/sprint_tick.json');

/** The tasks of a sprint by their ids. */
export type Tasks = Readonly<Record<string, Task>>;

/** How ticks follow each other. */
export interface TicksOptions {
  readonly sprint_id: string;
  /** Longest a state may take that a few ticks and starts of agents bring about, in milliseconds. */
  readonly deadline_ms: number;
  /** How much further ahead the clock is after each tick, so that no backoff is waited for; 0 when absent. */
  readonly step_ms?: number;
  /** Milliseconds between two ticks; 0 when absent. */
  readonly pause_ms?: number;
}

/** The ticks of a sprint, made by the test itself and with its clock: the state moves by them alone. */
export class Ticks {
  /** How far the clock is ahead, in milliseconds. */
  ahead_ms = 0;
  readonly runtime: Runtime;
  readonly #world: SprintWorld;
  readonly #options: TicksOptions;

  /** Its runtime is closed with the world, which is started already. */
  constructor(world: SprintWorld, options: TicksOptions) {
    this.#world = world;
    this.#options = options;
    const home = findHome({ flag: world.home, cwd: world.dir, variables: {} });
    this.runtime = createRuntime({
      home,
      environment: readEnvironment(world.env, home),
      clock: { now: () => addMs(systemClock.now(), this.ahead_ms) },
      random: systemRandom,
    });
    world.onClose(() => this.runtime.close());
  }

  /** One tick, which must go well. */
  async tick(): Promise<void> {
    const input = { sprint_id: this.#options.sprint_id, repo: this.#world.forge.repo };
    const result = await this.runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
    this.ahead_ms += this.#options.step_ms ?? 0;
  }

  /** The tasks as they stand now. */
  tasks(): Promise<Tasks> {
    return this.#world.tasks(this.#options.sprint_id);
  }

  /** Ticks until the tasks stand as expected; `watch` looks at each state on the way. */
  async until(expected: (now: Tasks) => void, watch: (now: Tasks) => void = () => undefined): Promise<void> {
    const deadline = performance.now() + this.#options.deadline_ms;
    for (;;) {
      await this.tick();
      const now = await this.tasks();
      watch(now);
      try {
        return expected(now);
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
      await delay(this.#options.pause_ms ?? 0);
    }
  }
}
