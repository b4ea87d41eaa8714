import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { git } from '@caloron/capabilities/git';
import { SpawnReply, StatusReply } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { statOf } from '@caloron/capabilities/process-identity';
import { createFixture, eventually, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const Ready = z.object({ ready: z.literal(true), url: z.string(), pid: z.number() });

let fixture: Fixture;
let processes: ChildProcess[];

beforeEach(async () => {
  fixture = await createFixture();
  processes = [];
  await fixture.kickoff();
});
afterEach(async () => {
  for (const child of processes) child.kill('SIGKILL');
  await fixture.close();
});

async function startProcess(command: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  processes.push(child);
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('it ended before it was ready')));
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string];
  ended.catch(() => undefined);
  return { child, ...Ready.parse(JSON.parse(line)) };
}

/** A shell in a process of its own, to be killed. */
function startKillable() {
  const env = Object.fromEntries(
    Object.entries(fixture.config.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  const script = join(import.meta.dirname, 'testing/shell-process.ts');
  return startProcess([script, JSON.stringify({ home: fixture.home, remote: fixture.remote, env })], {
    PATH: env['PATH'] ?? '',
  });
}

async function call(url: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'x-caloron-token': SHELL_TOKEN,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const waiting = JSON.stringify({ wait: true });

describe('a shell that is killed', () => {
  it('D20 leaves its agents running, and the next one adopts them', async () => {
    const first = await startKillable();
    const agent = SpawnReply.parse(await call(first.url, '/spawn', spawnOf({ instruction: waiting })));
    await fixture.seen(agent.process_id);

    await killed(first.child);
    const second = await fixture.start();

    expect(statOf(agent.pid)?.state).toMatch(/[RS]/);
    const { agents } = StatusReply.parse(await call(second.url, '/status'));
    expect(agents).toMatchObject([{ process_id: agent.process_id, pid: agent.pid, alive: true }]);
    expect(await call(second.url, '/spawn', spawnOf({ task_id: 't2' }))).toMatchObject({
      code: 'AGENT_BUSY',
    });
  });

  it.each(SLOW ? (['Cancelled', 'Done'] as const) : (['Cancelled'] as const))(
    'leaves an agent whose task is %s by the time the next one starts, which stops it and keeps its work',
    async (status) => {
      const first = await startKillable();
      const agent = SpawnReply.parse(await call(first.url, '/spawn', spawnOf({ instruction: waiting })));
      await fixture.seen(agent.process_id);
      writeFileSync(join(agent.worktree, 'half.txt'), 'half\n');
      await killed(first.child);
      await fixture.becomes('t1', { status });

      await fixture.start();

      const row = () => fixture.store.processes.get(agent.process_id);
      await eventually(() => row()?.state === 'exited' || row()?.state === 'lost');
      expect(statOf(agent.pid)?.state ?? 'Z').toBe('Z');
      expect(row()?.exit?.cause).toMatchObject({ class: 'stopped', sentence: `its task is ${status}` });
      const saved = await git(['for-each-ref', 'refs/caloron/wip/'], {
        git_dir: join(fixture.home, '.caloron/tasks/s1/t1.git'),
      });
      expect(saved.stdout).toContain('refs/caloron/wip/s1/t1/1');
    },
  );

  if (SLOW)
    it('leaves an agent whose end the next one sees', async () => {
      const first = await startKillable();
      const agent = SpawnReply.parse(await call(first.url, '/spawn', spawnOf({ instruction: waiting })));
      await fixture.seen(agent.process_id);
      await killed(first.child);
      await fixture.start();

      process.kill(agent.pid, 'SIGKILL');

      const row = await eventually(() => {
        const found = fixture.store.processes.get(agent.process_id);
        return found?.exit === null ? undefined : found;
      });
      expect(row).toMatchObject({ state: 'lost', exit: { code: null, signal: null, known: false } });
    });

  if (SLOW)
    it('settles what ended in between from the exit file the harness left', async () => {
      const first = await startKillable();
      const exit = { code: 5, signal: null, at: '2026-04-14T09:00:00.000Z', known: true };
      const agent = SpawnReply.parse(await call(first.url, '/spawn', spawnOf({ instruction: waiting })));
      await fixture.seen(agent.process_id);
      await killed(first.child);
      writeFileSync(
        join(fixture.home, '.caloron/agents', agent.process_id, 'exit.json'),
        JSON.stringify({ ...exit, more: 1 }),
      );
      process.kill(agent.pid, 'SIGKILL');
      await eventually(() => !['R', 'S', 'D'].includes(statOf(agent.pid)?.state ?? 'gone'));

      await fixture.start();

      expect(fixture.store.processes.get(agent.process_id)).toMatchObject({ state: 'exited', exit });
      expect(fixture.store.events.read({ after: 0, kinds: ['agent_exited'] })).toHaveLength(1);
    });

  it('between fork and record leaves a process that its tag finds', async () => {
    const shell = await fixture.start();
    const agent = SpawnReply.parse(await call(shell.url, '/spawn', spawnOf({ instruction: waiting })));
    await fixture.seen(agent.process_id);
    const row = fixture.store.processes.get(agent.process_id);
    await shell.close();
    // The same process as a shell would have left it that died right after the fork, under another action.
    const orphan = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], {
      env: { CALORON_PROCESS_ID: 'orphan' },
      detached: true,
      stdio: 'ignore',
    });
    processes.push(orphan);
    await fixture.store.processes.begin(
      {
        ...row!,
        process_id: 'orphan',
        action_id: 'f'.repeat(32),
        agent_id: 'agent-3',
        task_id: 't2',
        pid: null,
        start_ticks: null,
        pgid: null,
        state: 'spawning',
      },
      'hash-of-the-orphan',
    );

    const next = await fixture.start();

    expect(fixture.store.processes.get('orphan')).toMatchObject({ state: 'running', pid: orphan.pid });
    expect(await call(next.url, '/spawn', spawnOf({ task_id: 't2', agent_id: 'agent-4' }))).toMatchObject({
      code: 'TASK_BUSY',
    });
  });

  it('before the fork leaves a row that the next one settles as lost, and its action starts nothing', async () => {
    const shell = await fixture.start();
    const agent = SpawnReply.parse(await call(shell.url, '/spawn', spawnOf({ instruction: waiting })));
    const row = fixture.store.processes.get(agent.process_id);
    await shell.close();
    const action_id = 'e'.repeat(32);
    await fixture.store.processes.begin(
      {
        ...row!,
        process_id: 'unborn',
        action_id,
        agent_id: 'agent-3',
        task_id: 't2',
        pid: null,
        start_ticks: null,
        pgid: null,
        state: 'spawning',
      },
      'hash-of-the-unborn',
    );

    const next = await fixture.start();

    expect(fixture.store.processes.get('unborn')).toMatchObject({ state: 'lost', exit: { known: false } });
    const again = await call(next.url, '/spawn', spawnOf({ action_id, task_id: 't2', agent_id: 'agent-3' }));
    expect(again).toMatchObject({ ok: false, code: 'SPAWN_FAILED' });
  });
});

describe('the address of a shell', () => {
  const addressed = (): unknown =>
    JSON.parse(readFileSync(join(fixture.home, '.caloron/shell.json'), 'utf8'));

  it('stays the same where any port will do, and is left for agents where it cannot', async () => {
    const first = await fixture.start();
    expect(addressed()).toEqual({ v: 1, url: first.url });
    await first.close();
    const second = await fixture.start();
    expect(second.url).toBe(first.url);
    await second.close();

    const other = createServer();
    await new Promise<void>((resolve) => other.listen(Number(new URL(first.url).port), '127.0.0.1', resolve));
    try {
      const third = await fixture.start();

      expect(third.url).not.toBe(first.url);
      expect(addressed()).toEqual({ v: 1, url: third.url });
      expect(await call(third.url, '/status')).toEqual({ agents: [], listening_since: expect.any(String) });
    } finally {
      other.close();
    }
  });
});

describe('a home', () => {
  it('has one shell at a time, and a killed one does not hold it', async () => {
    const first = await startKillable();
    await expect(fixture.start()).rejects.toMatchObject({
      code: 'SHELL_ALREADY_RUNNING',
      details: { pid: first.pid },
    });

    await killed(first.child);

    await expect(fixture.start()).resolves.toMatchObject({
      url: expect.stringContaining('http://127.0.0.1:'),
    });
  });

  if (SLOW)
    it('goes to one of several shells that start at once', async () => {
      const results = await Promise.allSettled([startKillable(), startKillable(), startKillable()]);

      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });
});

describe('caloron-shell', () => {
  const bin = join(import.meta.dirname, '../bin/caloron-shell.mjs');
  const env = (): Record<string, string> => ({
    PATH: fixture.config.env['PATH'] ?? '',
    CALORON_LOG_LEVEL: 'error',
  });

  it('O11 prints one line when ready, makes a token file for this user alone, and ends with 0 on SIGTERM', async () => {
    const { child, url } = await startProcess([bin, '--port', '0', '--home', fixture.home], env());

    expect(await call(url, '/health')).toMatchObject({ ok: true, db_id: fixture.store.db_id });

    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });

  if (SLOW)
    it('O3 O11 says which port is taken and what to try', async () => {
      const shell = await fixture.start();
      const { port } = new URL(shell.url);
      const child = spawn(process.execPath, [bin, '--port', port, '--home', join(fixture.home, 'other')], {
        env: env(),
      });
      processes.push(child);
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));

      const [code] = await once(child, 'exit');

      expect(code).toBe(1);
      expect(said).toContain(`port ${port} on 127.0.0.1 is in use [SHELL_PORT_IN_USE]`);
      expect(said).toContain('--port N');
    });
});
