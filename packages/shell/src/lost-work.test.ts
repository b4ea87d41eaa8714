import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { SpawnReply } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readConfig } from './config.ts';
import type { RunningShell } from './start.ts';
import { createFixture, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let fixture: Fixture;
let shell: RunningShell;

beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start();
  await fixture.kickoff();
});
afterEach(() => fixture.close());

const post = (url: string, payload: object) =>
  shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });

async function worked(
  write: Readonly<Record<string, string>>,
  changes: Parameters<typeof spawnOf>[0] = {},
): Promise<SpawnReply> {
  const instruction = JSON.stringify({ wait: true, write });
  const reply = SpawnReply.parse((await post('/spawn', spawnOf({ instruction, ...changes }))).json());
  await fixture.seen(reply.process_id);
  return reply;
}

const settled = ({ process_id }: SpawnReply) =>
  expect
    .poll(() => fixture.store.processes.get(process_id)?.state, { timeout: 30_000 })
    .toMatch(/exited|lost/);

async function saved(task: string, n: number, file: string): Promise<string> {
  const git_dir = join(fixture.home, '.caloron/tasks/s1', `${task}.git`);
  return (await git(['show', `refs/caloron/wip/s1/${task}/${n}:${file}`], { git_dir })).stdout;
}

const cleanup = async (task_id: string) =>
  (await post('/cleanup', { sprint_id: 's1', task_id, merge_sha: null })).json();

describe('the work of an agent that died', () => {
  it('5.6.14 is saved as soon as its end is seen', async () => {
    const agent = await worked({ 'half.txt': 'half' });

    process.kill(-agent.pid, 'SIGKILL');
    await settled(agent);

    expect(await saved('t1', 1, 'half.txt')).toBe('half');
    expect(readFileSync(join(agent.worktree, 'half.txt'), 'utf8')).toBe('half');
  });

  it('5.6.8 is saved by the next shell when it died while none was there', async () => {
    const agent = await worked({ 'half.txt': 'half' });
    await shell.close();
    process.kill(-agent.pid, 'SIGKILL');
    await expect.poll(() => existsSync(`/proc/${agent.pid}/exe`), { timeout: 30_000 }).toBe(false);

    shell = await fixture.start();
    await settled(agent);

    expect(await saved('t1', 1, 'half.txt')).toBe('half');
  });
});

describe('an agent under the real harness that deletes its work when it is asked to end', () => {
  const CLEANS_UP = [
    process.execPath,
    '-e',
    `const fs = require('node:fs');
     const undo = () => { fs.rmSync('half.txt'); fs.rmSync('src', { recursive: true }); process.exit(); };
     for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, undo);
     fs.mkdirSync('src');
     fs.writeFileSync('src/deep.txt', 'deep');
     fs.writeFileSync('half.txt', 'half');
     setInterval(() => undefined, 1000);`,
  ];

  it('G2 loses nothing by a stop', async () => {
    await fixture.close();
    fixture = await createFixture();
    const framework_options = { command: JSON.stringify(CLEANS_UP) };
    await fixture.kickoff({}, { framework: 'command', framework_options });
    shell = await fixture.start({ harness_bin: readConfig({}).harness_bin });
    const agent = SpawnReply.parse((await post('/spawn', spawnOf())).json());
    const half = join(agent.worktree, 'half.txt');
    await expect.poll(() => existsSync(half), { timeout: 30_000 }).toBe(true);

    const reply = (await post('/stop', { process_id: agent.process_id, grace_ms: 5000 })).json();

    expect(reply).toMatchObject({ ok: true, wip_error: null });
    expect(existsSync(half)).toBe(false);
    expect(await saved('t1', 1, 'half.txt')).toBe('half');
    expect(await saved('t1', 1, 'src/deep.txt')).toBe('deep');
  });
});

describe('defects that lost work', () => {
  it('5.6.7 a second spawn of an agent that works is refused and leaves its worktree as it is', async () => {
    const agent = await worked({ 'half.txt': 'half' });

    expect((await post('/spawn', spawnOf())).statusCode).toBe(409);

    expect(readFileSync(join(agent.worktree, 'half.txt'), 'utf8')).toBe('half');
    expect(fixture.store.processes.get(agent.process_id)?.state).toBe('running');
  });

  it('5.6.10 a directory that is there already is never taken for the worktree', async () => {
    const there = join(fixture.home, '.caloron/worktrees/s1/t1');
    mkdirSync(there, { recursive: true });
    writeFileSync(join(there, 'mine.txt'), 'mine');

    expect((await post('/spawn', spawnOf())).json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });

    expect(readFileSync(join(there, 'mine.txt'), 'utf8')).toBe('mine');
  });

  if (SLOW)
    it('5.6.12 two tasks of one agent share neither branch nor directory nor what was saved', async () => {
      const first = await worked({ 'first.txt': 'first' });
      await post('/stop', { process_id: first.process_id, grace_ms: 3000 });
      const second = await worked({ 'second.txt': 'second' }, { task_id: 't2' });
      await post('/stop', { process_id: second.process_id, grace_ms: 3000 });

      expect(second.worktree).not.toBe(first.worktree);
      expect(second.branch).not.toBe(first.branch);
      expect(existsSync(join(second.worktree, 'first.txt'))).toBe(false);
      expect(await saved('t1', 1, 'first.txt')).toBe('first');
      expect(await saved('t2', 1, 'second.txt')).toBe('second');
      await expect(saved('t2', 1, 'first.txt')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    });

  it('5.6.13 a worktree is neither made nor looked for outside the root', async () => {
    for (const worktree_base of ['/tmp', '../elsewhere', '.caloron/worktrees/../..']) {
      const reply = await post('/spawn', spawnOf({ worktree_base }));

      expect(reply.json(), worktree_base).toMatchObject({ ok: false, code: 'REQUEST_INVALID' });
    }
    expect(fixture.store.processes.list()).toEqual([]);
  });
});

if (SLOW)
  describe('a clean-up', () => {
    it('keeps a worktree in which something an ended agent started still runs', async () => {
      const agent = await worked({});
      await post('/stop', { process_id: agent.process_id, grace_ms: 3000 });
      const env = { PATH: fixture.config.env['PATH'], CALORON_PROCESS_ID: agent.process_id };
      const left = spawn('sleep', ['60'], { env, stdio: 'ignore', detached: true });
      await once(left, 'spawn');
      try {
        expect(await cleanup('t1')).toMatchObject({
          removed: false,
          reason: expect.stringContaining('still runs'),
        });
        expect(existsSync(join(agent.worktree, '.git'))).toBe(true);
      } finally {
        left.kill('SIGKILL');
        await once(left, 'exit');
      }
      expect(await cleanup('t1')).toMatchObject({ removed: true });
    });
  });
