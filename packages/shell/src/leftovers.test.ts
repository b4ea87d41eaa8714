import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { createLogger } from '@caloron/capabilities/logger';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { type ProcessRow, SpawnReply, StopReply } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { reportStrays } from './leftovers.ts';
import { createKeyedMutex } from './mutex.ts';
import { createSnapshots } from './snapshots.ts';
import type { RunningShell } from './start.ts';
import { createFixture, eventually, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const silent = createLogger({ name: 'test', level: 'silent' });

let fixture: Fixture;
let shell: RunningShell;
let processes: ChildProcess[];

beforeEach(async () => {
  processes = [];
  fixture = await createFixture();
  shell = await fixture.start();
  await fixture.kickoff();
});
afterEach(async () => {
  const known = fixture.store.processes.list().map(({ process_id }) => process_id);
  await fixture.close();
  for (const child of processes) child.kill('SIGKILL');
  for (const { pid } of taggedProcesses(new Set(known))) process.kill(pid, 'SIGKILL');
});

async function post(url: string, payload: object): Promise<unknown> {
  const headers = { 'x-caloron-token': SHELL_TOKEN };
  return (await shell.app.inject({ method: 'POST', url, headers, payload })).json();
}

async function started(todo: object): Promise<SpawnReply> {
  const instruction = JSON.stringify({ wait: true, ...todo });
  const reply = SpawnReply.parse(await post('/spawn', spawnOf({ instruction })));
  await fixture.seen(reply.process_id);
  return reply;
}

const stop = async (process_id: string): Promise<StopReply> =>
  StopReply.parse(await post('/stop', { process_id, grace_ms: 3000 }));

const settled = ({ process_id }: SpawnReply): Promise<ProcessRow> =>
  eventually(() => {
    const row = fixture.store.processes.get(process_id);
    return row?.exit === null ? undefined : row;
  });

const clone = (): string => join(fixture.home, '.caloron/tasks/s1/t1.git');
const saved = async (ref: string, file: string): Promise<string> =>
  (await git(['show', `${ref}:${file}`], { git_dir: clone() })).stdout;
const ref = (n: number): string => `refs/caloron/wip/s1/t1/${n}`;
const exists = (pid: number): boolean => existsSync(`/proc/${pid}/exe`);

/** A program that works until it is asked to end, then says so beside the worktree and tidies up. */
const TIDY = `
  const fs = require('node:fs');
  fs.writeFileSync('half.txt', 'half');
  process.on('SIGTERM', () => { fs.rmSync('half.txt'); fs.writeFileSync('../asked', ''); process.exit(); });
  fs.writeFileSync('../works', String(process.pid));
  setInterval(() => undefined, 1000);`;

/** One that does not listen, with a child in a session of its own. */
const DEAF = `
  const fs = require('node:fs');
  process.on('SIGTERM', () => undefined);
  const { pid } = require('node:child_process').spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  fs.writeFileSync('half.txt', 'half');
  fs.writeFileSync('../works', String(pid));
  setInterval(() => undefined, 1000);`;

describe('what a killed harness leaves running', () => {
  it('G11 is saved while it works, asked to end, and only then settled', async () => {
    const agent = await started({ program: TIDY });
    const beside = join(agent.worktree, '..');
    await eventually(() => existsSync(join(beside, 'works')));

    process.kill(agent.pid, 'SIGKILL');
    const row = await settled(agent);

    expect(row).toMatchObject({ state: 'exited', exit: { signal: 'SIGKILL' } });
    expect(taggedProcesses(new Set([agent.process_id]))).toEqual([]);
    expect(existsSync(join(beside, 'asked'))).toBe(true);
    expect(await saved(ref(1), 'half.txt')).toBe('half');
    expect(fixture.store.events.read({ after: 0, kinds: ['agent_exited'] })).toMatchObject([
      { payload: { process_id: agent.process_id, wip_ref: ref(1), wip_error: null } },
    ]);
  });

  if (SLOW)
    it('G11 is ended by the next shell when none was there, also where it does not listen or left its group', async () => {
      const agent = await started({ program: DEAF });
      await eventually(() => existsSync(join(agent.worktree, '../works')));
      expect(taggedProcesses(new Set([agent.process_id]))).toHaveLength(3);
      await shell.close();
      process.kill(agent.pid, 'SIGKILL');
      await eventually(() => !exists(agent.pid));

      shell = await fixture.start();
      const row = await settled(agent);

      expect(row).toMatchObject({ state: 'lost', exit: { known: false } });
      expect(taggedProcesses(new Set([agent.process_id]))).toEqual([]);
      expect(await saved(ref(1), 'half.txt')).toBe('half');
    });

  it('is left alone where the record says that it works in another home', async () => {
    const agent = await started({});
    const row = fixture.store.processes.get(agent.process_id)!;
    await stop(agent.process_id);
    await shell.close();
    const other = spawn('sleep', ['600'], { env: { CALORON_PROCESS_ID: 'copied' }, detached: true });
    processes.push(other);
    await once(other, 'spawn');
    const copied = { process_id: 'copied', action_id: 'c'.repeat(32), worktree: '/elsewhere/t1' };
    // The process of the record has ended.
    await fixture.store.processes.begin({ ...row, ...copied, state: 'running', exit: null }, 'a-hash');

    shell = await fixture.start();

    expect(fixture.store.processes.get('copied')).toMatchObject({ state: 'lost' });
    expect(exists(other.pid!)).toBe(true);
  });

  it('is told of and left alone where no record names it', async () => {
    const worktrees = join(fixture.home, '.caloron/worktrees');
    mkdirSync(join(worktrees, 's9'), { recursive: true });
    const stray = (tag: string, cwd: string): ChildProcess => {
      const child = spawn('sleep', ['600'], { env: { CALORON_PROCESS_ID: tag }, cwd, detached: true });
      processes.push(child);
      return child;
    };
    const lost = stray('no-row', join(worktrees, 's9'));
    const strays = [lost, stray('known', join(worktrees, 's9')), stray('no-row', fixture.home)];
    await Promise.all(strays.map((child) => once(child, 'spawn')));
    await eventually(() => taggedProcesses(new Set(['no-row', 'known'])).length >= 3);
    const told: unknown[] = [];

    reportStrays(worktrees, (id) => id === 'known', { ...silent, warn: (said: unknown) => told.push(said) });

    expect(told).toEqual([{ pid: lost.pid, process_id: 'no-row', cwd: join(worktrees, 's9') }]);
    for (const { pid } of strays) expect(exists(pid!)).toBe(true);
  });
});

describe('a stop', () => {
  it('saves the work before it asks, so that a program that tidies up loses none', async () => {
    const agent = await started({ write: { 'half.txt': 'half' }, drops: ['half.txt'] });

    expect(await stop(agent.process_id)).toMatchObject({
      wip_ref: ref(1),
      wip_before_ref: null,
      wip_error: null,
    });

    expect(existsSync(join(agent.worktree, 'half.txt'))).toBe(false);
    expect(await saved(ref(1), 'half.txt')).toBe('half');
  });

  it('saves again what changed until the end', async () => {
    const agent = await started({ write: { 'half.txt': 'half' }, drops: ['half.txt', 'README.md'] });

    expect(await stop(agent.process_id)).toMatchObject({ wip_ref: ref(2), wip_before_ref: ref(1) });

    expect(await saved(ref(1), 'half.txt')).toBe('half');
    await expect(saved(ref(2), 'README.md')).rejects.toMatchObject({ code: 'GIT_FAILED' });
  });

  if (SLOW)
    it('saves once what stays as it is', async () => {
      const agent = await started({ write: { 'half.txt': 'half' } });

      expect(await stop(agent.process_id)).toMatchObject({ wip_ref: ref(1), wip_before_ref: null });

      const { stdout } = await git(['for-each-ref', 'refs/caloron'], { git_dir: clone() });
      expect(stdout.split('\n')).toHaveLength(1);
    });

  if (SLOW)
    it('goes on when nothing can be saved, and says so', async () => {
      const agent = await started({ write: { 'half.txt': 'half' } });
      // No ref can be made below a file.
      writeFileSync(join(clone(), 'refs/caloron'), '');

      const reply = await stop(agent.process_id);

      expect(reply).toMatchObject({
        ok: true,
        wip_ref: null,
        wip_error: expect.stringContaining('refs/caloron'),
      });
      expect(exists(agent.pid)).toBe(false);
      expect(existsSync(join(agent.worktree, 'half.txt'))).toBe(true);
      expect(fixture.store.events.read({ after: 0, kinds: ['agent_exited'] })).toMatchObject([
        { payload: { wip_ref: null, wip_error: reply.wip_error } },
      ]);
    });
});

describe('a snapshot', () => {
  const row = { process_id: 'p1', worktree: '/w' } as ProcessRow;

  it('that takes too long is given up, and the next one of its process waits for that', async () => {
    const order: string[] = [];
    const take = createSnapshots({
      mutex: createKeyedMutex(),
      log: silent,
      async saveWip(_, reason, { signal }) {
        order.push(`begin ${reason}`);
        if (reason === 'long') await once(signal, 'abort');
        order.push(`end ${reason}`);
        signal.throwIfAborted();
        return 'a-ref';
      },
    });

    const both = await Promise.all([take(row, 'long', 50), take(row, 'short', 1000)]);

    expect(both).toEqual([
      { ref: null, error: 'it took longer than 0.05 s' },
      { ref: 'a-ref', error: null },
    ]);
    expect(order).toEqual(['begin long', 'end long', 'begin short', 'end short']);
  });

  it('is tried again where a program at work took a file away meanwhile', async () => {
    let tries = 0;
    const take = createSnapshots({
      mutex: createKeyedMutex(),
      log: silent,
      saveWip: () => ((tries += 1) === 1 ? Promise.reject(new Error('gone')) : Promise.resolve('a-ref')),
    });

    expect(await take(row, 'at work', 1000)).toEqual({ ref: 'a-ref', error: null });
  });
});
