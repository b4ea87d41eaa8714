import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ProcessHost, ProcessOrder } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { systemClock } from '../clock.ts';
import { statOf } from '../process-identity.ts';
import { createFolders } from './folders.ts';
import { programEnvironment } from './program-environment.ts';
import { createProcesses } from './process.ts';

let root: string;
let dir: string;
let host: ProcessHost;
const pids: number[] = [];

function open(): ProcessHost {
  return createProcesses({
    folders: createFolders({ root, allow: [], deny: [] }),
    dir,
    env: programEnvironment({ PATH: process.env['PATH'], SECRET: 's3cret', OPEN: 'yes' }, ['OPEN']),
    clock: systemClock,
  });
}

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'caloron-process-')));
  dir = join(root, '.caloron/processes');
  mkdirSync(join(root, 'sub'));
  host = open();
});
afterEach(() => {
  for (const pid of pids.splice(0)) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  rmSync(root, { recursive: true, force: true });
});

const order = (script: string, more: Partial<ProcessOrder> = {}): ProcessOrder => ({
  cmd: 'sh',
  args: ['-c', script],
  cwd: null,
  env: {},
  ...more,
});
const limits = { stdin: null, timeout_ms: 30_000, max_bytes: 1000 };

/** Runs a script whose time is over when it has written a file. */
async function late(script: string, file: string): Promise<unknown> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const ran = host.run({ ...order(script), ...limits, timeout_ms: 300 });
    ran.catch(() => undefined);
    await expect.poll(() => textOf(file)).toMatch(/\d\n$/);
    vi.advanceTimersByTime(300);
    vi.useRealTimers();
    return await ran;
  } finally {
    vi.useRealTimers();
  }
}

const textOf = (file: string): string =>
  readdirSync(root).includes(file) ? readFileSync(join(root, file), 'utf8') : '';

async function start(script: string): Promise<{ pid: number; started_at: number; output_path: string }> {
  const started = await host.spawn(order(script));
  pids.push(started.pid);
  return started;
}

const isGone = (pid: number): boolean => {
  const stat = statOf(pid);
  return stat === undefined || stat.state === 'Z';
};

describe('a command', () => {
  it('gives its exit code and both outputs', async () => {
    expect(await host.run({ ...order('cat; echo err >&2; exit 3'), ...limits, stdin: 'in' })).toEqual({
      exit_code: 3,
      signal: null,
      stdout: 'in',
      stderr: 'err\n',
      truncated: false,
    });
    expect(await host.run({ ...order('kill -TERM $$'), ...limits })).toMatchObject({
      exit_code: null,
      signal: 'SIGTERM',
    });
  });

  it('works in the project or below it, and nowhere else', async () => {
    expect(await host.run({ ...order('pwd'), ...limits })).toMatchObject({ stdout: `${root}\n` });
    expect(await host.run({ ...order('pwd', { cwd: 'sub' }), ...limits })).toMatchObject({
      stdout: `${root}/sub\n`,
    });
    await expect(host.run({ ...order('pwd', { cwd: '..' }), ...limits })).rejects.toMatchObject({
      code: 'PROCESS_FOLDER_REFUSED',
    });
  });

  it('sees the harmless variables, the allowed ones and its own', async () => {
    const { stdout } = await host.run({ ...order('env', { env: { OWN: '1' } }), ...limits });

    expect(stdout).toContain('OPEN=yes');
    expect(stdout).toContain('OWN=1');
    expect(stdout).not.toContain('s3cret');
  });

  it('keeps the first bytes of a longer output and lets the program go on', async () => {
    const end = await host.run({ ...order('yes | head -c 1000000; echo done >&2'), ...limits });

    expect(end).toMatchObject({ exit_code: 0, truncated: true, stderr: 'done\n' });
    expect(end.stdout).toHaveLength(1000);
  });

  it('is killed at its timeout with all it started', async () => {
    const script = `sleep 60 & echo $! > ${root}/child; wait`;

    await expect(late(script, 'child')).rejects.toMatchObject({ code: 'PROCESS_TIMEOUT', retryable: true });
    const child = Number(readFileSync(join(root, 'child'), 'utf8'));
    await expect.poll(() => isGone(child)).toBe(true);
  });

  it("is killed at the signal, and the signal's reason is the error", async () => {
    const abort = new AbortController();
    const ran = host.run({ ...order(`echo $$ > ${root}/own; sleep 60`), ...limits, signal: abort.signal });
    ran.catch(() => undefined);
    await expect.poll(() => textOf('own')).toMatch(/\d\n$/);
    abort.abort(new Error('the run ended'));

    await expect(ran).rejects.toThrow('the run ended');
    await expect.poll(() => isGone(Number(readFileSync(join(root, 'own'), 'utf8')))).toBe(true);
  });

  it('is not waited for beyond its end or its timeout for the sake of what left its group', async () => {
    const away = `setsid sh -c 'echo $$ > ${root}/escaped; exec sleep 60' &`;
    const escaped = `${away} until test -s ${root}/escaped; do sleep 0.02; done; echo started`;
    const pidOf = (): number => Number(readFileSync(join(root, 'escaped'), 'utf8'));

    expect(await host.run({ ...order(escaped), ...limits })).toMatchObject({ stdout: 'started\n' });
    pids.push(pidOf());
    rmSync(join(root, 'escaped'));
    await expect(late(`${escaped}; sleep 60`, 'escaped')).rejects.toMatchObject({ code: 'PROCESS_TIMEOUT' });
    pids.push(pidOf());
  });

  it('that has ended does not wait for what it left running', async () => {
    const end = await host.run({ ...order('sleep 60 & echo started'), ...limits });

    expect(end).toMatchObject({ exit_code: 0, stdout: 'started\n' });
  });

  it.each([
    ['no-such-program', []],
    ['', []],
    ['sh', ['-c', 'x\0secret']],
  ])('%j that cannot be started says so, without its arguments', async (cmd, args) => {
    const error: unknown = await host
      .run({ cmd, args, cwd: null, env: {}, ...limits })
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'PROCESS_START_FAILED' });
    expect(JSON.stringify([String(error), error])).not.toContain('secret');
  });
});

