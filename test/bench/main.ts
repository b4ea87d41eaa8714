import { availableParallelism } from 'node:os';

import { benchAgents, benchSpawn } from './agents.ts';
import { benchCold } from './cold.ts';
import { benchDemo } from './demo.ts';
import { benchCheck, benchEngine } from './engine.ts';
import { benchForge } from './forge.ts';
import { benchHeartbeats } from './heartbeats.ts';
import { benchJobs } from './jobs.ts';
import { benchRequests } from './requests.ts';
import { benchAdoption, benchSnapshot } from './restarts.ts';
import { render, type Row } from './table.ts';
import { benchTicks } from './ticks.ts';
import { benchWebhooks } from './webhooks.ts';

const BENCHES: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  engine: benchEngine,
  check: benchCheck,
  cold: benchCold,
  tick: benchTicks,
  heartbeat: benchHeartbeats,
  forge: benchForge,
  requests: benchRequests,
  spawn: benchSpawn,
  agents: benchAgents,
  adoption: benchAdoption,
  snapshot: benchSnapshot,
  webhook: benchWebhooks,
  jobs: benchJobs,
  demo: benchDemo,
};

const word = process.argv[2];
const chosen = Object.entries(BENCHES).filter(
  ([name]) => word === undefined || name.includes(word) || word.includes(name),
);
if (chosen.length === 0) {
  process.stderr.write(
    `no benchmark is called ${word ?? ''}; there are: ${Object.keys(BENCHES).join(', ')}\n`,
  );
  process.exit(1);
}
const rows: Row[] = [];
for (const [name, bench] of chosen) {
  process.stderr.write(`measuring ${name} …\n`);
  rows.push(...(await bench()));
}
process.stdout.write(`${availableParallelism()} cores, Node ${process.versions.node}\n${render(rows)}\n`);
process.exit(0);
