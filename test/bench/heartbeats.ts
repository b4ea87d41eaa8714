import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { bootId } from '@caloron/capabilities/process-identity';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore } from '@caloron/store';
import autocannon from 'autocannon';

import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';
import { start } from './process.ts';
import type { Row } from './table.ts';

const CONNECTIONS = 64;
/** Short runs in turn: what else the machine does meets both alike. */
const SECONDS = 1;
const WARM_UP_SECONDS = 1;
const RUNS = 15;
const AT = '2026-01-01T00:00:00.000Z';
/** What a harness tells of an agent that has called two models. */
const SAID = {
  sprint_id: 'bench',
  status: 'working',
  tokens_used: 161_940,
  usage: [
    { model: 'claude-haiku-4-5', input: 3120, output: 840, cache_read: 0, cache_write: 0, micro_usd: 7320 },
    {
      model: 'claude-sonnet-4-5',
      input: 2410,
      output: 9470,
      cache_read: 131_700,
      cache_write: 14_400,
      micro_usd: 242_790,
    },
  ],
  progress_at: AT,
  progress_kind: 'output',
  cpu_at: AT,
  next_by: null,
};
const SHELL_TOKEN = 'bench-token-of-the-shell';
const agents = Array.from({ length: CONNECTIONS }, (_, n) => ({
  agent_id: `agent-${n}`,
  token: `bench-token-of-agent-${n}`,
}));

interface Load {
  readonly per_second: number;
  readonly p99_ms: number;
}

/** Requests of 64 connections, each of one agent with its own token, for some seconds. */
async function load(url: string, seconds: number): Promise<Load> {
  let next = 0;
  const result = await autocannon({
    url,
    method: 'POST',
    connections: CONNECTIONS,
    duration: seconds,
    setupClient: (client) => {
      const { agent_id, token } = agents[next++ % agents.length] ?? { agent_id: '', token: '' };
      const body = { agent_id, ...SAID };
      const headers = { 'content-type': 'application/json', 'x-caloron-token': token };
      client.setHeadersAndBody(headers, JSON.stringify(body));
    },
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refusals, ${result.errors} errors`);
  return { per_second: result.requests.average, p99_ms: result.latency.p99 };
}

/** Writes an agent per connection, each with a process that counts as running. */
async function spawnAgents(dir: string): Promise<void> {
  const store = openStore(join(dir, '.caloron', 'caloron.db'), {
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
  });
  for (const [n, { agent_id, token }] of agents.entries()) {
    await store.processes.begin(
      {
        process_id: `process-${n}`,
        action_id: String(n).padStart(32, '0'),
        agent_id,
        sprint_id: 'bench',
        task_id: `task-${n}`,
        role: 'author',
        mode: 'start',
        attempt: 1,
        pid: null,
        start_ticks: null,
        // Of another pid namespace: it lives as long as it beats.
        boot_id: bootId(),
        pid_ns: 'elsewhere',
        pgid: null,
        worktree: dir,
        branch: `caloron/bench/task-${n}`,
        base_sha: 'a'.repeat(40),
        log_file: join(dir, 'log'),
        state: 'spawning',
        exit: null,
      },
      createHash('sha256').update(token, 'utf8').digest('hex'),
    );
  }
  store.close();
}

/** Durable heartbeats per second and their p99 with 64 connections, and a bare Fastify echo beside them in the same run. */
export async function benchHeartbeats(): Promise<readonly Row[]> {
  const home = temporaryHome();
  await spawnAgents(home.dir);
  const env = {
    PATH: process.env['PATH'] ?? '',
    CALORON_SHELL_TOKEN: SHELL_TOKEN,
    CALORON_LOG_LEVEL: 'silent',
  };
  const shell = await start(
    join(ROOT, 'packages/shell/bin/caloron-shell.mjs'),
    ['--port', '0', '--home', home.dir],
    env,
  );
  const echo = await start(join(ROOT, 'test/bench/echo.ts'), [], env);
  try {
    const beats: Load[] = [];
    const echoes: Load[] = [];
    await load(`${echo.url}/echo`, WARM_UP_SECONDS);
    await load(`${shell.url}/heartbeat`, WARM_UP_SECONDS);
    for (let run = 0; run < RUNS; run += 1) {
      echoes.push(await load(`${echo.url}/echo`, SECONDS));
      beats.push(await load(`${shell.url}/heartbeat`, SECONDS));
    }
    const rates = (loads: readonly Load[]): readonly number[] => loads.map(({ per_second }) => per_second);
    const p99s = (loads: readonly Load[]): readonly number[] => loads.map(({ p99_ms }) => p99_ms);
    const shares = beats.map(({ per_second }, run) => (100 * per_second) / (echoes[run]?.per_second ?? NaN));
    return [
      { what: `bare Fastify echo, ${CONNECTIONS} connections`, unit: 'req/s', values: rates(echoes) },
      { what: 'the same, p99', unit: 'ms', values: p99s(echoes) },
      { what: `durable heartbeats, ${CONNECTIONS} connections`, unit: 'req/s', values: rates(beats) },
      { what: 'the same, p99', unit: 'ms', values: p99s(beats) },
      { what: 'heartbeats beside the echo', unit: '%', values: shares },
    ];
  } finally {
    await shell.stop();
    await echo.stop();
    home.remove();
  }
}