describe('a started process', () => {
  it('goes on, writes to its file, and is waited for', async () => {
    const { pid, output_path } = await start('echo out; echo err >&2; exit 4');

    expect(await host.wait({ pid, started_at: null }, 5000)).toEqual({ exited: true, exit_code: 4 });
    expect(readFileSync(output_path, 'utf8')).toBe('out\nerr\n');
    expect(await host.signal({ pid, started_at: null }, 'TERM')).toBe(false);
    expect(await host.kill({ pid, started_at: null })).toBe(false);
  });

  it('that runs on is told so at the timeout', async () => {
    const { pid } = await start('sleep 60');

    expect(await host.wait({ pid, started_at: null }, 100)).toEqual({ exited: false, exit_code: null });
    const abort = AbortSignal.abort(new Error('the run ended'));
    await expect(host.wait({ pid, started_at: null }, 5000, abort)).rejects.toThrow('the run ended');
  });

  it('is known, signalled and killed by a later run', async () => {
    const { pid, started_at } = await start(`trap 'echo got; exit 0' USR1; while :; do sleep 0.05; done`);
    const later = open();
    // The shell has to set its trap first.
    await expect.poll(async () => (await later.wait({ pid, started_at }, 100)).exited).toBe(false);

    expect(await later.signal({ pid, started_at }, 'sigusr1')).toBe(true);
    expect(await later.wait({ pid, started_at }, 5000)).toEqual({ exited: true, exit_code: null });
    const { pid: other } = await start('sleep 60 & wait');
    expect(await later.kill({ pid: other, started_at: null })).toBe(true);
    expect(await later.wait({ pid: other, started_at: null }, 5000)).toMatchObject({ exited: true });
  });

  it('is never mistaken for another one that has its pid', async () => {
    const { pid } = await start('sleep 60');
    const file = join(dir, `${pid}.json`);
    const record = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...record, start_ticks: '1' }));
    const later = open();

    expect(await later.kill({ pid, started_at: null })).toBe(false);
    expect(await later.signal({ pid, started_at: null }, 'KILL')).toBe(false);
    expect(isGone(pid)).toBe(false);
    await expect(host.kill({ pid, started_at: 1 })).rejects.toMatchObject({ code: 'PROCESS_UNKNOWN' });
    expect(isGone(pid)).toBe(false);
  });

  it('is unknown where its record names another process', async () => {
    const { pid } = await start('sleep 60');
    const record = readFileSync(join(dir, `${pid}.json`), 'utf8');
    writeFileSync(join(dir, '424242.json'), record);

    await expect(host.kill({ pid: 424_242, started_at: null })).rejects.toMatchObject({
      code: 'PROCESS_UNKNOWN',
    });
    expect(isGone(pid)).toBe(false);
  });

  it.each([[process.pid], [1], [999_999_999], [-1], [0]])(
    'of pid %i is unknown: it was not started here',
    async (pid) => {
      await expect(host.kill({ pid, started_at: null })).rejects.toMatchObject({ code: 'PROCESS_UNKNOWN' });
      await expect(host.wait({ pid, started_at: null }, 1)).rejects.toMatchObject({
        code: 'PROCESS_UNKNOWN',
      });
    },
  );

  it('takes no signal that does not exist', async () => {
    const { pid } = await start('sleep 60');

    for (const name of ['NOPE', '', '9', '__proto__', 'TERM; true'])
      await expect(host.signal({ pid, started_at: null }, name)).rejects.toMatchObject({
        code: 'PROCESS_SIGNAL_UNKNOWN',
      });
  });

  it('is forgotten a week after it ended', async () => {
    const { pid, output_path } = await start('true');
    await host.wait({ pid, started_at: null }, 5000);
    utimesSync(join(dir, `${pid}.json`), 0, 0);
    const next = await start('true');
    await host.wait({ pid: next.pid, started_at: null }, 5000);

    expect(readdirSync(dir).map((name) => join(dir, name))).not.toContain(output_path);
    expect(readdirSync(dir)).not.toContain(`${pid}.json`);
    expect(readdirSync(dir)).toContain(`${next.pid}.json`);
  });
});
