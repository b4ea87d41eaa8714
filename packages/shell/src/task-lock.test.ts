import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { bootId, pidNamespace, statOf } from '@caloron/capabilities/process-identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SHELL_TOKEN, spawnOf } from './testing/fixture.ts';
import { createTaskWorld, type TaskWorld } from './testing/task-world.ts';
import { withTaskLock } from './task-lock.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const task = { sprint_id: 's1', task_id: 't1' };

let world: TaskWorld;
beforeEach(async () => {
  world = await createTaskWorld();
});
afterEach(() => world.fixture.close());

const lock = (): string => join(world.paths.tasks, 's1/t1.lock');

/** Leaves the lock of another process. */
function heldBy(pid: number): void {
  const start_ticks = statOf(pid)?.start_ticks ?? '1';
  const holder = { pid, start_ticks, boot_id: bootId(), pid_ns: pidNamespace(), doing: 'sleep' };
  mkdirSync(join(world.paths.tasks, 's1'), { recursive: true });
  writeFileSync(lock(), JSON.stringify(holder));
}

describe('the lock of a task', () => {
  it('keeps others out until its work is done, also when that fails', async () => {
    const inner = withTaskLock(world.paths, task, 'try', () =>
      withTaskLock(world.paths, task, 'try again', () => Promise.resolve('never')),
    );
    await expect(inner).rejects.toMatchObject({
      code: 'TASK_LOCKED',
      details: { pid: process.pid, doing: 'try' },
    });

    expect(await withTaskLock(world.paths, task, 'try', () => Promise.resolve('done'))).toBe('done');
    expect(existsSync(lock())).toBe(false);
  });

  it('of a process that died counts for nothing, nor does what is no lock', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    heldBy(child.pid ?? 0);
    await expect(withTaskLock(world.paths, task, 'try', () => Promise.resolve())).rejects.toMatchObject({
      code: 'TASK_LOCKED',
    });
    child.kill('SIGKILL');
    await once(child, 'exit');

    expect(await withTaskLock(world.paths, task, 'try', () => Promise.resolve('done'))).toBe('done');
    writeFileSync(lock(), '{');
    expect(await withTaskLock(world.paths, task, 'try', () => Promise.resolve('done'))).toBe('done');
  });

  if (SLOW)
    it('lets no agent start and no worktree be removed while saved work is put back', async () => {
      await world.fixture.kickoff();
      const shell = await world.fixture.start();
      const post = async (url: string, payload: object): Promise<object> => {
        const headers = { 'x-caloron-token': SHELL_TOKEN };
        return (await shell.app.inject({ method: 'POST', url, headers, payload })).json();
      };
      const start = (): Promise<object> => post('/spawn', spawnOf({ instruction: '{"wait":true}' }));
      const cleanUp = (): Promise<object> => post('/cleanup', { ...task, merge_sha: null });
      const locked = { ok: false, code: 'TASK_LOCKED', retryable: true };

      expect(await withTaskLock(world.paths, task, 'put saved work back', start)).toMatchObject(locked);
      expect(world.fixture.store.processes.list()).toEqual([]);
      expect(await start()).toMatchObject({ ok: true });
      const [row] = world.fixture.store.processes.list();
      await post('/stop', { process_id: row?.process_id, grace_ms: 3000 });

      expect(await withTaskLock(world.paths, task, 'put saved work back', cleanUp)).toMatchObject(locked);
      expect(await cleanUp()).toMatchObject({ ok: true, removed: true });
    });
});

describe('locks that a killed git left in a clone', () => {
  it('keep no agent from starting', async () => {
    await world.fixture.commit('side', { 'side.txt': 'side' });
    await world.sync();
    const old = performance.timeOrigin / 1000 - 3600;
    for (const name of ['packed-refs.lock', 'refs/remotes/origin/main.lock', 'HEAD.lock']) {
      writeFileSync(join(world.clone, name), '');
      utimesSync(join(world.clone, name), old, old);
    }
    await world.fixture.commit('main', { 'more.txt': 'more' });

    const { heads } = await world.sync();

    expect(await world.agent(world.clone, 'rev-parse', 'refs/remotes/origin/main')).toBe(heads.get('main'));
    expect(existsSync(join(world.clone, 'packed-refs.lock'))).toBe(false);
  });

  it('are waited for while they may be held', async () => {
    const held = join(world.clone, 'packed-refs.lock');
    writeFileSync(held, 'of another');
    const syncing = world.sync();
    await delay(300);
    expect(readFileSync(held, 'utf8')).toBe('of another');

    rmSync(held);

    await expect(syncing).resolves.toBeDefined();
  });
});
