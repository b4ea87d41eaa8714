import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { SpawnReply, type Task } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunningShell } from './start.ts';
import { createFixture, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let fixture: Fixture;
let shell: RunningShell;

beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start();
});
afterEach(() => fixture.close());

const AUTHOR = { name: 'agent', email: 'agent@example.invalid' };

function post(url: string, payload: object) {
  return shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });
}

/** Starts an agent that does `todo` and waits until it is stopped. */
async function worked(
  changes: Parameters<typeof spawnOf>[0] = {},
  write: Record<string, string> = {},
): Promise<SpawnReply> {
  const response = await post(
    '/spawn',
    spawnOf({ instruction: JSON.stringify({ wait: true, write }), ...changes }),
  );
  expect(response.json()).toMatchObject({ ok: true });
  const reply = SpawnReply.parse(response.json());
  await fixture.seen(reply.process_id);
  return reply;
}

async function stopped({ process_id }: SpawnReply): Promise<unknown> {
  return (await post('/stop', { process_id, grace_ms: 3000 })).json();
}

const path = (...parts: string[]): string => join(fixture.home, '.caloron', ...parts);
const gitIn = async (cwd: string, ...args: string[]): Promise<string> =>
  (await git(args, { cwd, author: AUTHOR })).stdout;
const wipRefs = (worktree: string): Promise<string> =>
  gitIn(worktree, 'for-each-ref', '--format=%(refname)', 'refs/caloron/wip');
const commitIn = async (cwd: string, message = 'work'): Promise<string> => {
  await gitIn(cwd, 'add', '--all');
  await gitIn(cwd, 'commit', '--quiet', '-m', message);
  return gitIn(cwd, 'rev-parse', 'HEAD');
};
const kickoff = (changes: Partial<Task> = {}) => fixture.kickoff(changes);

