import {
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SHELL_TOKEN } from '../testing/fixture.ts';
import { createTaskWorld, type TaskWorld, write } from '../testing/task-world.ts';
import { insideIn } from './inside.ts';
import { type OwnWorktree, ownWorktree } from './own-worktree.ts';
import { saveWip } from './wip.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let world: TaskWorld;

beforeEach(async () => {
  world = await createTaskWorld();
});
afterEach(() => world.fixture.close());

/** Another review takes the place of what lies in the reviewer's worktree: the harshest thing that happens to files. */
const destroy = () => world.prepareReview();

/** A repository with two branches, a tag on a commit of no branch, and two stashes. */
async function repositoryWithWork(dir: string): Promise<Record<Made, string>> {
  const run = (...args: string[]) => world.agent(dir, ...args);
  await git(['init', '--quiet', dir], {});
  const commit = async (message: string): Promise<string> => {
    await run('commit', '--quiet', '--allow-empty', '-m', message);
    return run('rev-parse', 'HEAD');
  };
  const stash = async (content: string): Promise<string> => {
    write(dir, { 'a.txt': content });
    await run('stash', '--quiet');
    return run('rev-parse', 'refs/stash');
  };
  write(dir, { 'a.txt': 'a' });
  await run('add', '--all');
  const main = await commit('main');
  await run('switch', '--quiet', '--create', 'other');
  const other = await commit('other');
  await run('switch', '--quiet', '--detach');
  const mark = await commit('mark');
  await run('tag', '--annotate', '-m', 'a mark', 'mark');
  await run('switch', '--quiet', 'main');
  return { main, other, mark, first: await stash('first'), second: await stash('second') };
}
type Made = 'main' | 'other' | 'mark' | 'first' | 'second';

