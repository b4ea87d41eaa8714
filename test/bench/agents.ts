import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { execa } from 'execa';

import { agentsWorld } from './agents-world.ts';
import type { Row } from './table.ts';

const FILES = 5000;
const SPAWNS = 10;
const AGENTS = 50;
const STATUS_RUNS = 30;
const WATCH_MS = 5000;
/** Clock ticks of /proc/PID/stat are 10 ms on every Linux that Node runs on. */
const TICK_MS = 10;

async function timed(what: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await what();
  return performance.now() - started;
}

/** From the request to the running process on a repository of 5,000 files, and `git worktree add` and a fork by hand beside it. */
export async function benchSpawn(): Promise<readonly Row[]> {
  const world = await agentsWorld({ files: FILES, tasks: SPAWNS + 1 });
  const bare = async (n: number): Promise<void> => {
    const tree = join(world.dir, `bare-${n}`);
    await execa('git', ['-C', world.remote, 'worktree', 'add', '-b', `bare-${n}`, tree, world.base_sha]);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { cwd: tree });
    await once(child, 'spawn');
    child.kill('SIGKILL');
  };
  try {
    // The first one also copies the repository from the forge.
    const first = await timed(() => world.spawn(SPAWNS));
    await bare(SPAWNS);
    const spawns: number[] = [];
    const bares: number[] = [];
    for (let n = 0; n < SPAWNS; n += 1) {
      bares.push(await timed(() => bare(n)));
      spawns.push(await timed(() => world.spawn(n)));
    }
    return [
      { what: `git worktree add and a fork, ${FILES} files`, unit: 'ms', values: bares },
      { what: 'request to running agent, the same files', unit: 'ms', values: spawns },
      { what: 'the same, first of its repository', unit: 'ms', values: [first] },
    ];
  } finally {
    await world.close();
  }
}

function cpuMs(pid: number): number {
  // Fields 14 and 15 of proc_pid_stat(5), counted after the name, which may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function memoryMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return Number(kib) / 1024;
}

/** What 50 live agents, each beating once a second, cost the shell, and how fast it says how they are. */
export async function benchAgents(): Promise<readonly Row[]> {
  const world = await agentsWorld({ files: 100, tasks: AGENTS });
  const { pid } = world.shell;
  try {
    for (let n = 0; n < AGENTS; n += 1) await world.spawn(n);
    await delay(1000);
    const before = cpuMs(pid);
    await delay(WATCH_MS);
    const busy = (100 * (cpuMs(pid) - before)) / WATCH_MS;
    const latencies: number[] = [];
    for (let run = 0; run < STATUS_RUNS; run += 1) latencies.push(await timed(world.status));
    const what = `${AGENTS} agents alive`;
    return [
      { what: `${what}: status`, unit: 'ms', values: latencies },
      { what: `${what}: CPU of the shell, a beat a second each`, unit: '%', values: [busy] },
      { what: `${what}: memory of the shell`, unit: 'MiB', values: [memoryMiB(pid)] },
    ];
  } finally {
    await world.close();
  }
}
