import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';

import { systemClock } from '@caloron/capabilities/clock';
import { bootId } from '@caloron/capabilities/process-identity';
import { openStore } from '@caloron/store';
import type { ProcessRow } from '@caloron/types';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { startShell } from './start.ts';
import { createFixture, eventually, type Fixture, SHELL_TOKEN } from './testing/fixture.ts';
import { tokenHash } from './token.ts';

const Ready = z.object({ ready: z.literal(true), url: z.string(), pid: z.number() });
const AGENTS = Array.from({ length: 16 }, (_, n) => `beating-${n}`);

let fixture: Fixture;
let children: ChildProcess[];
beforeEach(async () => {
  fixture = await createFixture();
  children = [];
  for (const [n, agent_id] of AGENTS.entries())
    await fixture.store.processes.begin(processOf(agent_id, n), tokenHash(tokenOf(agent_id)));
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await fixture.close();
});

const tokenOf = (agent_id: string): string => `the-own-token-of-${agent_id}`;

/** Of another pid namespace: it lives as long as it beats. */
function processOf(agent_id: string, n: number): ProcessRow {
  return {
    process_id: `process-of-${agent_id}`,
    action_id: String(n).padStart(32, '0'),
    agent_id,
    sprint_id: 's1',
    task_id: `t${n}`,
    role: 'author',
    mode: 'start',
    attempt: 1,
    pid: null,
    start_ticks: null,
    boot_id: bootId(),
    pid_ns: 'elsewhere',
    pgid: null,
    worktree: fixture.home,
    branch: `caloron/s1/t${n}`,
    base_sha: fixture.base_sha,
    log_file: join(fixture.home, 'log'),
    state: 'spawning',
    exit: null,
  };
}

function beat(url: string, agent_id: string, changes: object = {}, token = tokenOf(agent_id)) {
  return fetch(`${url}/heartbeat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-caloron-token': token },
    body: JSON.stringify({ agent_id, sprint_id: 's1', status: 'working', ...changes }),
  });
}

async function answerOf(response: Response): Promise<unknown> {
  return { status: response.status, ...((await response.json()) as object) };
}

async function startKillable(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const env = { PATH: fixture.config.env['PATH'] ?? '', CALORON_SHELL_TOKEN: SHELL_TOKEN };
  const given = JSON.stringify({ home: fixture.home, remote: fixture.remote, env });
  const script = join(import.meta.dirname, 'testing/shell-process.ts');
  const child = spawn(process.execPath, [script, given], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { url: Ready.parse(JSON.parse(line)).url, child };
}

const tokensOf = (agent_id: string): number =>
  fixture.store.processes.agents('s1').find((agent) => agent.agent_id === agent_id)?.tokens_used ?? -1;

describe('a heartbeat', () => {
  it('that was answered is in the database though the shell is killed amid the next ones', async () => {
    const { url, child } = await startKillable();
    const answered = new Map<string, number>();
    const beating = Promise.allSettled(
      AGENTS.map(async (agent_id) => {
        for (let tokens_used = 1; ; tokens_used += 1) {
          const response = await beat(url, agent_id, { tokens_used });
          if (response.status !== 200) throw new Error(`status ${response.status}`);
          answered.set(agent_id, tokens_used);
        }
      }),
    );

    await eventually(() => AGENTS.every((agent_id) => (answered.get(agent_id) ?? 0) >= 5));
    child.kill('SIGKILL');
    await beating;

    for (const agent_id of AGENTS)
      expect([0, 1]).toContain(tokensOf(agent_id) - (answered.get(agent_id) ?? 0));
  });

  it('of one agent among many that is refused leaves the others taken', async () => {
    const shell = await fixture.start();

    const responses = await Promise.all(
      AGENTS.map((agent_id, n) => {
        if (n === 3) return beat(shell.url, agent_id, { tokens_used: -1 });
        if (n === 5) return beat(shell.url, agent_id, { tokens_used: 7 }, tokenOf('beating-6'));
        if (n === 7) return beat(shell.url, agent_id, { tokens_used: 7 }, 'of nobody');
        if (n === 9) return beat(shell.url, 'unknown', { tokens_used: 7 }, SHELL_TOKEN);
        return beat(shell.url, agent_id, { tokens_used: 7 });
      }),
    );

    const refusals: Readonly<Record<number, number>> = { 3: 400, 5: 403, 7: 401, 9: 404 };
    expect(responses.map(({ status }) => status)).toEqual(AGENTS.map((_, n) => refusals[n] ?? 200));
    expect(AGENTS.map(tokensOf)).toEqual(AGENTS.map((_, n) => (refusals[n] === undefined ? 7 : 0)));
  });

  it('waits for a database that another process holds, and is taken then', async () => {
    const shell = await fixture.start();
    const other = new DatabaseSync(fixture.config.db);
    other.exec('BEGIN IMMEDIATE');
    let answers = 0;

    const beats = AGENTS.map((agent_id) =>
      beat(shell.url, agent_id, { tokens_used: 3 }).finally(() => (answers += 1)),
    );
    const health = await fetch(`${shell.url}/health`);
    expect([health.status, answers]).toEqual([200, 0]);
    other.exec('COMMIT');
    other.close();

    expect((await Promise.all(beats)).map(({ status }) => status)).toEqual(AGENTS.map(() => 200));
    expect(AGENTS.map(tokensOf)).toEqual(AGENTS.map(() => 3));
  });

  it('is told to pause by a shell that was started after the pause was asked for', async () => {
    const first = await fixture.start();
    const pause = (): Promise<Response> =>
      fetch(`${first.url}/stop`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-caloron-token': SHELL_TOKEN },
        body: JSON.stringify({ process_id: 'process-of-beating-2', pause: 'budget: used up' }),
      });
    expect([(await pause()).status, (await pause()).status]).toEqual([200, 200]);
    await first.close();

    const second = await fixture.start();
    const told = { ok: true, command: 'pause', message: 'budget: used up' };
    for (let beats = 0; beats < 2; beats += 1)
      expect(await answerOf(await beat(second.url, 'beating-2'))).toEqual({ status: 200, ...told });
    expect(await answerOf(await beat(second.url, 'beating-3'))).toMatchObject({ command: null });
  });

  it('is told to stop once its process is settled, and refused an hour later, however often it beat before', async () => {
    let ahead_ms = 0;
    const clock = { now: () => new Date(Date.parse(systemClock.now()) + ahead_ms).toISOString() };
    const shell = await startShell({ ...fixture.config, log_level: 'silent' }, { clock });
    try {
      const running = { ok: true, command: null, message: null };
      expect(await answerOf(await beat(shell.url, 'beating-0'))).toEqual({ status: 200, ...running });

      // Another process of this home settles it: what the shell has at hand ends with it.
      const other = openStore(fixture.config.db, { clock, uuid: () => 'none' });
      const exit = { code: 0, signal: null, at: clock.now(), known: true };
      await other.processes.settle('process-of-beating-0', exit, 'exited');
      other.close();

      expect(await answerOf(await beat(shell.url, 'beating-0'))).toMatchObject({
        status: 200,
        command: 'stop',
      });
      expect(await answerOf(await beat(shell.url, 'beating-1'))).toEqual({ status: 200, ...running });
      ahead_ms = 3_600_001;
      expect(await answerOf(await beat(shell.url, 'beating-0'))).toMatchObject({
        status: 401,
        code: 'TOKEN_INVALID',
      });
      expect(await answerOf(await beat(shell.url, 'beating-1'))).toEqual({ status: 200, ...running });
    } finally {
      await shell.close();
    }
  });
});
