import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadCatalog, loadGraph, readEnvironment } from '@caloron/scheduler';
import { addMs, TickOutput } from '@caloron/types';
import { z } from 'zod';

// An orchestrator in a process of its own: one tick after the other until it is ended, each told as a line.

const Order = z.object({
  dir: z.string(),
  graph: z.string(),
  input: z.object({ sprint_id: z.string(), repo: z.string() }),
  /** How far this process's clock is ahead. */
  ahead_ms: z.number().int(),
});
const { dir, graph, input, ahead_ms } = Order.parse(JSON.parse(process.argv[2] ?? '{}'));
const home = findHome({ flag: dir, cwd: dir, variables: {} });
const runtime = createRuntime({
  home,
  environment: readEnvironment(process.env, home),
  clock: { now: () => addMs(systemClock.now(), ahead_ms) },
  random: systemRandom,
  catalog: loadCatalog(),
});
const tick = loadGraph(graph);
for (;;) {
  const result = await runtime.run({ graph: tick, graph_name: graph, input });
  const told = result.ok ? TickOutput.parse(result.output).errors : [result.error.message];
  writeSync(1, `${JSON.stringify(told)}\n`);
  await delay(100);
}