describe('an author worktree', () => {
  it('has the forge as origin for reading, and nowhere to push', async () => {
    await kickoff();
    await fixture.commit('feature', { 'f.txt': 'f\n' });

    const { worktree } = await worked();

    expect(await gitIn(worktree, 'for-each-ref', '--format=%(refname)', 'refs/remotes')).toBe(
      'refs/remotes/origin/feature\nrefs/remotes/origin/main',
    );
    await expect(git(['push', 'origin', 'HEAD:main'], { cwd: worktree })).rejects.toMatchObject({
      code: 'GIT_FAILED',
    });
    await git(['fetch', '--quiet', 'origin'], { cwd: worktree });
  });

  it('holds no credential, nor does any repository of the shell', async () => {
    await kickoff();
    await worked();

    const found = readdirSync(path(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('caloron.db'))
      .filter((entry) => readFileSync(join(entry.parentPath, entry.name)).includes('secret-0123456789'));
    expect(found).toEqual([]);
  });

  it('W6 W13 G2 is re-used by the next attempt with its commits and its uncommitted files, which are saved first', async () => {
    await kickoff();
    const first = await worked({}, { 'loose.txt': 'loose\n' });
    await stopped(first);
    writeFileSync(join(first.worktree, 'staged.txt'), 'staged\n');
    await gitIn(first.worktree, 'add', 'staged.txt');
    const before = {
      head: await gitIn(first.worktree, 'rev-parse', 'HEAD'),
      status: await gitIn(first.worktree, 'status', '--porcelain'),
    };

    const second = await worked({ mode: 'resume' });

    expect(second).toMatchObject({
      worktree: first.worktree,
      branch: first.branch,
      base_sha: first.base_sha,
    });
    expect(await gitIn(first.worktree, 'rev-parse', 'HEAD')).toBe(before.head);
    expect(await gitIn(first.worktree, 'status', '--porcelain')).toBe(before.status);
    expect(await wipRefs(first.worktree)).toBe('refs/caloron/wip/s1/t1/1\nrefs/caloron/wip/s1/t1/2');
    expect(await gitIn(first.worktree, 'ls-tree', '--name-only', 'refs/caloron/wip/s1/t1/2')).toBe(
      'README.md\nloose.txt\nstaged.txt',
    );
    expect(await gitIn(first.worktree, 'ls-tree', '--name-only', 'refs/caloron/wip/s1/t1/2^2')).toBe(
      'README.md\nstaged.txt',
    );
  });

  it('G3 keeps the base it started from when the forge moves on', async () => {
    await kickoff();
    const first = await worked();
    await stopped(first);
    await fixture.commit('main', { 'later.txt': 'later\n' });

    const second = await worked({ mode: 'resume' });

    expect(second.base_sha).toBe(first.base_sha);
  });

  it('sees the new base when it is to rebase', async () => {
    await kickoff();
    const first = await worked();
    await stopped(first);
    const moved = await fixture.commit('main', { 'later.txt': 'later\n' });

    const second = await worked({ mode: 'rebase' });

    expect(second.base_sha).toBe(moved);
    expect(await gitIn(second.worktree, 'rev-parse', 'origin/main')).toBe(moved);
    expect(await gitIn(second.worktree, 'rev-parse', 'HEAD')).toBe(first.base_sha);
  });

  it('starts a first attempt at the base although the forge has a branch of that name', async () => {
    await kickoff();
    await fixture.commit('caloron/s1/t1', { 'stranger.txt': 'x\n' });

    const { worktree } = await worked();

    expect(existsSync(join(worktree, 'stranger.txt'))).toBe(false);
  });

  it('is made anew from the delivered branch when it was lost', async () => {
    await kickoff({ base_sha: fixture.base_sha, attempt: 1 });
    const head = await fixture.commit('caloron/s1/t1', { 'delivered.txt': 'x\n' });

    const { worktree, base_sha } = await worked({ mode: 'resume' });

    expect(await gitIn(worktree, 'rev-parse', 'HEAD')).toBe(head);
    expect(base_sha).toBe(fixture.base_sha);
    expect(await gitIn(worktree, 'status', '--porcelain', '--branch')).toBe('## caloron/s1/t1');
  });

  describe('whose branch was pushed to by others', () => {
    /** An author that delivered `mine.txt` and left `loose.txt` uncommitted. */
    async function delivered(): Promise<SpawnReply & { head: string }> {
      await kickoff();
      const agent = await worked({}, { 'mine.txt': 'mine\n' });
      await stopped(agent);
      const head = await commitIn(agent.worktree);
      await git(['fetch', '--quiet', agent.worktree, `${head}:refs/heads/caloron/s1/t1`], {
        git_dir: fixture.remote,
      });
      writeFileSync(join(agent.worktree, 'loose.txt'), 'loose\n');
      return { ...agent, head };
    }

    it('W13 takes their commits over and keeps what is uncommitted', async () => {
      const { worktree, head } = await delivered();
      const theirs = await fixture.commit('caloron/s1/t1', { 'theirs.txt': 'theirs\n' });

      const next = await worked({ mode: 'resume', head_sha: theirs });

      expect(await gitIn(worktree, 'rev-parse', 'HEAD', 'HEAD^')).toBe(`${theirs}\n${head}`);
      expect(await gitIn(worktree, 'status', '--porcelain', '--branch')).toBe(
        '## caloron/s1/t1\n?? loose.txt',
      );
      expect((await fixture.seen(next.process_id)).order.head_sha).toBe(theirs);
    });

    if (SLOW)
      it('stays as it is where work of both would have to be merged, and their head is not given to be replaced', async () => {
        const { worktree } = await delivered();
        const mine = await commitIn(worktree);
        const theirs = await fixture.commit('caloron/s1/t1', { 'theirs.txt': 'theirs\n' });

        const next = await worked({ mode: 'resume', head_sha: theirs });

        expect(await gitIn(worktree, 'rev-parse', 'HEAD')).toBe(mine);
        expect(await gitIn(worktree, 'rev-parse', 'origin/caloron/s1/t1')).toBe(theirs);
        expect((await fixture.seen(next.process_id)).order.head_sha).toBeNull();
      });

    if (SLOW)
      it('W13 stays as it is where uncommitted work stands in the way', async () => {
        const { worktree, head } = await delivered();
        await fixture.commit('caloron/s1/t1', { 'loose.txt': 'theirs\n' });

        await worked({ mode: 'resume' });

        expect(await gitIn(worktree, 'rev-parse', 'HEAD')).toBe(head);
        expect(readFileSync(join(worktree, 'loose.txt'), 'utf8')).toBe('loose\n');
      });

    if (SLOW)
      it('gives a reported head to be replaced after a rebase that was never delivered', async () => {
        const { worktree, head, process_id } = await delivered();
        rmSync(join(worktree, 'loose.txt'));
        const exit = { code: 0, signal: null, at: '2026-04-14T08:31:00.000Z', known: true };
        const ids = {
          sprint_id: 's1',
          task_id: 't1',
          agent_id: 'agent-1',
          process_id,
          role: 'author',
          attempt: 1,
        } as const;
        const rest = {
          outcome: 'completed',
          pr_number: 3,
          exit,
          tokens_used: 0,
          duration_ms: 1,
          body: '',
        } as const;
        const report = { ...ids, ...rest, head_sha: head, receipt: null, feedback: null, synthetic: false };
        const event = {
          type: 'agent_reported',
          event_id: 'r',
          created_at: exit.at,
          actor: 'agent-1',
          trusted: true,
        } as const;
        await fixture.store.events.appendEvent('s1', { ...event, report });
        await fixture.commit('main', { 'later.txt': 'later\n' });
        const second = await worked({ mode: 'rebase' });
        await git(['rebase', 'origin/main'], { cwd: worktree, author: AUTHOR });
        await stopped(second);

        const third = await worked({ mode: 'resume' });

        expect((await fixture.seen(third.process_id)).order.head_sha).toBe(head);
        expect(await gitIn(worktree, 'rev-parse', 'HEAD')).not.toBe(head);
      });
  });

  it('W6 comes back on its branch with its commits when a person deleted the directory', async () => {
    await kickoff();
    const first = await worked({}, { 'a.txt': 'a\n' });
    await stopped(first);
    const head = await commitIn(first.worktree);
    rmSync(first.worktree, { recursive: true });

    const second = await worked({ mode: 'resume' });

    expect(await gitIn(second.worktree, 'rev-parse', 'HEAD')).toBe(head);
    expect(readFileSync(join(second.worktree, 'a.txt'), 'utf8')).toBe('a\n');
  });

  if (SLOW)
    it('whose checkout was interrupted is made anew', async () => {
      await kickoff();
      const first = await worked();
      await stopped(first);
      rmSync(path('tasks/s1/t1.git/caloron-complete-t1.json'));
      rmSync(path('tasks/s1/t1.git/worktrees/t1/index'));
      rmSync(join(first.worktree, 'README.md'));

      const second = await worked();

      expect(await gitIn(second.worktree, 'status', '--porcelain')).toBe('');
      expect(readFileSync(join(second.worktree, 'README.md'), 'utf8')).toBe('widgets\n');
    });

  it('W6 on another branch is refused with 409 and left alone', async () => {
    await kickoff();
    const first = await worked({}, { 'a.txt': 'a\n' });
    await stopped(first);
    await gitIn(first.worktree, 'checkout', '--quiet', '-b', 'elsewhere');

    const response = await post('/spawn', spawnOf({ mode: 'resume' }));

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });
    expect(readFileSync(join(first.worktree, 'a.txt'), 'utf8')).toBe('a\n');
  });

  if (SLOW)
    it('in the middle of a rebase goes back to its branch, what was done is saved', async () => {
      await kickoff();
      const first = await worked({}, { 'README.md': 'mine\n' });
      await stopped(first);
      const head = await commitIn(first.worktree);
      await fixture.commit('main', { 'README.md': 'theirs\n' });
      const second = await worked({ mode: 'rebase' });
      await expect(
        git(['rebase', 'origin/main'], { cwd: second.worktree, author: AUTHOR }),
      ).rejects.toMatchObject({ code: 'GIT_FAILED' });
      await stopped(second);

      const third = await worked({ mode: 'rebase' });

      expect(await gitIn(third.worktree, 'status', '--porcelain', '--branch')).toBe('## caloron/s1/t1');
      expect(await gitIn(third.worktree, 'rev-parse', 'HEAD')).toBe(head);
      expect(await wipRefs(third.worktree)).toContain('refs/caloron/wip/s1/t1/');
    });

  it.each([
    [
      'a directory with files',
      (at: string) => {
        mkdirSync(at, { recursive: true });
        writeFileSync(join(at, 'mine.txt'), 'x');
      },
    ],
    [
      'a file',
      (at: string) => {
        mkdirSync(join(at, '..'), { recursive: true });
        writeFileSync(at, 'x');
      },
    ],
    [
      'a link elsewhere',
      (at: string) => {
        mkdirSync(join(at, '..'), { recursive: true });
        symlinkSync('/tmp', at);
      },
    ],
    [
      'a link above it',
      (at: string) => {
        symlinkSync('/tmp', join(at, '..'));
      },
    ],
  ])('W2 W7 is refused with 409 where there is %s, which is left alone', async (_what, make) => {
    await kickoff();
    make(path('worktrees/s1/t1'));
    const there = (): unknown[] =>
      ['worktrees/s1', 'worktrees/s1/t1'].map((at) => {
        const found = lstatSync(path(at), { throwIfNoEntry: false });
        return [found?.ino, found?.mode, found?.size];
      });
    const before = there();

    const response = await post('/spawn', spawnOf());

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });
    expect(there()).toEqual(before);
  });

  it('W6 that belongs to another task is refused with 409', async () => {
    await kickoff();
    const first = await worked();
    await stopped(first);
    mkdirSync(path('worktrees/s1'), { recursive: true });
    renameSync(first.worktree, path('worktrees/s1/t2'));

    const response = await post('/spawn', spawnOf({ task_id: 't2' }));

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });
  });

  it('W3 W4 is made for no id that would have to be changed to be its name', async () => {
    await kickoff();

    for (const task_id of ['a.b', 'A', 'a/b', 'a:b', '..', 'é', 'a b', 'x'.repeat(65)]) {
      const response = await post('/spawn', spawnOf({ task_id }));

      expect(response.json(), task_id).toMatchObject({ ok: false, code: 'REQUEST_INVALID' });
    }
    expect(existsSync(path('worktrees')) ? readdirSync(path('worktrees')) : []).toEqual([]);
  });

  it('W5 lies where the request asks, below the root, under the ids of its sprint and task', async () => {
    await kickoff();

    const { worktree } = await worked({ worktree_base: '.caloron/worktrees/fast-disk' });

    expect(worktree).toBe(path('worktrees/fast-disk/s1/t1'));
  });

  if (SLOW)
    it('runs nothing an agent configured when it is saved and re-used', async () => {
      await kickoff();
      const first = await worked({}, { '.gitattributes': '* filter=evil\n' });
      const proof = join(fixture.home, 'ran');
      const evil = `sh -c 'touch ${proof}; cat'`;
      const settings = {
        'filter.evil.clean': evil,
        'filter.evil.smudge': evil,
        'core.fsmonitor': evil,
        'core.alternateRefsCommand': evil,
      };
      for (const [key, value] of Object.entries(settings)) await gitIn(first.worktree, 'config', key, value);
      await stopped(first);

      await worked({ mode: 'resume' });
      const head = await fixture.commit('caloron/s1/t1', { 'a.txt': 'a\n' });
      await worked({ role: 'reviewer', agent_id: 'agent-9', head_sha: head });

      expect(await wipRefs(first.worktree)).toBe('refs/caloron/wip/s1/t1/1');
      expect(existsSync(proof)).toBe(false);
    });
});

