import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench, PERSON } from '../test/bench.ts';
import { runHarness } from './harness.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let bench: Bench;
beforeEach(async () => {
  bench = await createBench({ 'README.md': '# one\n', '.gitignore': 'out/\n' });
});
afterEach(async () => bench.close());

/** The report of a run that verifies the base with these commands. */
async function verified(verify: string[][], change: Parameters<Bench['order']>[0] = {}) {
  const order = { role: 'reviewer', mode: 'verify', head_sha: bench.base_sha, verify } as const;
  await runHarness(bench.order({ ...order, ...change }), bench.deps());
  const [report] = bench.shell.reports;
  expect(report).toBeDefined();
  return report!;
}

describe('a verify run', () => {
  it('G8 gives a receipt per command with the commit, its tree and the time, and no verdict', async () => {
    const report = await verified([
      ['true'],
      ['sh', '-c', 'mkdir out && echo built > out/a && echo x > left.txt'],
    ]);

    const { stdout: tree_sha } = await git(['rev-parse', 'HEAD^{tree}'], { cwd: bench.worktree });
    const proof = {
      commit: bench.base_sha,
      tree_sha,
      exit_code: 0,
      at: expect.stringMatching(/Z$/) as string,
    };
    expect(report).toMatchObject({ outcome: 'completed', mode: 'verify', base_sha: bench.base_sha });
    expect(report.receipts).toMatchObject([
      { ...proof, command: ['true'] },
      { ...proof, left: ['left.txt'] },
    ]);
    expect(bench.forge.verdicts).toEqual([]);
  });

  it.each<[string, () => Promise<void>, RegExp]>([
    [
      'a new file',
      async () => writeFile(join(bench.worktree, 'new.txt'), 'n'),
      /not in the commit: new\.txt/,
    ],
    ['a changed file', async () => writeFile(join(bench.worktree, 'README.md'), '2'), /changed: README\.md/],
    ['a deleted file', async () => rm(join(bench.worktree, 'README.md')), /changed: README\.md/],
    [
      'a changed file that the index hides',
      async () => {
        await git(['update-index', '--assume-unchanged', 'README.md'], { cwd: bench.worktree });
        await writeFile(join(bench.worktree, 'README.md'), 'two');
      },
      /changed: README\.md/,
    ],
  ])('is not begun where %s was left', async (_what, leave, reason) => {
    await leave();
    const report = await verified([['true']]);

    expect(report).toMatchObject({ outcome: 'failed', receipt: null });
    expect(report.body).toMatch(/^HARNESS_TREE_NOT_EXACT/);
    expect(report.body).toMatch(reason);
  });

  it.each<[string, string, RegExp]>([
    ['changes a file of the commit', 'echo fixed >> README.md', /changed: README\.md/],
    ['hides that', 'git update-index --skip-worktree README.md; echo y > README.md', /changed: README\.md/],
    ['moves HEAD', 'git commit -q --allow-empty -m x', /HEAD is at/],
  ])(
    'is void and sends the task back when a command %s, whatever it ends with',
    async (_what, script, reason) => {
      const report = await verified([['sh', '-c', script], ['true']]);

      expect(report).toMatchObject({ outcome: 'changes_requested', receipts: [{ exit_code: 0 }] });
      expect(report.receipts?.[0]?.void).toMatch(reason);
      expect(report.body).toContain('proves nothing');
    },
  );
});

