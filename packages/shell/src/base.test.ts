import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { SpawnReply } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { contains, createCleanGit } from './git/clean-repository.ts';
import type { RunningShell } from './start.ts';
import { createFixture, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const AUTHOR = { name: 'agent', email: 'agent@example.invalid' };

async function gitIn(cwd: string, ...args: string[]): Promise<string> {
  return (await git(args, { cwd, author: AUTHOR })).stdout;
}

describe('the base an agent starts from', () => {
  let fixture: Fixture;
  let shell: RunningShell;
  beforeEach(async () => {
    fixture = await createFixture();
    shell = await fixture.start();
  });
  afterEach(() => fixture.close());

  const post = (url: string, payload: object) =>
    shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });
  const inRemote = async (...args: string[]): Promise<string> =>
    (await git(args, { git_dir: fixture.remote, author: AUTHOR })).stdout;

  async function spawned(changes: Parameters<typeof spawnOf>[0] = {}): Promise<SpawnReply> {
    const response = await post(
      '/spawn',
      spawnOf({ instruction: JSON.stringify({ wait: true }), ...changes }),
    );
    expect(response.json()).toMatchObject({ ok: true });
    const reply = SpawnReply.parse(response.json());
    await fixture.seen(reply.process_id);
    return reply;
  }

  async function stopped({ process_id }: SpawnReply): Promise<void> {
    expect((await post('/stop', { process_id, grace_ms: 3000 })).json()).toMatchObject({ ok: true });
  }

  it('5.6.11 G3 is what the forge has at that moment, never what was fetched before', async () => {
    await fixture.kickoff();
    await stopped(await spawned({ task_id: 't2' }));
    const moved = await fixture.commit('main', { 'later.txt': 'later\n' });

    const first = await spawned();

    expect(first.base_sha).toBe(moved);
    expect(fixture.store.processes.get(first.process_id)).toMatchObject({ base_sha: moved });
    const { order } = await fixture.seen(first.process_id);
    expect(order).toMatchObject({ base_sha: moved, base_head: moved });
    expect(await gitIn(first.worktree, 'rev-parse', 'HEAD')).toBe(moved);
  });

  if (SLOW)
    it('is the base branch also where a tag or another branch almost has its name', async () => {
      await fixture.kickoff();
      const elsewhere = await fixture.commit('origin/main', { 'other.txt': 'other\n' });
      await inRemote('update-ref', 'refs/tags/main', elsewhere);
      await inRemote('update-ref', 'refs/tags/caloron/s1/t1', elsewhere);

      const first = await spawned();

      expect(first.base_sha).toBe(fixture.base_sha);
      expect(await gitIn(first.worktree, 'rev-parse', 'HEAD')).toBe(fixture.base_sha);
      expect(await gitIn(first.worktree, 'symbolic-ref', 'HEAD')).toBe('refs/heads/caloron/s1/t1');
    });

  if (SLOW)
    it('follows a base branch that was pushed over; the work begun before keeps the base it has', async () => {
      await fixture.kickoff();
      const before = await fixture.commit('main', { 'secret.txt': 'oops\n' });
      const first = await spawned();
      await stopped(first);
      await inRemote('update-ref', 'refs/heads/main', fixture.base_sha);
      const now = await fixture.commit('main', { 'clean.txt': 'clean\n' });

      const [second, again] = [
        await spawned({ task_id: 't2', agent_id: 'agent-2' }),
        await spawned({ mode: 'resume' }),
      ];

      expect(second.base_sha).toBe(now);
      expect(again.base_sha).toBe(before);
      expect((await fixture.seen(again.process_id)).order).toMatchObject({
        base_sha: before,
        base_head: now,
      });
    });

  it('that is gone is refused, may come back, and is named with what the forge calls its default now', async () => {
    await fixture.kickoff();
    await stopped(await spawned());
    await inRemote('branch', '-m', 'main', 'trunk');

    const response = await post('/spawn', spawnOf({ mode: 'resume' }));

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'BASE_UNKNOWN', retryable: true });
    expect(response.json()).toHaveProperty(
      'error',
      expect.stringMatching(/has no branch main.*default branch is trunk \(/),
    );
    expect(fixture.store.processes.open()).toEqual([]);
  });

  it('5.6.11 is refused when the forge cannot be asked, though an earlier fetch would give one', async () => {
    await fixture.kickoff();
    await stopped(await spawned());
    renameSync(fixture.remote, `${fixture.remote}.away`);

    const response = await post('/spawn', spawnOf({ mode: 'resume' }));

    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ code: 'FETCH_FAILED', retryable: true });
    expect(fixture.store.processes.open()).toEqual([]);
  });

  if (SLOW)
    it('stays the one the sprint recorded when an agent has turned its branch to older commits: nothing else is taken for it', async () => {
      const recorded = await fixture.commit('main', { 'dependency.txt': 'merged\n' });
      await fixture.kickoff({ base_sha: recorded });
      const first = await spawned({ mode: 'resume' });
      await stopped(first);
      await gitIn(first.worktree, 'reset', '--quiet', '--hard', fixture.base_sha);

      const second = await spawned({ mode: 'resume' });

      expect(second.base_sha).toBe(recorded);
      expect(await gitIn(first.worktree, 'rev-parse', 'HEAD')).toBe(fixture.base_sha);
    });

  it('G3 of a review is what the head has to contain; the reviewer is detached at that head and sees nothing the author left', async () => {
    await fixture.kickoff();
    const author = await spawned();
    const head = await fixture.commit('caloron/s1/t1', { 'a.txt': 'a\n' });
    writeFileSync(join(author.worktree, 'untracked.txt'), 'the tests pass with it\n');
    await stopped(author);

    const review = await spawned({ role: 'reviewer', agent_id: 'agent-9', head_sha: head });

    expect(review.worktree).not.toBe(author.worktree);
    expect(review.base_sha).toBe(fixture.base_sha);
    expect(await gitIn(review.worktree, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('HEAD');
    expect(await gitIn(review.worktree, 'rev-parse', 'HEAD')).toBe(head);
    expect(await gitIn(review.worktree, 'status', '--porcelain', '--ignored')).toBe('');
  });
});