describe('a review worktree', () => {
  it('is detached at the head the forge has, beside the author', async () => {
    await kickoff();
    const author = await worked();
    const head = await fixture.commit('caloron/s1/t1', { 'a.txt': 'a\n' });

    const review = await worked({ role: 'reviewer', agent_id: 'agent-9', head_sha: head });

    expect(review.worktree).toBe(`${author.worktree}--review`);
    expect(await gitIn(review.worktree, 'rev-parse', 'HEAD')).toBe(head);
    await expect(git(['symbolic-ref', 'HEAD'], { cwd: review.worktree })).rejects.toMatchObject({
      code: 'GIT_FAILED',
    });
    expect((await fixture.seen(review.process_id)).order).toMatchObject({
      role: 'reviewer',
      mode: 'review',
      head_sha: head,
    });
  });

  if (SLOW)
    it('is made anew for each review, what lay in it is saved', async () => {
      await kickoff();
      const head = await fixture.commit('caloron/s1/t1', { 'a.txt': 'a\n' });
      const first = await worked(
        { role: 'reviewer', agent_id: 'agent-9', head_sha: head },
        { 'note.txt': 'n\n' },
      );
      process.kill(first.pid, 'SIGKILL');
      await expect.poll(() => fixture.store.processes.get(first.process_id)?.state).toBe('exited');
      const next = await fixture.commit('caloron/s1/t1', { 'a.txt': 'b\n' });

      const second = await worked({ role: 'reviewer', agent_id: 'agent-9', head_sha: next });

      expect(await gitIn(second.worktree, 'rev-parse', 'HEAD')).toBe(next);
      expect(await gitIn(second.worktree, 'status', '--porcelain')).toBe('');
      expect(await gitIn(second.worktree, 'show', 'refs/caloron/wip/s1/t1/1:note.txt')).toBe('n');
    });

  it('of a commit the forge does not have is refused with 409', async () => {
    await kickoff();

    const response = await post(
      '/spawn',
      spawnOf({ role: 'reviewer', agent_id: 'agent-9', head_sha: '1'.repeat(40) }),
    );

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'HEAD_UNKNOWN', retryable: true });
  });

  if (SLOW)
    it('finds a commit whose branch was pushed over since', async () => {
      await kickoff();
      const head = await fixture.commit('caloron/s1/t1', { 'a.txt': 'a\n' });
      await git(['update-ref', 'refs/heads/caloron/s1/t1', fixture.base_sha], { git_dir: fixture.remote });
      await git(['config', 'uploadpack.allowAnySHA1InWant', 'true'], { git_dir: fixture.remote });

      const review = await worked({ role: 'reviewer', agent_id: 'agent-9', head_sha: head });

      expect(await gitIn(review.worktree, 'rev-parse', 'HEAD')).toBe(head);
    });
});