describe('an author that changes objects under the reviewer', () => {
  /** Objects as the shell has them: the forge's own, which no agent writes. */
  const trusted = (): string => join(bench.origin, 'objects');
  const clone = (): string => join(bench.root, 'repo.git');
  const inClone = async (args: string[], stdin?: string): Promise<string> =>
    (await git(args, { git_dir: clone(), stdin, author: PERSON })).stdout;

  /** A head on the forge whose `test/check.sh` fails, and the tree and blob of a check that passes. */
  async function honestHead() {
    const head_sha = await bench.pushElse('caloron/s1/t1', { 'test/check.sh': 'exit 1\n' });
    await inClone(['fetch', '-q', bench.origin, '+caloron/s1/t1:refs/honest']);
    const blob = await inClone(['hash-object', '-w', '--stdin'], 'exit 0\n');
    const forged = await inClone(['mktree'], `100644 blob ${blob}\tcheck.sh\n`);
    return { head_sha, blob, forged, subtree: await inClone(['rev-parse', `${head_sha}:test`]) };
  }

  /** The object files lie under one another's name. */
  async function lay(forged: string, over: string): Promise<void> {
    const fileOf = (sha: string): string => join(clone(), 'objects', sha.slice(0, 2), sha.slice(2));
    const bytes = await readFile(fileOf(forged));
    await mkdir(dirname(fileOf(over)), { recursive: true });
    await rm(fileOf(over), { force: true });
    await writeFile(fileOf(over), bytes);
  }

  const checkout = async (head_sha: string): Promise<void> => {
    await git(['checkout', '-q', '--force', '--detach', head_sha], { cwd: bench.worktree });
  };

  it('proves nothing by a tree with another content inside the head: the checks that ran were not the head’s', async () => {
    const { head_sha, forged, subtree } = await honestHead();
    // As an agent can at any time: what git unpacked lies in loose files it may write.
    await rm(join(clone(), 'objects', 'pack'), { recursive: true, force: true });
    await inClone(['fetch', '-q', bench.origin, '+refs/heads/*:refs/all/*']).catch(() => undefined);
    await lay(forged, subtree);
    await checkout(head_sha);
    expect(await readFile(join(bench.worktree, 'test/check.sh'), 'utf8')).toBe('exit 0\n');

    const check = [['sh', 'test/check.sh']];
    const believed = await verified(check, { head_sha });
    expect(believed).toMatchObject({ outcome: 'completed', receipts: [{ exit_code: 0 }] });
    bench.shell.reports.length = 0;
    const report = await verified(check, { head_sha, trusted_objects: trusted() });

    expect(report).toMatchObject({ outcome: 'failed', receipt: null });
    expect(report.body).toMatch(/^HARNESS_TREE_NOT_EXACT.*changed: test\/check\.sh/);
  });

  it.each<[string, (of: Awaited<ReturnType<typeof honestHead>>) => Promise<void>]>([
    [
      'a replacement of the tree',
      async ({ subtree, forged }) => void (await inClone(['replace', subtree, forged])),
    ],
    [
      'a graft and a shallow file',
      async ({ head_sha }) => {
        await mkdir(join(clone(), 'info'), { recursive: true });
        await writeFile(join(clone(), 'info', 'grafts'), `${head_sha}\n`);
        await writeFile(join(clone(), 'shallow'), `${head_sha}\n`);
      },
    ],
    [
      'objects of another repository',
      async () => {
        const info = join(clone(), 'objects', 'info');
        await mkdir(info, { recursive: true });
        await writeFile(join(info, 'alternates'), `${join(bench.root, 'nowhere')}\n`);
      },
    ],
  ])('changes nothing by %s', async (_what, attack) => {
    const head = await honestHead();
    await attack(head);
    await checkout(head.head_sha);

    const base_head = bench.base_sha;
    const order = { head_sha: head.head_sha, base_head, trusted_objects: trusted() };
    const report = await verified([['sh', 'test/check.sh']], order);

    expect(report).toMatchObject({ outcome: 'changes_requested', receipts: [{ exit_code: 1 }] });
    expect(report.drift).toEqual({ behind: 0, base_head, head_sha: head.head_sha });
  });

  it('makes no head contain a base by a commit with other parents', async () => {
    const { head_sha } = await honestHead();
    const base_sha = await bench.pushElse('main', { 'later.txt': 'later' });
    await inClone(['fetch', '-q', bench.origin, 'main']);
    const tree = await inClone(['rev-parse', `${bench.base_sha}^{tree}`]);
    const forged = await inClone(['commit-tree', tree, '-p', base_sha, '-m', 'by somebody else']);
    await lay(forged, bench.base_sha);
    await checkout(head_sha);
    const contained = ['merge-base', '--is-ancestor', base_sha, head_sha];
    expect((await git(contained, { git_dir: clone(), ok_codes: [0, 1] })).exit_code).toBe(0);

    const report = await verified([['true']], { head_sha, base_sha, trusted_objects: trusted() });

    expect(report).toMatchObject({ outcome: 'failed', base_lost: base_sha });
  });
});