describe('a worktree that is thrown away leaves behind', () => {
  let at: string;
  let git_dir: string;

  beforeEach(async () => {
    ({ path: at, git_dir } = await world.prepareReview());
  });

  it('untracked files, in folders, with odd names, links and modes', async () => {
    write(at, { 'deep/er/a b.txt': 'a', 'line\nbreak': 'b', ':(top)x': 'c', '-n': 'd', 'run.sh': '#!' });
    chmodSync(join(at, 'run.sh'), 0o755);
    symlinkSync('/nowhere', join(at, 'link'));

    await destroy();

    expect(await world.kept('deep/er/a b.txt')).toBe('a');
    expect(await world.kept('line\nbreak')).toBe('b');
    expect(await world.kept(':(top)x')).toBe('c');
    expect(await world.kept('-n')).toBe('d');
    expect(await world.kept('link')).toBe('/nowhere');
    const [ref = ''] = await world.saved();
    expect(await world.agent(world.clone, 'ls-tree', ref, 'run.sh')).toMatch(/^100755/);
  });

  if (SLOW)
    it('what was staged and changed again, each in its state', async () => {
      write(at, { 'README.md': 'staged\n' });
      await world.agent(at, 'add', 'README.md');
      write(at, { 'README.md': 'on disk\n' });

      await destroy();

      expect(await world.kept('README.md')).toBe('on disk\n');
      expect(await world.kept('README.md', '^2')).toBe('staged\n');
    });

  if (SLOW)
    it('what was staged although the files were saved before', async () => {
      write(at, { 'a.txt': 'on disk' });
      const own = { path: at, git_dir };
      await saveWip(world.clean, { ...world.review, own, reason: 'stopped' });
      write(at, { 'a.txt': 'staged' });
      await world.agent(at, 'add', 'a.txt');
      write(at, { 'a.txt': 'on disk' });

      await destroy();

      expect(await world.kept('a.txt', '^2')).toBe('staged');
    });

  it('thousands of files, each whole', async () => {
    const names = Array.from({ length: 600 }, (_, i) => `many/${i % 7}/${i}.txt`);
    write(at, Object.fromEntries(names.map((name, i) => [name, i === 5 ? '' : `${name}\r\n`])));

    await destroy();

    expect(await world.kept('many/4/599.txt')).toBe('many/4/599.txt\r\n');
    expect(await world.kept('many/5/5.txt')).toBe('');
    const [ref = ''] = await world.saved();
    const files = await world.agent(world.clone, 'ls-tree', '-r', '--name-only', ref, 'many/');
    expect(files.split('\n').toSorted()).toEqual(names.toSorted());
    expect(await world.agent(world.clone, 'fsck', '--no-dangling')).toBe('');
  });

  if (SLOW)
    it('deleted files as deleted', async () => {
      rmSync(join(at, 'README.md'));
      write(at, { 'a.txt': 'a' });

      await destroy();

      expect(await world.kept('a.txt')).toBe('a');
      expect(await world.kept('README.md')).toBeUndefined();
    });

  if (SLOW)
    it('a change of the same size made in the second it was staged', async () => {
      // Stat alone cannot tell the two apart: git looks at such a file because the index is no newer than it.
      const second = Math.floor(statSync(join(at, 'README.md')).mtimeMs / 1000) - 10;
      const file = join(at, 'same.txt');
      for (;;) {
        const begun = statSync(git_dir).ctimeMs;
        write(at, { 'same.txt': 'aaaa' });
        utimesSync(file, second, second);
        await world.agent(at, '-c', 'core.trustctime=false', 'add', 'same.txt');
        writeFileSync(file, 'bbbb');
        utimesSync(file, second, second);
        // The index as old as the file, as when all happens within a second.
        utimesSync(join(git_dir, 'index'), second, second);
        const after = statSync(file).ctimeMs;
        if (Math.floor(begun / 1000) === Math.floor(after / 1000)) break;
        rmSync(file);
      }

      await destroy();

      expect(await world.kept('same.txt')).toBe('bbbb');
    });

  it.each(['--assume-unchanged', '--skip-worktree'])('a changed file marked %s', async (flag) => {
    await world.agent(at, 'update-index', flag, 'README.md');
    write(at, { 'README.md': 'changed\n' });

    await destroy();

    expect(await world.kept('README.md')).toBe('changed\n');
  });

  if (SLOW)
    it('no deletion of files a sparse checkout left out', async () => {
      await world.agent(at, 'update-index', '--skip-worktree', 'README.md');
      rmSync(join(at, 'README.md'));
      write(at, { 'a.txt': 'a' });

      await destroy();

      expect(await world.kept('README.md')).toBe('widgets\n');
      expect(await world.kept('a.txt')).toBe('a');
    });

  it('both sides of a conflict, and what was staged beside it', async () => {
    await world.agent(at, 'checkout', '--quiet', '-b', 'theirs');
    write(at, { 'README.md': 'theirs\n', 'only-theirs.txt': 't\n' });
    await world.agent(at, 'add', '--all');
    await world.agent(at, 'commit', '--quiet', '-m', 'theirs');
    const theirs = await world.agent(at, 'rev-parse', 'HEAD');
    await world.agent(at, 'checkout', '--quiet', '--detach', world.fixture.base_sha);
    await world.agent(at, 'branch', '-D', 'theirs');
    write(at, { 'README.md': 'ours\n' });
    await world.agent(at, 'commit', '--quiet', '-am', 'ours');
    await expect(world.agent(at, 'merge', theirs)).rejects.toMatchObject({ code: 'GIT_FAILED' });
    write(at, { 'beside.txt': 'staged' });
    await world.agent(at, 'add', 'beside.txt');
    write(at, { 'beside.txt': 'on disk' });

    await destroy();

    expect(await world.kept('README.md')).toMatch(/<<<<<<<[^]*ours[^]*theirs[^]*>>>>>>>/);
    expect(await world.kept('README.md', '^2^2')).toBe('theirs\n');
    expect(await world.kept('README.md', '^')).toBe('ours\n');
    expect(await world.kept('beside.txt')).toBe('on disk');
    expect(await world.kept('index/beside.txt', '^2')).toBe('staged');
    expect(await world.kept('theirs/README.md', '^2')).toBe('theirs\n');
    expect(await world.kept('base/README.md', '^2')).toBe('widgets\n');
  });

  it('commits that are on no branch', async () => {
    write(at, { 'fix.txt': 'committed' });
    await world.agent(at, 'add', '--all');
    await world.agent(at, 'commit', '--quiet', '-m', 'a fix of the reviewer');

    await destroy();

    expect(await world.kept('fix.txt')).toBe('committed');
  });

  it('the files of a repository inside it, with its commits', async () => {
    write(at, { 'inner/a.txt': 'committed' });
    await world.agent(at, 'init', '--quiet', 'inner');
    await world.agent(join(at, 'inner'), 'add', '--all');
    await world.agent(join(at, 'inner'), 'commit', '--quiet', '-m', 'inside');
    const inside = await world.agent(join(at, 'inner'), 'rev-parse', 'HEAD');
    write(at, { 'inner/b.txt': 'loose', 'inner/a.txt': 'changed' });

    await destroy();

    expect(await world.kept('inner/a.txt')).toBe('changed');
    expect(await world.kept('inner/b.txt')).toBe('loose');
    expect(await world.agent(world.clone, 'show', `${inside}:a.txt`)).toBe('committed');
    const [ref = ''] = await world.saved();
    expect(await world.agent(world.clone, 'rev-list', ref)).toContain(inside);
  });

  if (SLOW)
    it('all branches, tags and stashes of a repository inside it', async () => {
      const inner = join(at, 'inner');
      const sha = await repositoryWithWork(inner);

      await destroy();

      const [ref = ''] = await world.saved();
      const reachable = await world.agent(world.clone, 'rev-list', ref);
      for (const commit of Object.values(sha)) expect(reachable).toContain(commit);
      expect(insideIn(await world.agent(world.clone, 'show', '-s', '--format=%b', `${ref}^2`))).toEqual([
        {
          path: 'inner',
          branch: 'main',
          head: sha.main,
          refs: [
            { name: 'refs/heads/main', sha: sha.main },
            { name: 'refs/heads/other', sha: sha.other },
            { name: 'refs/tags/mark', sha: sha.mark },
          ],
          stashes: [sha.second, sha.first],
          missing: null,
        },
      ]);
    });

  if (SLOW)
    it('what of a repository inside it can be kept where its history is shallow, and says so', async () => {
      const elsewhere = join(world.fixture.home, '..', 'elsewhere');
      await repositoryWithWork(elsewhere);
      await world.agent(
        at,
        'clone',
        '--quiet',
        '--depth=1',
        '--branch=other',
        `file://${elsewhere}`,
        'inner',
      );
      write(at, { 'inner/a.txt': 'a' });

      await destroy();

      const [ref = ''] = await world.saved();
      expect(await world.kept('inner/a.txt')).toBe('a');
      expect(insideIn(await world.agent(world.clone, 'show', '-s', '--format=%b', `${ref}^2`))).toMatchObject(
        [{ path: 'inner', missing: 'its history is shallow' }],
      );
    });

  it('the files of a repository inside it that has no commit yet', async () => {
    write(at, { 'inner/a.txt': 'a', 'inner/deeper/b.txt': 'b', 'c.txt': 'c' });
    await world.agent(at, 'init', '--quiet', 'inner');
    await world.agent(at, 'init', '--quiet', 'inner/deeper');

    await destroy();

    expect(await world.kept('inner/a.txt')).toBe('a');
    expect(await world.kept('inner/deeper/b.txt')).toBe('b');
    expect(await world.kept('c.txt')).toBe('c');
  });

  if (SLOW)
    it('the files below a lock and an index of ours that a crash left', async () => {
      write(at, { 'a.txt': 'a' });
      for (const name of [
        'index.lock',
        'HEAD.lock',
        `caloron-index-${process.pid}`,
        `caloron-index-${process.pid}.lock`,
      ])
        writeFileSync(join(git_dir, name), 'rubbish');

      await destroy();

      expect(await world.kept('a.txt')).toBe('a');
    });

  if (SLOW)
    it('the files although the lock of the ref to save them under was left', async () => {
      write(at, { 'a.txt': 'a' });
      write(world.clone, { 'refs/caloron/wip/s1/t1/1.lock': '' });

      await destroy();

      expect(await world.kept('a.txt')).toBe('a');
    });

  if (SLOW)
    it('the files although the index is broken', async () => {
      write(at, { 'a.txt': 'a' });
      writeFileSync(join(git_dir, 'index'), 'DIRC half of it');

      await destroy();

      expect(await world.kept('a.txt')).toBe('a');
      expect(await world.kept('README.md')).toBe('widgets\n');
    });

  if (SLOW)
    it('what is staged in an index that is split in two', async () => {
      write(at, { 'README.md': 'staged\n' });
      await world.agent(at, 'add', 'README.md');
      await world.agent(at, 'update-index', '--split-index');
      write(at, { 'README.md': 'on disk\n' });

      await destroy();

      expect(await world.kept('README.md')).toBe('on disk\n');
      expect(await world.kept('README.md', '^2')).toBe('staged\n');
    });

  if (SLOW)
    it('the files of a branch that has no commit yet', async () => {
      await world.agent(at, 'checkout', '--quiet', '--orphan', 'fresh');
      write(at, { 'a.txt': 'a' });

      await destroy();

      expect(await world.kept('a.txt')).toBe('a');
    });

  it('nothing where nothing was worked on, and no second copy of the same', async () => {
    await destroy();
    expect(await world.saved()).toEqual([]);

    const { path, git_dir: dir } = await destroy();
    write(path, { 'a.txt': 'a' });
    const request = { ...world.review, own: { path, git_dir: dir }, reason: 'stopped' };
    const first = await saveWip(world.clean, request);

    expect(await saveWip(world.clean, request)).toBe(first);
    expect(await world.saved()).toEqual([first]);
  });

  if (SLOW)
    it('not what the project ignores, but what only the agent hid', async () => {
      write(at, { '.gitignore': 'built/\n', 'built/x.o': 'x', 'mine.txt': 'm' });
      write(world.clone, { 'info/exclude': 'mine.txt\n' });

      await destroy();

      expect(await world.kept('built/x.o')).toBeUndefined();
      expect(await world.kept('mine.txt')).toBe('m');
    });
});

