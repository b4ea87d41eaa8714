import { writeSync } from 'node:fs';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, readConfig, readEnvironment, startScheduler } from '@caloron/scheduler';
import { addMs, type Clock } from '@caloron/types';
import { z } from 'zod';

import { withSteps } from './crash-steps.ts';

// The scheduler as it is, in a process that kills itself at one step of its first run.

const Order = z.object({
  dir: z.string(),
  /** The n-th step; or the first of this name, or its n-th as `before forge.comment 2`; null runs on and counts. */
  kill: z.union([z.number().int().positive(), z.string()]).nullable(),
  /** How far this process's clock is ahead: a dead run's lease has run out by then. */
  ahead_ms: z.number().int(),
});
const { dir, kill, ahead_ms } = Order.parse(JSON.parse(process.argv[2] ?? '{}'));

const steps: string[] = [];
let first_run: string | undefined;

function step(run_id: string, name: string): void {
  first_run ??= run_id;
  if (run_id !== first_run) return;
  steps.push(name);
  const nth = steps.filter((other) => other === name).length;
  const called = nth === 1 ? name : `${name} ${nth}`;
  if (kill !== steps.length && kill !== called) return;
  // Written at once: nothing that is buffered survives the next line.
  writeSync(1, `${JSON.stringify({ killed_at: called })}\n`);
  process.kill(process.pid, 'SIGKILL');
}

const clock: Clock = { now: () => addMs(systemClock.now(), ahead_ms) };
const home = findHome({ flag: dir, cwd: dir, variables: {} });
const runtime = createRuntime({
  home,
  environment: readEnvironment(process.env, home),
  clock,
  random: systemRandom,
  decorate: (capabilities, { run_id }) => withSteps(capabilities, (name) => step(run_id, name)),
});
const scheduler = startScheduler({
  config: readConfig('scheduler.json', dir),
  runtime,
  logger: createLogger({ name: 'crash-child', level: 'fatal' }),
  clock,
  random: systemRandom,
});

await new Promise<void>((resolve) => {
  process.once('SIGTERM', () => resolve());
  // A run that was to be killed and ended before its step leaves nothing to wait for.
  if (kill !== null)
    setInterval(() => {
      if (scheduler.jobs().some(({ last }) => last !== null)) resolve();
    }, 50).unref();
});
await scheduler.stop(5_000);
runtime.close();
writeSync(1, `${JSON.stringify({ steps })}\n`);
process.exit(0);