describe('the mirror', () => {
  if (SLOW)
    it('follows a branch name that becomes a folder', async () => {
      await kickoff();
      await fixture.commit('topic', { 'a.txt': 'a\n' });
      const first = await worked();
      await stopped(first);
      await git(['update-ref', '-d', 'refs/heads/topic'], { git_dir: fixture.remote });
      const head = await fixture.commit('topic/one', { 'b.txt': 'b\n' });

      const second = await worked({ mode: 'resume' });

      expect(await gitIn(second.worktree, 'rev-parse', 'origin/topic/one')).toBe(head);
    });

  it('without the base branch is refused with 409', async () => {
    await kickoff();
    await git(['update-ref', '-d', 'refs/heads/main'], { git_dir: fixture.remote });

    const response = await post('/spawn', spawnOf());

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'BASE_UNKNOWN' });
  });

  it('that cannot be reached is refused with an error that may pass, and starts nothing', async () => {
    await kickoff();
    renameSync(fixture.remote, `${fixture.remote}.away`);

    const response = await post('/spawn', spawnOf());

    expect(response.statusCode).toBeGreaterThanOrEqual(500);
    expect(response.json()).toMatchObject({ ok: false, code: 'FETCH_FAILED' });
    expect(fixture.store.processes.list()).toEqual([]);
  });
});

