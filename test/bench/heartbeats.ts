import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore } from '@caloron/store';
import autocannon from 'autocannon';

import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';
import { start } from './process.ts';
import type { Row } from './table.ts';

const CONNECTIONS = 64;
const SECONDS = 3;
const RUNS = 5;
const AT = '2026-01-01T00:00:00.000Z';
const TOKEN = 'bench-token-of-the-shell';

async function load(url: string, headers: Readonly<Record<string, string>>, body: unknown): Promise<number> {
  const result = await autocannon({
    url,
    method: 'POST',
    connections: CONNECTIONS,
    duration: SECONDS,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refusals, ${result.errors} errors`);
  return result.requests.average;
}

/** Heartbeats per second with 64 connections, and a bare Fastify echo beside them in the same run. */
export async function benchHeartbeats(): Promise<readonly Row[]> {
  const home = temporaryHome();
  const store = openStore(join(home.dir, '.caloron', 'caloron.db'), {
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
  });
  await store.processes.begin(
    {
      process_id: 'process-1',
      action_id: 'a'.repeat(32),
      agent_id: 'agent-1',
      sprint_id: 'bench',
      task_id: 'task-1',
      role: 'author',
      mode: 'start',
      attempt: 1,
      pid: null,
      start_ticks: null,
      boot_id: '',
      pid_ns: '',
      pgid: null,
      worktree: home.dir,
      branch: 'caloron/bench/task-1',
      base_sha: 'a'.repeat(40),
      log_file: join(home.dir, 'log'),
      state: 'spawning',
      exit: null,
    },
    'f'.repeat(64),
  );
  store.close();
  const env = { PATH: process.env['PATH'] ?? '', CALORON_SHELL_TOKEN: TOKEN, CALORON_LOG_LEVEL: 'silent' };
  const shell = await start(
    join(ROOT, 'packages/shell/bin/caloron-shell.mjs'),
    ['--port', '0', '--home', home.dir],
    env,
  );
  const echo = await start(join(ROOT, 'test/bench/echo.ts'), [], env);
  try {
    const beats: number[] = [];
    const echoes: number[] = [];
    const body = {
      agent_id: 'agent-1',
      sprint_id: 'bench',
      status: 'working',
      tokens_used: 10,
      progress_at: AT,
    };
    for (let run = 0; run < RUNS; run += 1) {
      echoes.push(await load(`${echo.url}/echo`, {}, body));
      beats.push(await load(`${shell.url}/heartbeat`, { 'x-caloron-token': TOKEN }, body));
    }
    return [
      { what: `bare Fastify echo, ${CONNECTIONS} connections`, unit: 'req/s', values: echoes },
      { what: `heartbeats, ${CONNECTIONS} connections`, unit: 'req/s', values: beats },
    ];
  } finally {
    await shell.stop();
    await echo.stop();
    home.remove();
  }
}
