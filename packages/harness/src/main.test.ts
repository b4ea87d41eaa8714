import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Exit, type Order } from '@caloron/types';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Bench, configOf, createBench } from '../test/bench.ts';

const BIN = join(import.meta.dirname, '..', 'bin', 'caloron-harness.mjs');

let bench: Bench;
beforeEach(async () => {
  bench = await createBench();
});
afterEach(async () => bench.close());

const file = (): string => join(bench.directory, 'order.json');

async function place(order: unknown): Promise<string> {
  await writeFile(file(), typeof order === 'string' ? order : JSON.stringify(order), { mode: 0o600 });
  return file();
}

async function exitFile(): Promise<Exit> {
  return Exit.parse(await bench.file('exit.json'));
}

interface Options {
  readonly order_file?: string;
  readonly signal?: AbortSignal;
}

const start = (options: Options): ReturnType<typeof run> => run(options);
function run({ order_file, signal }: Options) {
  return execa('node', [BIN, 'start'], {
    cwd: bench.worktree,
    env: { ...configOf({}).env, ...(order_file === undefined ? {} : { CALORON_ORDER_FILE: order_file }) },
    extendEnv: false,
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
}

const review = (): Order =>
  bench.order({ role: 'reviewer', mode: 'review', head_sha: bench.base_sha, verify: [['true']] });

describe('caloron-harness start', () => {
  it('does its order, deletes the file, and exits 0 with exit.json', async () => {
    const done = await start({ order_file: await place(review()) });

    expect(done.exitCode, done.stderr).toBe(0);
    expect(done.stdout).toBe('');
    expect(bench.shell.reports).toMatchObject([{ outcome: 'approved' }]);
    expect(await exitFile()).toMatchObject({ code: 0, known: true });
    await expect(access(file())).rejects.toThrow('ENOENT');
  });

  it('says what is wrong with an order without showing it, deletes it, and exits 1', async () => {
    const done = await start({ order_file: await place({ ...review(), repo: 'no-repo' }) });

    expect(done.exitCode).toBe(1);
    expect(done.stderr).toContain('HARNESS_ORDER_INVALID');
    expect(done.stderr).toContain('repo expected a repository like owner/name');
    expect(done.stderr).not.toContain('agent-token-of-p1');
    expect(await exitFile()).toMatchObject({ code: 1 });
    await expect(access(file())).rejects.toThrow('ENOENT');
  });

  it('never quotes an order that is not JSON', async () => {
    const done = await start({ order_file: await place('{"agent_token":"secret') });

    expect(done.exitCode).toBe(1);
    expect(done.stderr).toContain('not JSON');
    expect(done.stderr).not.toContain('secret');
  });

  it.each([undefined, '/nowhere/order.json'])('exits 1 without an order (%s)', async (order_file) => {
    const done = await start(order_file === undefined ? {} : { order_file });

    expect(done.exitCode).toBe(1);
    expect(done.stderr).toContain('HARNESS_ORDER_MISSING');
    await expect(exitFile()).rejects.toThrow('ENOENT');
  });

  it('ends its agent, reports and leaves exit.json on SIGTERM', async () => {
    const pid_file = join(bench.root, 'pid');
    const script = `echo $$ > ${pid_file}; exec sleep 600`;
    const framework = { name: 'command', options: { command: JSON.stringify(['sh', '-c', script]) } };

    const running = start({ order_file: await place(bench.order({ framework })) });
    await vi.waitFor(async () => expect(await readFile(pid_file, 'utf8')).toMatch(/^\d+\n$/), {
      timeout: 30_000,
    });
    const agent = Number(await readFile(pid_file, 'utf8'));
    running.kill('SIGTERM');
    const done = await running;

    expect(done.exitCode).toBe(1);
    expect(() => process.kill(agent, 0)).toThrow('ESRCH');
    expect(bench.shell.reports).toMatchObject([
      { outcome: 'failed', body: 'HARNESS_STOPPED: stopped: SIGTERM', exit: { code: 1 } },
    ]);
    expect(await exitFile()).toMatchObject({ code: 1, known: true });
  });
});
