import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '@caloron/capabilities/git';
import { openSql } from './database.ts';
import { recordIntent } from './model/pulls.ts';
import { appRepo, openPull, testForge, type TestForge } from './test-kit.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const at = { owner: 'alice', repo: 'app' } as const;

describe('a forge that was killed in a merge', () => {
  let dir: string;
  let data: string;
  let forge: TestForge;
  let base: string;
  let pull: { number: number; head: { sha: string } };
  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'forge-crash-'));
    data = path.join(dir, 'data');
    forge = await testForge({ data });
    const { clone } = await appRepo(forge);
    await forge.as('alice').issues.create({ ...at, title: 'i' });
    base = await clone.git('rev-parse', 'main');
    pull = await openPull(forge, clone, { branch: 'work', files: { 'w.txt': 'w' }, body: 'Closes #1' });
    await forge.stop();
  });
  afterEach(async () => {
    await forge.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Leaves what a kill between two steps of a merge leaves. */
  async function crash(options: { readonly branchMoved: boolean }): Promise<string> {
    const git_dir = path.join(data, 'repos', '1.git');
    const author = { name: 'alice', email: 'alice@example.com' };
    const tree = `${pull.head.sha}^{tree}`;
    const commit = await git(['commit-tree', tree, '-p', base, '-m', 'merged\n\nFixes #99'], {
      git_dir,
      author,
    });
    const new_sha = commit.stdout;
    const sql = openSql(data);
    const intent = { issue_id: pull.number, actor_id: 1, base_ref: 'main', old_sha: base, new_sha };
    await sql.write(() => recordIntent(sql, intent));
    sql.close();
    if (options.branchMoved) await git(['update-ref', 'refs/heads/main', new_sha, base], { git_dir });
    forge = await testForge({ data });
    return new_sha;
  }

  it('finishes the merge whose branch had moved', async () => {
    const sha = await crash({ branchMoved: true });

    const { data: found } = await forge.as('alice').pulls.get({ ...at, pull_number: pull.number });

    expect(found).toMatchObject({ merged: true, merge_commit_sha: sha, merged_by: { login: 'alice' } });
    expect((await forge.as('alice').issues.get({ ...at, issue_number: 1 })).data.state).toBe('closed');
  });

  it('forgets the merge whose branch had not, and can merge again', async () => {
    await crash({ branchMoved: false });

    const before = await forge.as('alice').pulls.get({ ...at, pull_number: pull.number });
    const merged = await forge.as('alice').pulls.merge({ ...at, pull_number: pull.number });

    expect(before.data).toMatchObject({ merged: false, state: 'open', mergeable: true });
    expect(merged.data.merged).toBe(true);
  });

  if (SLOW)
    it('follows a push whose rows it never wrote', async () => {
      const git_dir = path.join(data, 'repos', '1.git');
      const author = { name: 'alice', email: 'alice@example.com' };
      const tree = `${pull.head.sha}^{tree}`;
      const commit = await git(['commit-tree', tree, '-p', pull.head.sha, '-m', 'more'], { git_dir, author });
      await git(['update-ref', 'refs/heads/work', commit.stdout], { git_dir });

      forge = await testForge({ data });

      const { data: found } = await forge.as('alice').pulls.list({ ...at, head: 'alice:work' });
      expect(found[0]?.head.sha).toBe(commit.stdout);
    });

  if (SLOW)
    it('closes what a push named whose rows it never wrote', async () => {
      const git_dir = path.join(data, 'repos', '1.git');
      const author = { name: 'alice', email: 'alice@example.com' };
      const made = await git(['commit-tree', `${base}^{tree}`, '-p', base, '-m', 'Fixes #1'], {
        git_dir,
        author,
      });
      await git(['update-ref', 'refs/heads/main', made.stdout], { git_dir });

      forge = await testForge({ data });

      expect((await forge.as('alice').issues.get({ ...at, issue_number: 1 })).data.state).toBe('closed');
    });
});
