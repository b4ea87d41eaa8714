import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { runHarness } from './harness.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let bench: Bench;
/** A program that leaves a trace when anything runs it. */
let evil: string;
let canary: string;

beforeEach(async () => {
  bench = await createBench();
  canary = join(bench.root, 'canary');
  evil = join(bench.root, 'evil');
  await program(evil);
});
afterEach(async () => bench.close());

const BRANCH = 'caloron/s1/t1';
const clone = (): string => join(bench.root, 'repo.git');

async function program(file: string): Promise<void> {
  await writeFile(file, `#!/bin/sh\necho "$0 $*" >> '${canary}'\nexec cat\n`);
  await chmod(file, 0o755);
}

/** Settings, hooks and attributes that make a git that reads them run a program. */
async function poison(): Promise<void> {
  const settings: Readonly<Record<string, string>> = {
    'core.hooksPath': join(clone(), 'hooks'),
    'core.fsmonitor': evil,
    'core.sshCommand': evil,
    'core.askPass': evil,
    'core.editor': evil,
    'core.pager': evil,
    'core.alternateRefsCommand': evil,
    'credential.helper': `!${evil}`,
    'filter.evil.clean': evil,
    'filter.evil.smudge': evil,
    'filter.evil.process': evil,
    'diff.evil.textconv': evil,
    'diff.external': evil,
    'commit.gpgSign': 'true',
    'gpg.program': evil,
    'merge.evil.driver': `${evil} %A`,
    'merge.default': 'evil',
    'merge.tool': 'evil',
    'sequence.editor': evil,
    'rebase.backend': 'merge',
    'push.gpgSign': 'true',
    'remote.origin.uploadpack': evil,
    'remote.origin.receivepack': evil,
    'submodule.recurse': 'true',
    'submodule.lib.update': `!${evil}`,
    'submodule.lib.url': `ext::${evil}`,
    [`url.ext::${evil}.insteadOf`]: bench.origin,
    'protocol.allow': 'always',
  };
  for (const [key, value] of Object.entries(settings))
    await git(['config', key, value], { git_dir: clone() });
  await mkdir(join(clone(), 'hooks'), { recursive: true });
  const hooks = [
    'post-checkout',
    'post-commit',
    'pre-commit',
    'pre-push',
    'post-index-change',
    'reference-transaction',
    'pre-rebase',
    'post-rewrite',
    'post-merge',
    'prepare-commit-msg',
  ];
  for (const hook of hooks) await program(join(clone(), 'hooks', hook));
}

const scripted = {
  v: 1,
  attempts: [
    {
      steps: [
        { write: '.gitattributes', content: '* filter=evil diff=evil merge=evil\n' },
        {
          write: '.gitmodules',
          content: '[submodule "lib"]\n\tpath = lib\n\turl = ext::sh\n\tupdate = !evil\n',
        },
        { write: 'src/two.js', content: '2\n' },
      ],
    },
  ],
};

describe('a malicious repository', () => {
  it('runs nothing when the harness looks at it, commits, pushes and reports', async () => {
    await poison();
    await bench.script('t1', scripted);

    const code = await runHarness(bench.order(), bench.deps());

    expect(code).toBe(0);
    expect(bench.shell.reports[0]).toMatchObject({
      outcome: 'completed',
      head_sha: await bench.remote(BRANCH),
    });
    expect(existsSync(canary)).toBe(false);
  });

  if (SLOW)
    it('runs no merge driver, filter or hook when the harness rebases it', async () => {
      const lines = (top: string, end: string): string =>
        [top, ...'a b c d e f g h'.split(' '), end, ''].join('\n');
      await bench.script('t1', {
        v: 1,
        attempts: [
          {
            steps: [
              { write: '.gitattributes', content: '* filter=evil diff=evil merge=evil\n' },
              { write: 'README.md', content: lines('# one', 'the end') },
              { commit: 'Say where it ends' },
            ],
          },
        ],
      });
      await bench.pushElse('main', { 'README.md': lines('# one', 'z') });
      await git(['fetch', '-q', bench.origin, 'main:refs/remotes/origin/main'], { cwd: bench.worktree });
      const begun = (await git(['rev-parse', 'origin/main'], { cwd: bench.worktree })).stdout;
      await git(['reset', '-q', '--hard', begun], { cwd: bench.worktree });
      await runHarness(bench.order({ base_sha: begun }), bench.deps());
      const before = await bench.remote(BRANCH);
      const base_head = await bench.pushElse('main', { 'README.md': lines('# two', 'z') });
      await git(['fetch', '-q', bench.origin, 'main:refs/remotes/origin/main'], { cwd: bench.worktree });
      await poison();

      const rebase = {
        attempt: 2,
        mode: 'rebase',
        base_sha: base_head,
        base_head,
        head_sha: before,
      } as const;
      const code = await runHarness(bench.order(rebase), bench.deps());

      expect(code).toBe(0);
      const after = await bench.remote(BRANCH);
      expect(after).not.toBe(before);
      expect(bench.shell.reports[1]).toMatchObject({ outcome: 'completed', head_sha: after });
      const { stdout } = await git(['show', `${after}:README.md`], { git_dir: bench.origin });
      expect(stdout).toBe(lines('# two', 'the end').trimEnd());
      expect(await readFile(join(bench.worktree, 'README.md'), 'utf8')).toBe(lines('# two', 'the end'));
      expect(existsSync(canary)).toBe(false);
    });

  it('runs nothing when a reviewer verifies it', async () => {
    await bench.script('t1', scripted);
    await runHarness(bench.order(), bench.deps());
    const head = await bench.remote(BRANCH);
    await poison();

    await runHarness(
      bench.order({ role: 'reviewer', mode: 'review', head_sha: head, verify: [['true']] }),
      bench.deps(),
    );

    expect(bench.shell.reports).toHaveLength(2);
    expect(existsSync(canary)).toBe(false);
  });
});

it('O10 G19 credentials that an agent prints are in no log, report or text on the forge', async () => {
  const shaped = `ghp_${'a1B2'.repeat(9)}`;
  const said = `the keys: agent-token-of-p1 model-key-123456 ${shaped}`;
  await bench.script('t1', {
    v: 1,
    attempts: [
      {
        steps: [
          { write: 'a.txt', content: 'a\n' },
          { commit: said },
          { say: said },
          { run: ['sh', '-c', `printf 'agent-token'; sleep 0.1; printf -- '-of-p1\\n'; echo ${shaped}`] },
        ],
        feedback: { notes: said, blockers: [said] },
      },
    ],
  });

  const code = await runHarness(
    bench.order(),
    bench.deps({ env: { ANTHROPIC_API_KEY: 'model-key-123456' } }),
  );

  expect(code).toBe(0);
  const log = await readFile(join(bench.root, 'logs', 'p1.log'), 'utf8');
  const places = [log, JSON.stringify(await bench.file('report.json')), JSON.stringify(bench.forge)];
  for (const place of places) {
    expect(place).toContain('[redacted]');
    for (const secret of ['agent-token-of-p1', 'model-key-123456', shaped])
      expect(place).not.toContain(secret);
  }
});
