import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { ownWorktree } from '../../packages/shell/src/git/own-worktree.ts';
import { saveWip } from '../../packages/shell/src/git/wip.ts';
import { createTaskWorld, type TaskWorld, write } from '../../packages/shell/src/testing/task-world.ts';
import { must, run } from '../support/bins.ts';

const Listed = z.object({ data: z.array(z.object({ ref: z.string(), n: z.number(), what: z.string() })) });

let world: TaskWorld;
let at: string;

/** An author's worktree with changed, staged, new and deleted files, saved once and still as it was. */
beforeEach(async () => {
  world = await createTaskWorld();
  await world.fixture.kickoff();
  const own = await world.prepareAuthor();
  at = own.path;
  write(at, { 'staged.txt': 'staged\n' });
  await world.agent(at, 'add', 'staged.txt');
  write(at, { 'staged.txt': 'on disk\n', 'new.txt': 'one\ntwo\n' });
  rmSync(join(at, 'README.md'));
  await saveWip(world.clean, { ...world.author, own, reason: 'stopped' });
});
afterEach(() => world.fixture.close());

const wip = (...args: string[]) =>
  run('caloron', ['wip', ...args, '--home', world.fixture.home], { cwd: world.fixture.home });
const wipMust = (...args: string[]) =>
  must('caloron', ['wip', ...args, '--home', world.fixture.home], { cwd: world.fixture.home });
const outside = (name: string): string => join(world.fixture.home, '..', name);
const STATUS = ' D README.md\nAM staged.txt\n?? new.txt';