describe('an author worktree that is used again', () => {
  it('keeps ignored files, branch, index and files as they are', async () => {
    const { path } = await world.prepareAuthor();
    write(path, { '.gitignore': 'built/\n', 'built/x.o': 'x', 'a.txt': 'staged' });
    await world.agent(path, 'add', 'a.txt');
    write(path, { 'a.txt': 'on disk' });
    const status = await world.agent(path, 'status', '--porcelain', '--ignored');

    await world.prepareAuthor();

    expect(await world.agent(path, 'status', '--porcelain', '--ignored')).toBe(status);
    expect(readFileSync(join(path, 'built/x.o'), 'utf8')).toBe('x');
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('on disk');
    expect(await world.agent(path, 'show', ':a.txt')).toBe('staged');
  });

  if (SLOW)
    it('keeps what a rebase had put aside', async () => {
      const { path } = await world.prepareAuthor();
      write(path, { 'README.md': 'mine\n' });
      await world.agent(path, 'commit', '--quiet', '-am', 'mine');
      write(path, { 'a.txt': 'one' });
      await world.agent(path, 'add', 'a.txt');
      await world.agent(path, 'commit', '--quiet', '-m', 'a');
      write(path, { 'a.txt': 'uncommitted' });
      await world.fixture.commit('main', { 'README.md': 'theirs\n' });
      await world.sync();
      await expect(world.agent(path, 'rebase', '--autostash', 'origin/main')).rejects.toMatchObject({
        code: 'GIT_FAILED',
      });

      const own = ownWorktree(world.author.root, world.clone, path);
      if (own === undefined) throw new Error('the worktree is gone');
      await saveWip(world.clean, { ...world.author, own, reason: 'stopped' });
      expect(await world.saved()).toHaveLength(2);

      await world.prepareAuthor();

      expect(await world.saved()).toHaveLength(2);
      const refs = await world.saved();
      const contents = await Promise.all(
        refs.map((ref) => world.agent(world.clone, 'show', `${ref}:a.txt`).catch(() => '')),
      );
      expect(contents).toContain('uncommitted');
    });

  if (SLOW)
    it('keeps what was staged where a person deleted the directory', async () => {
      const { path } = await world.prepareAuthor();
      write(path, { 'a.txt': 'staged' });
      await world.agent(path, 'add', 'a.txt');
      rmSync(path, { recursive: true });

      await world.prepareAuthor();

      expect(await world.kept('a.txt')).toBe('staged');
    });

  it('keeps the agent’s own tags when the forge’s tags are taken over', async () => {
    const { path } = await world.prepareAuthor();
    write(path, { 'a.txt': 'a' });
    await world.agent(path, 'add', '--all');
    await world.agent(path, 'commit', '--quiet', '-m', 'tagged');
    const tagged = await world.agent(path, 'rev-parse', 'HEAD');
    await world.agent(path, 'tag', 'mine');
    await world.agent(path, 'reset', '--quiet', '--hard', 'HEAD^');

    await world.sync();

    expect(await world.agent(world.clone, 'for-each-ref', '--format=%(objectname)')).toContain(tagged);
  });
});