describe('POST /cleanup', () => {
  const cleanup = async (merge_sha: string | null = null) =>
    (await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha })).json();

  /** An author that committed and ended, its branch on the forge. */
  async function delivered(): Promise<{ worktree: string; head: string }> {
    const agent = await worked({}, { 'a.txt': 'a\n' });
    await stopped(agent);
    const head = await commitIn(agent.worktree);
    await git(['fetch', '--quiet', agent.worktree, `${head}:refs/heads/caloron/s1/t1`], {
      git_dir: fixture.remote,
    });
    return { worktree: agent.worktree, head };
  }

  it('W15 removes a merged worktree and keeps what was saved', async () => {
    await kickoff();
    const { worktree, head } = await delivered();
    await git(['update-ref', 'refs/heads/main', head], { git_dir: fixture.remote });

    expect(await cleanup(head)).toEqual({ ok: true, removed: true, reason: null });

    expect(existsSync(worktree)).toBe(false);
    const kept = await git(['for-each-ref', '--format=%(refname)', 'refs/caloron'], {
      git_dir: path('tasks/s1/t1.git'),
    });
    expect(kept.stdout).toBe('refs/caloron/wip/s1/t1/1');
    expect(await cleanup(head)).toMatchObject({ removed: true });
  });

  if (SLOW)
    it('removes a worktree whose pull request was squashed', async () => {
      await kickoff();
      const { worktree, head } = await delivered();
      const squashed = await fixture.commit('main', { 'a.txt': 'a\n' });

      expect(await cleanup(squashed)).toEqual({ ok: true, removed: true, reason: null });

      expect(existsSync(worktree)).toBe(false);
      expect(head).not.toBe(squashed);
    });

  it('D15 W15 keeps a worktree with uncommitted files', async () => {
    await kickoff();
    const { worktree, head } = await delivered();
    await git(['update-ref', 'refs/heads/main', head], { git_dir: fixture.remote });
    writeFileSync(join(worktree, 'more.txt'), 'x');

    expect(await cleanup(head)).toMatchObject({
      removed: false,
      reason: expect.stringContaining('uncommitted'),
    });

    expect(existsSync(join(worktree, 'more.txt'))).toBe(true);
  });

  if (SLOW)
    it('keeps a worktree with a commit that was never merged', async () => {
      await kickoff();
      const { worktree } = await delivered();
      const squashed = await fixture.commit('main', { 'a.txt': 'a\n' });
      writeFileSync(join(worktree, 'more.txt'), 'x');
      await commitIn(worktree);

      expect(await cleanup(squashed)).toMatchObject({
        removed: false,
        reason: expect.stringContaining('not merged'),
      });
    });

  if (SLOW)
    it('keeps a worktree whose pull request was never merged', async () => {
      await kickoff();
      const { worktree } = await delivered();

      expect(await cleanup()).toMatchObject({ removed: false });

      expect(existsSync(worktree)).toBe(true);
    });

  it('keeps a worktree an agent works in', async () => {
    await kickoff();
    const { worktree } = await worked();

    expect(await cleanup(fixture.base_sha)).toMatchObject({
      removed: false,
      reason: expect.stringContaining('may still run'),
    });

    expect(existsSync(worktree)).toBe(true);
  });
});
