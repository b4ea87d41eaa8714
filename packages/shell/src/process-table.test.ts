import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import type { LaunchOptions } from '@caloron/capabilities/launch';
import { createLogger } from '@caloron/capabilities/logger';
import { bootId, pidNamespace, taggedProcesses } from '@caloron/capabilities/process-identity';
import type { ProcessRow } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

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

function tableWith(snapshot: Snapshots): ProcessTable {
  const log = createLogger({ name: 'test', level: 'silent' });
  const table = createProcessTable({
    processes: fixture.store.processes,
    clock: systemClock,
    log,
    paths,
    snapshot,
  });
  tables.push(table);
  return table;
}

/** A start of which the row is written and no process is there yet. */
async function begun(): Promise<{ readonly row: ProcessRow; readonly options: LaunchOptions }> {
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

describe('recording an end', () => {
  it('does not depend on what lies where the order was', async () => {
    const { row } = await begun();
    mkdirSync(agentFiles(paths, 'p-1').order);

    await expect(tableWith(async () => NOTHING).reconcile(row)).resolves.toBe(true);

    expect(fixture.store.processes.get('p-1')).toMatchObject({ state: 'lost' });
  });
});