describe('what cannot be saved is not deleted', () => {
  const ACT = join(import.meta.dirname, '..', 'testing', 'review-again.ts');

  /** A new review by a process of its own that a shell limits first. */
  async function destroyUnder(
    limit: string,
  ): Promise<{ readonly said: string; readonly code: number | undefined }> {
    const place = world.review;
    const order = JSON.stringify({
      clean: join(world.paths.repos, 'clean.git'),
      place,
      sha: world.fixture.base_sha,
    });
    const done = await execa('sh', ['-c', `${limit} "$0" "$@"`, process.execPath, ACT, order], {
      reject: false,
    });
    return { said: done.stdout + done.stderr, code: done.exitCode };
  }

  it('a worktree on a full disk', async () => {
    const { path } = await world.prepareReview();
    write(path, {
      'big.txt': Array.from({ length: 40_000 }, (_, i) => String((i * 7919) % 99_991)).join('\n'),
    });

    const { code, said } = await destroyUnder('ulimit -f 4; exec');

    expect(code, said).toBe(1);
    expect(said).toContain('GIT_FAILED');
    expect(existsSync(join(path, 'big.txt'))).toBe(true);
    await destroy();
    expect(await world.kept('big.txt')).toContain('7919');
  });

  if (SLOW)
    it('a worktree whose repository takes nothing', async () => {
      const { path } = await world.prepareReview();
      write(path, { 'a.txt': 'not yet saved anywhere' });
      const folders = [world.clone, join(world.clone, 'objects')];
      for (const folder of folders) chmodSync(folder, 0o555);
      try {
        // root writes anywhere unless it gives that power up.
        const plain =
          process.getuid?.() === 0
            ? 'setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all'
            : '';

        const { code, said } = await destroyUnder(`exec ${plain}`);

        expect(code, said).toBe(1);
        expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('not yet saved anywhere');
      } finally {
        for (const folder of folders) chmodSync(folder, 0o755);
      }
      await destroy();
      expect(await world.kept('a.txt')).toBe('not yet saved anywhere');
    });

  it('a worktree whose repository is away', async () => {
    const { path } = await world.prepareReview();
    write(path, { 'a.txt': 'a' });
    renameSync(world.clone, `${world.clone}.away`);

    await expect(destroy()).rejects.toMatchObject({ code: 'WORKTREE_FOREIGN' });

    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('a');
  });
});