describe('caloron wip', () => {
  it('lists saved work and shows its files and its patch', async () => {
    expect(Listed.parse(JSON.parse(await wipMust('list', '--output', 'json'))).data).toEqual([
      { ref: 'refs/caloron/wip/s1/t1/1', n: 1, what: 'unfinished work (stopped)' },
    ]);
    expect(await wipMust('list')).toMatch(/s1 +t1 +1 +20\S+Z +unfinished work \(stopped\)/);
    expect(await wipMust('list', '--task', 't2')).toBe('no unfinished work was saved');

    const shown = await wipMust('show', 't1');
    expect(shown).toContain('3 files; what was staged differs');
    expect(shown).toMatch(/deleted +\+0 -1 +README\.md\nadded +\+2 -0 +new\.txt\nadded +\+1 -0 +staged\.txt/);
    expect(shown).toContain('./caloron wip restore t1 1 --sprint s1');

    const patch = await wipMust('show', 'refs/caloron/wip/s1/t1/1', '--diff');
    const elsewhere = outside('elsewhere');
    await git(['clone', '--quiet', world.fixture.remote, elsewhere], {});
    await git(['apply', '-'], { cwd: elsewhere, stdin: `${patch}\n` });
    expect(readFileSync(join(elsewhere, 'new.txt'), 'utf8')).toBe('one\ntwo\n');
  });

  it('G2 restores into a new directory with branch, index and files as they were', async () => {
    const dir = outside('restored');

    const said = await wipMust('restore', 't1', '1', '--into', dir);

    expect(said).toContain(`next: git -C ${dir} status`);
    expect(await world.agent(dir, 'status', '--porcelain')).toBe(STATUS);
    expect(await world.agent(dir, 'show', ':staged.txt')).toBe('staged');
    expect(await world.agent(dir, 'rev-parse', 'HEAD')).toBe(world.fixture.base_sha);
    expect(await world.agent(dir, 'branch', '--show-current')).toBe('caloron/s1/t1');
    // It stands alone: the home may go.
    rmSync(world.clone, { recursive: true });
    expect(await world.agent(dir, 'fsck', '--connectivity-only')).toBe('');
  });

  it('restores into a clean repository at the same commit, and into no other', async () => {
    const dir = outside('mine');
    await git(['clone', '--quiet', world.fixture.remote, dir], {});
    write(dir, { 'README.md': 'of mine\n' });

    const dirty = await wip('restore', 't1', '--into', dir);
    expect(dirty).toMatchObject({ code: 1, stderr: expect.stringMatching(/WIP_TARGET_DIRTY[^]*next: /) });
    expect(await world.agent(dir, 'status', '--porcelain')).toBe(' M README.md');

    await world.agent(dir, 'commit', '--quiet', '-am', 'mine');
    const moved = await wip('restore', 't1', '--into', dir);
    expect(moved).toMatchObject({ code: 1, stderr: expect.stringContaining('--branch NAME') });
    expect(await world.agent(dir, 'status', '--porcelain')).toBe('');

    await world.agent(dir, 'reset', '--quiet', '--hard', 'HEAD^');
    await wipMust('restore', 't1', '--into', dir);
    expect(await world.agent(dir, 'status', '--porcelain')).toBe(STATUS);
  });

  it('restores as a new branch, never over one that exists', async () => {
    const dir = outside('mine');
    await git(['clone', '--quiet', world.fixture.remote, dir], {});
    const args = ['wip', 'restore', 't1', '--branch', 'saved', '--home', world.fixture.home];

    expect(await must('caloron', args, { cwd: dir })).toContain('next: git log -p -1 saved');

    expect(await world.agent(dir, 'show', 'saved:staged.txt')).toBe('on disk');
    expect(await world.agent(dir, 'rev-parse', 'saved^@')).toBe(world.fixture.base_sha);
    expect(await world.agent(dir, 'status', '--porcelain')).toBe('');
    const again = await run('caloron', args, { cwd: dir });
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('stays as it is') });
  });

  it('restores into the task’s own worktree when that is clean', async () => {
    expect(await wip('restore', 't1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('WIP_TARGET_DIRTY'),
    });
    expect(await world.agent(at, 'status', '--porcelain')).toBe(STATUS);

    await world.agent(at, 'reset', '--quiet', '--hard');
    await world.agent(at, 'clean', '-fdq');
    const said = await wipMust('restore', 't1');

    expect(said).toContain(`next: git -C ${at} status`);
    expect(await world.agent(at, 'status', '--porcelain')).toBe(STATUS);
    expect(await world.agent(at, 'show', ':staged.txt')).toBe('staged');
  });

  it('restores commits that were on no branch, and what lies in the way stays', async () => {
    const { path } = await world.prepareReview();
    write(path, { 'fix.txt': 'a fix\n' });
    await world.agent(path, 'add', '--all');
    await world.agent(path, 'commit', '--quiet', '-m', 'a fix');
    await world.prepareReview();
    const dir = outside('full');
    mkdirSync(dir);
    writeFileSync(join(dir, 'precious.txt'), 'mine');

    expect(await wip('restore', 't1', '--into', dir)).toMatchObject({ code: 1 });
    expect(readFileSync(join(dir, 'precious.txt'), 'utf8')).toBe('mine');
    expect(existsSync(join(dir, '.git'))).toBe(false);

    await wipMust('restore', 't1', '2', '--into', outside('restored'));
    expect(await world.agent(outside('restored'), 'log', '-1', '--format=%s')).toBe('a fix');
    expect(await world.agent(outside('restored'), 'status', '--porcelain')).toBe('');
  });

  it('G2 restores repositories inside with their branches and stashes, and tells of what is not kept', async () => {
    const inner = join(at, 'inner');
    await git(['init', '--quiet', inner], {});
    write(inner, { 'a.txt': 'a' });
    await world.agent(inner, 'add', '--all');
    await world.agent(inner, 'commit', '--quiet', '-m', 'main');
    await world.agent(inner, 'switch', '--quiet', '--create', 'other');
    await world.agent(inner, 'commit', '--quiet', '--allow-empty', '-m', 'other');
    await world.agent(inner, 'clone', '--quiet', '--depth=1', `file://${inner}`, '../shallow');
    await world.agent(inner, 'switch', '--quiet', 'main');
    for (const content of ['first', 'second']) {
      write(inner, { 'a.txt': content });
      await world.agent(inner, 'stash', '--quiet');
    }
    write(inner, { 'a.txt': 'changed' });
    const refs = () => world.agent(inner, 'for-each-ref', '--format=%(refname) %(objectname)');
    const before = await refs();
    const own = ownWorktree(world.author.root, world.clone, at);
    if (own === undefined) throw new Error('no worktree');
    await saveWip(world.clean, { ...world.author, own, reason: 'stopped' });

    const shown = await wipMust('show', 't1');
    expect(shown).toContain('repository inside, inner: kept with main, other and 2 stashed changes');
    expect(shown).toMatch(/shallow: only its files are kept, no commits \(other\): its history is shallow/);

    const dir = outside('restored');
    expect(await wipMust('restore', 't1', '--into', dir)).toContain('inner is a repository again');
    rmSync(inner, { recursive: true });
    rmSync(world.clone, { recursive: true });
    const again = join(dir, 'inner');
    const ask = (...args: string[]) => world.agent(again, ...args);
    expect(await ask('for-each-ref', '--format=%(refname) %(objectname)')).toBe(before);
    expect(await ask('stash', 'list', '--format=%s')).toMatch(/^WIP on main: .*\nWIP on main: /);
    expect(await ask('show', 'stash@{1}:a.txt')).toBe('first');
    expect(await ask('branch', '--show-current')).toBe('main');
    expect(await ask('status', '--porcelain')).toBe(' M a.txt');
    expect(await ask('fsck', '--connectivity-only')).toBe('');
    expect(existsSync(join(dir, 'shallow', '.git'))).toBe(false);
  });

  it('answers what cannot be done with what is wrong and the next step', async () => {
    const cases = [
      [['show', 't9'], /no saved work of task t9 \[CLI_NOT_FOUND\]\n {2}next: \.\/caloron wip list/],
      [['show', 't1', '7'], /no saved work of task t1 7 \[CLI_NOT_FOUND\]/],
      [['show', '../t1'], /CLI_USAGE/],
      [['show', 't1', '--', '-1'], /expected a whole number from 1 \[CLI_USAGE\]/],
      [['restore', 't1', '--into', 'a', '--branch', 'b'], /one of them \[CLI_USAGE\]/],
      [['restore', 't1', '--into', '../home/.caloron/worktrees/x'], /WIP_TARGET_UNFIT/],
      [['restore', 't1', '--branch', 'a..b'], /WIP_TARGET_UNFIT/],
    ] as const;
    await git(['init', '--quiet', outside('any')], {});
    await Promise.all(
      cases.map(async ([[name, ...args], said]) => {
        const home = ['--home', world.fixture.home];
        const { code, stderr } = await run('caloron', ['wip', name, ...home, ...args], {
          cwd: outside('any'),
        });

        expect(stderr).toMatch(said);
        expect(code).toBe(1);
      }),
    );
  });
});
