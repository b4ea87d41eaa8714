import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { runs, statOf, taggedProcesses } from '@caloron/capabilities/process-identity';
import { probeSandbox } from '@caloron/capabilities/sandbox';
import { SpawnReply, StatusReply } from '@caloron/types';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';

import { readConfig } from './config.ts';
import { createFixture, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

const PATIENCE = { timeout: 30_000 };
const works = (await probeSandbox(process.env['PATH'])).program !== null;

let fixture: Fixture;
let shells: ChildProcess[];
beforeEach(async () => {
  fixture = await createFixture();
  shells = [];
});
afterEach(async () => {
  for (const shell of shells) shell.kill('SIGKILL');
  const tags = new Set(fixture.store.processes.list().map(({ process_id }) => process_id));
  for (const { pid } of taggedProcesses(tags)) process.kill(pid, 'SIGKILL');
  await fixture.close();
});

/** A shell in a process of its own, with the real harness. */
async function startShell(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const env = Object.fromEntries(
    Object.entries(fixture.config.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  const given = JSON.stringify({
    home: fixture.home,
    remote: fixture.remote,
    env: { ...env, CALORON_HARNESS_BIN: readConfig({}).harness_bin },
  });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing/shell-process.ts'), given], {
    env: { PATH: env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  shells.push(child);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, url: z.object({ url: z.string() }).parse(JSON.parse(line)).url };
}

async function call(url: string, path: string, body?: object): Promise<unknown> {
  const headers = {
    'x-caloron-token': SHELL_TOKEN,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(`${url}${path}`, { ...sent, headers })).json();
}

/** Agents of the sprint run this script of /bin/sh. */
const kickoff = (script: string) =>
  fixture.kickoff(
    {},
    { framework: 'command', framework_options: { command: JSON.stringify(['/bin/sh', '-c', script]) } },
  );

/** Says whom it sees, then computes and hears no signal; so does what it leaves its group for. */
const STUBBORN = `trap '' TERM INT HUP
ls /proc | grep -c '^[0-9]' > seen.txt
cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c SHELL_TOKEN > tokens.txt
setsid sh -c "trap '' TERM INT HUP; while :; do :; done" </dev/null >/dev/null 2>&1 &
head -c 10000000 /dev/zero | tr '\\0' x
echo ready > ready.txt
while :; do sleep 1; done`;

it('a confined agent is adopted after its shell was killed, found by its tag, and ended with all it started', async () => {
  await kickoff(STUBBORN);
  const first = await startShell();
  const agent = SpawnReply.parse(await call(first.url, '/spawn', spawnOf()));
  const file = (name: string): string => join(agent.worktree, name);
  await expect.poll(() => existsSync(file('ready.txt')), PATIENCE).toBe(true);

  const gone = once(first.child, 'exit');
  first.child.kill('SIGKILL');
  await gone;
  const { url } = await startShell();
  const known = StatusReply.parse(await call(url, '/status'));
  const tagged = taggedProcesses(new Set([agent.process_id]));

  expect(known.agents).toMatchObject([{ agent_id: 'agent-1', pid: agent.pid }]);
  // Harness, shell script and the one that left its group, and the sandbox's own two where there is one.
  expect(tagged.length).toBeGreaterThanOrEqual(works ? 5 : 3);
  if (works) {
    expect(Number(readFileSync(file('seen.txt'), 'utf8'))).toBeLessThan(8);
    expect(readFileSync(file('tokens.txt'), 'utf8')).toBe('0\n');
  }
  const stopped = await call(url, '/stop', { process_id: agent.process_id, grace_ms: 500 });

  expect(stopped).toMatchObject({ ok: true, wip_error: null });
  const left = (): number[] => tagged.map(({ pid }) => pid).filter((pid) => alive(pid));
  await expect.poll(left, PATIENCE).toEqual([]);
  await expect.poll(() => taggedProcesses(new Set([agent.process_id])), PATIENCE).toEqual([]);
  const log_file = join(fixture.home, '.caloron/logs', `${agent.process_id}.log`);
  expect(readFileSync(log_file, 'utf8').length).toBeGreaterThan(0);
  expect(existsSync(join(fixture.home, '.caloron/agents', agent.process_id, 'sandbox'))).toBe(false);
});

function alive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && runs(stat);
}