describe('a clean-up', () => {
  beforeEach(async () => {
    await world.fixture.kickoff();
  });

  async function cleanup(): Promise<{ readonly removed: boolean; readonly reason: string | null }> {
    const shell = await world.fixture.start();
    const reply = await shell.app.inject({
      method: 'POST',
      url: '/cleanup',
      headers: { 'x-caloron-token': SHELL_TOKEN },
      payload: { sprint_id: 's1', task_id: 't1', merge_sha: null },
    });
    await shell.close();
    return reply.json();
  }

  if (SLOW)
    it.each<readonly [string, (own: OwnWorktree) => Promise<void> | void]>([
      [
        'a changed file that is assumed unchanged',
        async ({ path }) => {
          await world.agent(path, 'update-index', '--assume-unchanged', 'README.md');
          write(path, { 'README.md': 'changed' });
        },
      ],
      [
        'a repository inside',
        async ({ path }) => {
          await world.agent(path, 'init', '--quiet', 'inner');
          write(path, { 'inner/a.txt': 'a' });
        },
      ],
      [
        'a merge that was begun',
        ({ git_dir }) => {
          writeFileSync(join(git_dir, 'MERGE_HEAD'), `${world.fixture.base_sha}\n`);
        },
      ],
    ])('keeps a worktree with %s', async (_what, change) => {
      const own = await world.prepareAuthor();
      await change(own);

      expect(await cleanup()).toMatchObject({ removed: false, reason: expect.stringContaining(own.path) });

      expect(existsSync(join(own.path, '.git'))).toBe(true);
    });

  if (SLOW)
    it.each([
      ['a commit on another branch', ['commit', '--quiet', '--allow-empty', '-m', 'mine']],
      ['a stash', ['stash', '--quiet']],
    ])('keeps a submodule whose files are as they were and that has %s', async (_what, command) => {
      const { path } = await world.prepareAuthor();
      const inner = join(path, 'sub');
      await world.agent(path, 'clone', '--quiet', world.fixture.remote, 'sub');
      await world.agent(path, '-c', 'advice.addEmbeddedRepo=false', 'add', 'sub');
      await world.agent(path, 'commit', '--quiet', '--allow-empty', '-m', 'a submodule');
      const head = await world.agent(path, 'rev-parse', 'HEAD');
      await git(['fetch', '--quiet', path, `${head}:refs/heads/main`], { git_dir: world.fixture.remote });
      write(inner, { 'README.md': 'changed\n' });
      await world.agent(inner, 'switch', '--quiet', '--create', 'mine');
      await world.agent(inner, ...command);
      await world.agent(inner, 'reset', '--quiet', '--hard');
      await world.agent(inner, 'switch', '--quiet', 'main');

      expect(await cleanup()).toMatchObject({
        removed: false,
        reason: expect.stringContaining('uncommitted'),
      });
    });

  it('keeps a submodule that was worked in, and removes one that was not', async () => {
    const { path } = await world.prepareAuthor();
    const inner = join(path, 'sub');
    await world.agent(path, 'clone', '--quiet', world.fixture.remote, 'sub');
    await world.agent(path, '-c', 'advice.addEmbeddedRepo=false', 'add', 'sub');
    await world.agent(path, 'commit', '--quiet', '--allow-empty', '-m', 'a submodule');
    const head = await world.agent(path, 'rev-parse', 'HEAD');
    const branch = `${head}:refs/heads/main`;
    await git(['fetch', '--quiet', path, branch], { git_dir: world.fixture.remote });
    write(inner, { 'README.md': 'changed\n' });

    expect(await cleanup()).toMatchObject({ removed: false, reason: expect.stringContaining('uncommitted') });
    expect(readFileSync(join(inner, 'README.md'), 'utf8')).toBe('changed\n');

    write(inner, { 'README.md': 'widgets\n' });
    expect(await cleanup()).toMatchObject({ removed: true });
    expect(existsSync(path)).toBe(false);
  });
});
