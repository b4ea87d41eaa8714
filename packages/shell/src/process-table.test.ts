import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import type { LaunchOptions } from '@caloron/capabilities/launch';
import { createLogger } from '@caloron/capabilities/logger';
import { bootId, pidNamespace, taggedProcesses } from '@caloron/capabilities/process-identity';
import type { ProcessRow } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { agentFiles, pathsOf, type ShellPaths } from './paths.ts';
import { createProcessTable, type ProcessTable } from './process-table.ts';
import type { Snapshots } from './snapshots.ts';
import { createFixture, type Fixture } from './testing/fixture.ts';

let fixture: Fixture;
let paths: ShellPaths;
let tables: ProcessTable[];

beforeEach(async () => {
  fixture = await createFixture();
  paths = pathsOf(fixture.home);
  tables = [];
  await fixture.kickoff();
});
afterEach(async () => {
  for (const { pid } of taggedProcesses(new Set(['p-1']))) process.kill(pid, 'SIGKILL');
  for (const table of tables) await table.close();
  await fixture.close();
});

function tableWith(snapshot: Snapshots, heard_ms?: number): ProcessTable {
  const log = createLogger({ name: 'test', level: 'silent' });
  const table = createProcessTable({
    processes: fixture.store.processes,
    clock: systemClock,
    log,
    paths,
    snapshot,
    ...(heard_ms === undefined ? {} : { heard_ms }),
  });
  tables.push(table);
  return table;
}

/** A start of which the row is written and no process is there yet. */
async function begun(
  changes: Partial<ProcessRow> = {},
): Promise<{ readonly row: ProcessRow; readonly options: LaunchOptions }> {
  const row: ProcessRow = {
    process_id: 'p-1',
    action_id: 'a'.repeat(32),
    agent_id: 'agent-1',
    sprint_id: 's1',
    task_id: 't1',
    role: 'author',
    mode: 'start',
    attempt: 1,
    pid: null,
    start_ticks: null,
    boot_id: bootId(),
    pid_ns: pidNamespace(),
    pgid: null,
    worktree: join(paths.worktrees, 's1', 't1'),
    branch: 'caloron/s1/t1',
    base_sha: fixture.base_sha,
    log_file: join(paths.logs, 'p-1.log'),
    state: 'spawning',
    exit: null,
    ...changes,
  };
  await fixture.store.processes.begin(row, 'a-hash');
  const { harness_log, dir } = agentFiles(paths, 'p-1');
  mkdirSync(dir, { recursive: true });
  const options: LaunchOptions = {
    command: '/bin/sleep',
    args: ['600'],
    cwd: dirname(harness_log),
    env: { CALORON_PROCESS_ID: 'p-1' },
    output_file: harness_log,
  };
  return { row, options };
}

const NOTHING = { ref: null, error: null };

describe('a start that is stopped before its process is there', () => {
  it('is refused while the stop is recorded, and leaves no process', async () => {
    const { row, options } = await begun();
    let start: Promise<unknown> | undefined;
    const table = tableWith(async () => {
      // The stop has seen that nothing runs: the fork comes while it saves what is there.
      start ??= table.start(row, options).catch((error: unknown) => error);
      await start;
      return NOTHING;
    });

    await table.stop('p-1', 1000);

    expect(await start).toMatchObject({ code: 'SPAWN_FAILED' });
    expect(taggedProcesses(new Set(['p-1']))).toEqual([]);
    expect(fixture.store.processes.get('p-1')).toMatchObject({ state: 'lost' });
  });

  it('is refused after another process has recorded the stop, and leaves no process', async () => {
    const { row, options } = await begun();
    await tableWith(async () => NOTHING).stop('p-1', 1000);

    const start = tableWith(async () => NOTHING).start(row, options);

    await expect(start).rejects.toMatchObject({ code: 'SPAWN_FAILED' });
    expect(taggedProcesses(new Set(['p-1']))).toEqual([]);
  });
});

describe('stopping who works in another pid namespace', () => {
  const elsewhere = { pid: 4_194_300, start_ticks: '1', pid_ns: 'pid:[1]', state: 'running' } as const;

  it('D20 records no end that nobody saw: the row stays open, and its next heartbeat tells it to stop', async () => {
    const { row } = await begun(elsewhere);
    const table = tableWith(async () => NOTHING, 200);

    const stop = table.stop('p-1', 50, 'enough');

    await expect(stop).rejects.toMatchObject({
      code: 'STOP_FAILED',
      retryable: true,
      message: expect.stringContaining('another pid namespace'),
    });
    expect(fixture.store.processes.get('p-1')).toMatchObject({ state: 'running', exit: null });
    expect([table.stopping('p-1'), table.alive(row)]).toEqual([true, true]);
  });

  it('D20 records the end its harness wrote down, as soon as that is there', async () => {
    const { row } = await begun(elsewhere);
    const table = tableWith(async () => NOTHING, 10_000);
    const stop = table.stop('p-1', 50, 'enough');
    await vi.waitFor(() => expect(table.stopping('p-1')).toBe(true), 30_000);

    const exit = { code: 1, signal: null, at: systemClock.now(), known: true };
    writeFileSync(agentFiles(paths, 'p-1').exit, JSON.stringify(exit));

    expect(await stop).toMatchObject({ exit: { code: 1, cause: { class: 'stopped', sentence: 'enough' } } });
    expect(fixture.store.processes.get('p-1')).toMatchObject({ state: 'exited' });
    expect(table.alive(row)).toBe(false);
  });
});

describe('recording an end', () => {
  it('does not depend on what lies where the order was', async () => {
    const { row } = await begun();
    mkdirSync(agentFiles(paths, 'p-1').order);

    await expect(tableWith(async () => NOTHING).reconcile(row)).resolves.toBe(true);

    expect(fixture.store.processes.get('p-1')).toMatchObject({ state: 'lost' });
  });
});
