import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { configOf } from '../test/bench.ts';
import { type GroupRun, runGroup } from './run-group.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'caloron-group-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

function group(argv: readonly string[], change: Partial<GroupRun> = {}): GroupRun {
  return {
    argv,
    cwd: root,
    env: configOf({}).env,
    stdin: null,
    timeout_ms: 20_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
    ...change,
  };
}

const sh = (script: string): readonly string[] => ['sh', '-c', script];

async function pidIn(name: string): Promise<number> {
  return Number(await readFile(join(root, name), 'utf8'));
}

describe('a command in a group of its own', () => {
  it('gives its code and what it said, stdin included', async () => {
    const heard: string[] = [];

    const exit = await runGroup(
      group(sh('cat; echo err >&2; exit 3'), {
        stdin: 'in\n',
        onOutput: (text, stream) => heard.push(`${stream}:${text}`),
      }),
    );

    expect(exit).toEqual({ code: 3, signal: null, timed_out: false, stopped: false });
    expect(heard.sort()).toEqual(['stderr:err\n', 'stdout:in\n']);
  });

  it('survives a command that does not read its stdin', async () => {
    const exit = await runGroup(group(['true'], { stdin: 'x'.repeat(1_000_000) }));

    expect(exit.code).toBe(0);
  });

  it('has the environment given and nothing else', async () => {
    let said = '';
    await runGroup(
      group(['env'], {
        env: { PATH: configOf({}).env['PATH'] ?? '', ONE: '1' },
        onOutput: (text) => (said += text),
      }),
    );

    expect(said.split('\n').filter((line) => !/^(PATH=|PWD=|_=|$)/.test(line))).toEqual(['ONE=1']);
  });

  it('ends the whole group at the time limit, also members that ignore SIGTERM', async () => {
    const script = `trap '' TERM; sh -c 'trap "" TERM; while :; do sleep 0.1; done' & echo $! > ${root}/child; while :; do sleep 0.1; done`;

    const exit = await runGroup(group(sh(script), { timeout_ms: 2000 }));

    expect(exit).toMatchObject({ timed_out: true, signal: 'SIGKILL' });
    const child = await pidIn('child');
    expect(() => process.kill(child, 0)).toThrow('ESRCH');
  });

  it('ends what a command leaves running', async () => {
    const exit = await runGroup(group(sh(`sleep 600 & echo $! > ${root}/left`)));

    expect(exit.code).toBe(0);
    const left = await pidIn('left');
    expect(() => process.kill(left, 0)).toThrow('ESRCH');
  });

  it('does not wait for pipes held by a child that left the group', async () => {
    const wait = `until test -s ${root}/away; do sleep 0.02; done`;
    const exit = await runGroup(group(sh(`setsid sh -c 'echo $$ > ${root}/away; sleep 600' & ${wait}`)));

    expect(exit.code).toBe(0);
    // It holds them still.
    process.kill(-(await pidIn('away')), 'SIGKILL');
  });

  it('does not start at all when it has to stop already', async () => {
    const exit = await runGroup(group(sh(`echo > ${root}/started`), { signal: AbortSignal.abort() }));

    expect(exit.stopped).toBe(true);
    await expect(readFile(join(root, 'started'))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['a command that is not there', ['no-such-command-anywhere'], {}],
    ['a directory that is not there', ['true'], { cwd: '/nowhere/at/all' }],
    ['no command', [], {}],
  ])('refuses %s', async (_name, argv, change) => {
    await expect(runGroup(group(argv, change))).rejects.toMatchObject({ code: 'HARNESS_COMMAND_MISSING' });
  });
});