/** Makes the index of commits of a repository say that `child` has the parent `parent`. Format: gitformat-commit-graph(5), version 1. */
async function lieAboutParent(git_dir: string, child: string, parent: string): Promise<void> {
  await git(['-c', 'commitGraph.generationVersion=1', 'commit-graph', 'write', '--stdin-commits'], {
    git_dir,
    stdin: `${child}\n${parent}\n`,
  });
  const file = join(git_dir, 'objects/info/commit-graph');
  const bytes = readFileSync(file);
  const chunk = (id: string): number => {
    const at = bytes.indexOf(id, 8, 'latin1');
    return Number(bytes.readBigUInt64BE(at + 4));
  };
  const [fanout, names, commits] = [chunk('OIDF'), chunk('OIDL'), chunk('CDAT')];
  const count = bytes.readUInt32BE(fanout + 255 * 4);
  const position = (sha: string): number =>
    Array.from({ length: count }, (_, n) => n).find(
      (n) => bytes.subarray(names + n * 20, names + n * 20 + 20).toString('hex') === sha,
    )!;
  const entry = commits + position(child) * 36;
  bytes.writeUInt32BE(position(parent), entry + 20);
  // The generation, one above its parent's, stands in the upper 30 bits.
  bytes.writeUInt32BE((2 << 2) | (bytes.readUInt32BE(entry + 28) & 3), entry + 28);
  rmSync(file);
  writeFileSync(file, bytes);
}

describe('an index of commits that an agent wrote', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'caloron-graph-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('makes no head contain what it does not', async () => {
    const clone = join(root, 'clone.git');
    mkdirSync(clone);
    await git(['init', '--quiet', '--bare', clone], {});
    const { stdout: tree } = await git(['hash-object', '-t', 'tree', '-w', '--stdin'], {
      git_dir: clone,
      stdin: '',
    });
    const made = async (message: string, ...parents: string[]): Promise<string> =>
      (await git(['commit-tree', tree, '-m', message, ...parents], { git_dir: clone, author: AUTHOR }))
        .stdout;
    const [base, root_of_it] = [await made('base'), await made('unrelated')];
    const head = await made('head', '-p', root_of_it);
    await lieAboutParent(clone, root_of_it, base);
    const believed = await git(['merge-base', '--is-ancestor', base, head], {
      git_dir: clone,
      ok_codes: [0, 1],
    });
    // Else the index is no lie and this test says nothing.
    expect(believed.exit_code).toBe(0);

    const clean = createCleanGit(join(root, 'clean.git'));

    expect(await contains(clean, clone, head, base)).toBe(false);
    expect(await contains(clean, clone, head, head)).toBe(true);
  });
});