describe('a base', () => {
  it('G3 that the head lacks stops author and reviewer before anything runs, by name', async () => {
    const base_sha = await bench.pushElse('main', { 'later.txt': 'later' });
    await git(['fetch', '-q', bench.origin, 'main:refs/remotes/origin/main'], { cwd: bench.worktree });
    await bench.script('t1', { v: 1, attempts: [{ steps: [{ write: 'a.txt', content: 'a' }] }] });

    const order = { role: 'reviewer', mode: 'review', head_sha: bench.base_sha, base_sha } as const;
    await runHarness(bench.order({ ...order, verify: [['touch', 'ran']] }), bench.deps());
    await runHarness(bench.order({ base_sha, mode: 'resume' }), bench.deps());

    for (const report of bench.shell.reports) {
      expect(report).toMatchObject({ outcome: 'failed', base_lost: base_sha });
      expect(report.body).toMatch(/^HARNESS_BASE_LOST/);
    }
    expect((await git(['status', '--porcelain'], { cwd: bench.worktree })).stdout).toBe('');
  });

  it('that has moved on is told with the review', async () => {
    const base_head = await bench.pushElse('main', { 'later.txt': 'later' });
    await git(['fetch', '-q', bench.origin, 'main:refs/remotes/origin/main'], { cwd: bench.worktree });

    const report = await verified([['true']], { mode: 'review', base_head });

    expect(report).toMatchObject({
      outcome: 'approved',
      drift: { behind: 1, base_head, head_sha: bench.base_sha },
    });
    expect(report.body).toContain('`main` is 1 commit ahead');
  });

  if (SLOW)
    it('that was rewritten does not come back with the branch that is rebased', async () => {
      const rebase_from = await bench.pushElse('main', { 'secret.txt': 'oops' });
      await git(['fetch', '-q', bench.origin, 'main:refs/remotes/origin/main'], { cwd: bench.worktree });
      await git(['reset', '-q', '--hard', rebase_from], { cwd: bench.worktree });
      await bench.script('t1', {
        v: 1,
        attempts: [{ steps: [{ write: 'a.txt', content: 'a' }, { commit: 'a' }] }],
      });
      await runHarness(bench.order({ base_sha: rebase_from }), bench.deps());
      const before = await bench.remote('caloron/s1/t1');
      await git(['update-ref', 'refs/heads/main', bench.base_sha], { git_dir: bench.origin });
      const base_head = await bench.pushElse('main', { 'clean.txt': 'clean' });
      await git(['fetch', '-q', bench.origin, '+main:refs/remotes/origin/main'], { cwd: bench.worktree });

      const rebase = { attempt: 2, mode: 'rebase', base_sha: base_head, base_head, rebase_from } as const;
      await runHarness(bench.order({ ...rebase, head_sha: before }), bench.deps());

      expect(bench.shell.reports[1]).toMatchObject({ outcome: 'completed', base_sha: base_head });
      const after = (await bench.remote('caloron/s1/t1')) ?? '';
      const { stdout } = await git(['ls-tree', '--name-only', after], { git_dir: bench.origin });
      expect(stdout.split('\n')).toEqual(['.gitignore', 'README.md', 'a.txt', 'clean.txt']);
    });
});
