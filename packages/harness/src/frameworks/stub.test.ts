import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench } from '../../test/bench.ts';
import type { FrameworkResult } from './framework.ts';
import { insideWorktree } from './inside.ts';
import { stub } from './stub.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await createBench({ 'a.txt': 'one two one\n' });
});
afterEach(async () => bench.close());

async function follow(
  steps: readonly unknown[],
  change: { attempt?: number; more?: object } = {},
): Promise<FrameworkResult> {
  await bench.script('t1', { v: 1, attempts: [{ steps, ...change.more }] });
  return run(change.attempt ?? 1);
}

async function run(attempt: number): Promise<FrameworkResult> {
  return stub.run({
    order: bench.order({ attempt }),
    prompt: '',
    prompt_file: '',
    directory: bench.directory,
    confine: (argv) => argv,
    dangerous: false,
    env: bench.deps({ env: { GITHUB_TOKEN: 'secret' } }).config.env,
    timeout_ms: 20_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  });
}

const text = async (name: string): Promise<string> => readFile(join(bench.worktree, name), 'utf8');

describe('the stub', () => {
  it('writes, replaces once and literally, deletes, and commits in its own name', async () => {
    const result = await follow([
      { write: 'deep/b.txt', content: 'b\n' },
      { replace: 'a.txt', find: 'one', with: '$& three' },
      { commit: 'Change a' },
      { delete: 'deep' },
      { commit: 'Drop deep' },
    ]);

    expect(result).toMatchObject({ code: 0, timed_out: false, stopped: false });
    expect(await text('a.txt')).toBe('$& three two one\n');
    const log = await git(['log', '--format=%an %s', `${bench.base_sha}..HEAD`], { cwd: bench.worktree });
    expect(log.stdout.split('\n')).toEqual([
      'caloron-agent-agent-1 Drop deep',
      'caloron-agent-agent-1 Change a',
    ]);
  });

  it('has nothing to commit when a script is followed again', async () => {
    const steps = [
      { write: 'b.txt', content: 'b' },
      { replace: 'a.txt', find: 'two', with: '2' },
      { commit: 'B' },
    ];
    await follow(steps);
    const before = (await git(['rev-parse', 'HEAD'], { cwd: bench.worktree })).stdout;

    const again = await follow(steps);

    expect(again.code).toBe(0);
    expect(again.text).toContain('nothing to commit');
    expect((await git(['rev-parse', 'HEAD'], { cwd: bench.worktree })).stdout).toBe(before);
  });

  it('uses the last attempt for all later ones', async () => {
    const attempts = [1, 2].map((n) => ({ steps: [{ say: `attempt ${n}` }] }));
    await bench.script('t1', { v: 1, attempts });

    const said = await Promise.all([1, 2, 3].map(async (attempt) => (await run(attempt)).text));

    expect(said).toEqual(['attempt 1', 'attempt 2', 'attempt 2']);
  });

  it('ends with its exit code and hands on its feedback', async () => {
    const result = await follow([], { more: { exit_code: 5, feedback: { task_clarity: 3 } } });

    expect(result).toMatchObject({ code: 5, feedback: { task_clarity: 3 } });
  });

  it.each([
    ['a command that fails', { run: ['false'] }, 'ended with 1'],
    ['a command that is missing', { run: ['no-such-command-anywhere'] }, 'not found'],
    ['a text that is not there', { replace: 'a.txt', find: 'nine', with: 'ten' }, 'not there'],
    ['a path outside', { write: '../x', content: '' }, 'leads out'],
  ])('ends with 1 at %s and does not go on', async (_name, step, said) => {
    const result = await follow([step, { write: 'later.txt', content: '' }]);

    expect(result.code).toBe(1);
    expect(result.text).toContain(said);
    await expect(text('later.txt')).rejects.toThrow('ENOENT');
  });

  it('shows its commands no token', async () => {
    await follow([{ run: ['sh', '-c', 'env > seen.txt'] }]);

    expect(await text('seen.txt')).toContain('CALORON_PROCESS_ID=p1');
    expect(await text('seen.txt')).not.toMatch(/secret|agent-token|ORDER_FILE/);
  });

  it.each([
    ['absent', undefined],
    ['not JSON', '{'],
    ['another shape', '{"v":1,"attempts":[{"steps":[{"jump":1}]}]}'],
  ])('refuses a script that is %s', async (_name, content) => {
    await mkdir(join(bench.root, 'scripts'), { recursive: true });
    if (content !== undefined) await writeFile(join(bench.root, 'scripts', 't1.json'), content);

    await expect(run(1)).rejects.toMatchObject({ code: 'HARNESS_SCRIPT_INVALID' });
  });
});

describe('a path of a script', () => {
  it.each(['b.txt', 'x/y/z.txt', './c', '.github/x', 'a/../b', '.gitignore'])(
    '%s is inside',
    async (path) => {
      await expect(insideWorktree(bench.worktree, path)).resolves.toContain(bench.worktree);
    },
  );

  it.each([
    '',
    '.',
    '..',
    '../x',
    'a/../../x',
    '/etc/passwd',
    '.git',
    '.git/config',
    'sub/.GIT/hooks/x',
    'a\0b',
    'out/x',
    'link',
    'dangling/x',
  ])('%j is refused', async (path) => {
    await symlink(bench.root, join(bench.worktree, 'out'));
    await symlink('/etc/passwd', join(bench.worktree, 'link'));
    await symlink('/nowhere/at/all', join(bench.worktree, 'dangling'));

    await expect(insideWorktree(bench.worktree, path)).rejects.toThrow();
  });
});
