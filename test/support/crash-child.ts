import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import {
  createRuntime,
  findHome,
  readConfig,
  readEnvironment,
  type RunCapabilities,
  startScheduler,
} from '@caloron/scheduler';
import { addMs, type Clock } from '@caloron/types';
import { z } from 'zod';

// The scheduler as it is, in a process that kills itself at the n-th step of its first run. A step is the moment before or after a stage's
// client is called: each read, each transaction, each step of the outbox, each request to the forge and to the shell.

const Order = z.object({
  dir: z.string(),
  /** Null runs on and counts. */
  kill_at: z.number().int().nullable(),
  /** How far this process's clock is ahead: a dead run's lease has run out by then. */
  ahead_ms: z.number().int(),
});
const { dir, kill_at, ahead_ms } = Order.parse(JSON.parse(process.argv[2] ?? '{}'));

const steps: string[] = [];
let first_run: string | undefined;

function step(run_id: string, name: string): void {
  first_run ??= run_id;
  if (run_id !== first_run) return;
  steps.push(name);
  if (steps.length === kill_at) process.kill(process.pid, 'SIGKILL');
}

/** The same client, with a step before and after each call of it and of what its `open` gives. */
function stepping(client: object, name: string, run_id: string): object {
  // The target is empty, as a frozen one would not let its members be replaced.
  return new Proxy(
    {},
    {
      get: (_target, key): unknown => {
        const value: unknown = Reflect.get(client, key);
        if (typeof value !== 'function') return value;
        const called = `${name}.${String(key)}`;
        return (...parameters: readonly unknown[]): unknown => {
          if (key !== 'open') step(run_id, `before ${called}`);
          const result: unknown = Reflect.apply(value, client, parameters);
          if (key === 'open') return stepping(result as object, name, run_id);
          return result instanceof Promise ? result.finally(() => step(run_id, `after ${called}`)) : result;
        };
      },
    },
  );
}

function decorate(capabilities: RunCapabilities, { run_id }: { readonly run_id: string }): RunCapabilities {
  const entries = Object.entries(capabilities).map(([name, clients]) => [
    name,
    Object.fromEntries(
      Object.entries(clients as Record<string, object>).map(([key, client]) => [
        key,
        key === 'clock' || key === 'random' ? client : stepping(client, key, run_id),
      ]),
    ),
  ]);
  return Object.fromEntries(entries) as RunCapabilities;
}

const clock: Clock = { now: () => addMs(systemClock.now(), ahead_ms) };
const home = findHome({ flag: dir, cwd: dir, variables: {} });
const runtime = createRuntime({
  home,
  environment: readEnvironment(process.env, home),
  clock,
  random: systemRandom,
  decorate,
});
const scheduler = startScheduler({
  config: readConfig('scheduler.json', dir),
  runtime,
  logger: createLogger({ name: 'crash-child', level: 'warn' }),
  clock,
  random: systemRandom,
});
process.stdout.write(`${JSON.stringify({ ready: true, url: '', pid: process.pid })}\n`);

await new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
await scheduler.stop(5_000);
runtime.close();
process.stdout.write(`${JSON.stringify({ steps })}\n`);
