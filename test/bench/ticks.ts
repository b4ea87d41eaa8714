import { join } from 'node:path';

import { markerOf, newTask, type DagState, type Event, type Task } from '@caloron/types';
import {
  createRuntime,
  findHome,
  loadCatalog,
  loadGraph,
  readEnvironment,
  type Runtime,
} from '@caloron/scheduler';
import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { addUser } from '@caloron/forge';

import { temporaryHome } from '../support/home.ts';
import { stateOf, storeState } from '../support/stored-sprint.ts';
import { ROOT } from '../support/tree.ts';
import { start } from './process.ts';
import type { Row } from './table.ts';
import { Waiting } from './waiting.ts';

const TASKS = 200;
const EVENTS = 50;
const RUNS = 15;
const WARM_UP = 5;
const AT = '2026-01-01T00:00:00.000Z';
const SPRINT = 'bench';

function task(index: number): Task {
  const id = `task-${index}`;
  const start = {
    id,
    title: `Task ${index}`,
    description: 'A task of the benchmark.',
    depends_on: index < 20 ? [] : [`task-${index - 20}`],
    agent_id: `agent-${index}`,
    reviewer_id: 'reviewer-1',
  };
  const fresh = { ...newTask(SPRINT, start, AT), issue_number: index + 1 };
  return index < 60
    ? { ...fresh, status: 'InProgress', started_at: AT, attempt: 1, process_id: `process-${index}` }
    : fresh;
}

function state(repo: string, host: string): DagState {
  const tasks = Array.from({ length: TASKS }, (_, index) => task(index));
  const logins = { agent_logins: ['bench'], reviewer_logins: ['bench'] };
  const facts = { sprint_id: SPRINT, goal: 'measure', repo, host, stall_threshold_m: 20, ...logins };
  return stateOf(tasks, facts);
}

function failure(index: number, round: number): Event {
  return {
    type: 'agent_exited',
    event_id: `agent_exited:bench-${round}-${index}`,
    created_at: AT,
    actor: null,
    trusted: true,
    process_id: `late-${round}-${index}`,
    task_id: `task-${index}`,
    role: 'author',
    exit: { code: 0, signal: null, at: AT, known: true },
  };
}

interface Ticks {
  /** ms from asking for the run to its end. */
  readonly whole: readonly number[];
  /** The same without what the forge and the shell took. */
  readonly own: readonly number[];
}

async function measure(
  runtime: Runtime,
  waiting: Waiting,
  repo: string,
  prepare: (round: number) => Promise<void>,
): Promise<Ticks> {
  const path = join(ROOT, 'compositions/sprint_tick.json');
  const graph = loadGraph(path);
  const whole: number[] = [];
  const own: number[] = [];
  for (let round = 0; round < WARM_UP + RUNS; round += 1) {
    await prepare(round);
    const [begun, waited] = [performance.now(), waiting.total];
    const result = await runtime.run({ graph, graph_name: path, input: { sprint_id: SPRINT, repo } });
    const took = performance.now() - begun;
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
    // The first runs warm up.
    if (round < WARM_UP) continue;
    whole.push(took);
    own.push(took - (waiting.total - waited));
  }
  return { whole, own };
}

/** An idle tick and one with 50 events on a 200-task sprint, against a real forge and shell. */
export async function benchTicks(): Promise<readonly Row[]> {
  const home = temporaryHome();
  const data = join(home.dir, 'forge');
  const path = { PATH: process.env['PATH'] ?? '', CALORON_LOG_LEVEL: 'error' };
  const forge = await start(
    join(ROOT, 'packages/forge/bin/caloron-forge.mjs'),
    ['--port', '0', '--data', data],
    path,
  );
  const { token } = await addUser(data, 'bench');
  const post = async (path: string, body: unknown): Promise<void> => {
    const headers = { authorization: `token ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${forge.url}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`POST ${path}: HTTP ${answer.status}`);
  };
  const repo = 'bench/bench';
  await post('/user/repos', { name: 'bench', auto_init: true });
  for (let index = 0; index < TASKS; index += 1)
    await post(`/repos/${repo}/issues`, {
      title: `Task ${index}`,
      body: markerOf(SPRINT, `task-${index}`),
      labels: ['caloron:task'],
    });
  const variables = { ...path, CALORON_FORGE_TOKEN: token, CALORON_SHELL_TOKEN: 'bench-token-of-the-shell' };
  const shell = await start(
    join(ROOT, 'packages/shell/bin/caloron-shell.mjs'),
    ['--port', '0', '--home', home.dir],
    variables,
  );
  const waiting = new Waiting();
  const found = findHome({ flag: home.dir, cwd: home.dir });
  const runtime = createRuntime({
    home: found,
    environment: readEnvironment({ ...variables, CALORON_SHELL_URL: shell.url }, found),
    clock: systemClock,
    random: systemRandom,
    catalog: loadCatalog(),
    decorate: ({ forge: forges, shell: shells, ...made }) => ({
      ...made,
      ...(forges && { forge: { forge: waiting.watch(forges.forge) } }),
      ...(shells && { shell: { shell: waiting.watch(shells.shell) } }),
    }),
  });
  try {
    await storeState(runtime.store, state(repo, forge.url));
    const idle = await measure(runtime, waiting, repo, () => Promise.resolve());
    const busy = await measure(runtime, waiting, repo, async (round) => {
      for (let index = 0; index < EVENTS; index += 1)
        await runtime.store.events.appendEvent(SPRINT, failure(index, round));
    });
    return [
      { what: `idle tick, ${TASKS} tasks`, unit: 'ms', values: idle.whole },
      { what: 'the same without forge and shell', unit: 'ms', values: idle.own },
      { what: `tick with ${EVENTS} events, ${TASKS} tasks`, unit: 'ms', values: busy.whole },
      { what: 'the same without forge and shell', unit: 'ms', values: busy.own },
    ];
  } finally {
    runtime.close();
    await shell.stop();
    await forge.stop();
    home.remove();
  }
}
