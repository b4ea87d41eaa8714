import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { ForgeError } from '@caloron/capabilities/forge-errors';
import { git } from '@caloron/capabilities/git';
import { createLoggerTo } from '@caloron/capabilities/logger';
import { addMs, markerOf, Report } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { runHarness } from './harness.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let bench: Bench;
beforeEach(async () => {
  bench = await createBench();
});
afterEach(async () => bench.close());

const BRANCH = 'caloron/s1/t1';
const once = (steps: unknown[], more: object = {}): object => ({ v: 1, attempts: [{ steps, ...more }] });
const writes = once([{ write: 'src/one.js', content: 'export const one = 1;\n' }, { commit: 'Add one' }]);

function forgeError(code: 'FORGE_UNAVAILABLE' | 'FORGE_INVALID', retryable: boolean): ForgeError {
  const facts = { host: 'h', repo: 'o/r', doing: 'do', status: null, answer: '' };
  return new ForgeError(code, facts, { retryable });
}

describe('an author', () => {
  it('5.6.5 delivers its commits: branch, pull request, feedback, report, exit.json', async () => {
    await bench.script(
      't1',
      once([{ write: 'src/one.js', content: 'export const one = 1;\n' }, { commit: 'Add one' }], {
        feedback: { task_clarity: 8, notes: 'fine' },
      }),
    );

    const code = await runHarness(bench.order(), bench.deps());

    const head = await bench.remote(BRANCH);
    const [report] = bench.shell.reports;
    expect(code).toBe(0);
    expect(Report.parse(report)).toMatchObject({
      outcome: 'completed',
      head_sha: head,
      pr_number: 100,
      synthetic: false,
    });
    expect(bench.forge.pulls[0]).toMatchObject({ title: 'Do one thing', base_ref: 'main', head_ref: BRANCH });
    expect(bench.forge.pulls[0]?.body).toContain('Closes #7\n' + markerOf('s1', 't1'));
    expect(bench.forge.posted[0]?.body).toContain('caloron_feedback:\n  task_id: "t1"');
    expect(await bench.file('exit.json')).toMatchObject({ code: 0, signal: null, known: true });
    expect(bench.shell.beats[0]).toMatchObject({ agent_id: 'agent-1', sprint_id: 's1' });
  });

  it('commits what is left under its own name', async () => {
    await bench.script('t1', once([{ write: 'left.txt', content: 'left\n' }]));

    await runHarness(bench.order(), bench.deps());

    const log = await git(['log', '-1', '--format=%an|%s', BRANCH], { git_dir: bench.origin });
    expect(log.stdout).toBe('caloron-agent-agent-1|[agent-1] Do one thing');
    expect((await git(['status', '--porcelain'], { cwd: bench.worktree })).stdout).toBe('');
  });

  it('says no_changes and opens nothing when there is nothing new', async () => {
    await bench.script('t1', once([{ say: 'nothing to do' }]));

    const code = await runHarness(bench.order(), bench.deps());

    expect(code).toBe(0);
    expect(bench.shell.reports[0]).toMatchObject({
      outcome: 'no_changes',
      pr_number: null,
      head_sha: bench.base_sha,
    });
    expect(bench.forge.pulls).toEqual([]);
    expect(await bench.remote(BRANCH)).toBeNull();
  });

  it('says failed, exits 1 and keeps the work when the framework fails', async () => {
    await bench.script('t1', once([{ write: 'half.txt', content: 'half\n' }], { exit_code: 3 }));

    const code = await runHarness(bench.order(), bench.deps());

    expect(code).toBe(1);
    expect(bench.shell.reports[0]).toMatchObject({
      outcome: 'failed',
      synthetic: true,
      feedback: { self_assessment: 'crashed', task_clarity: 0 },
    });
    expect(bench.shell.reports[0]?.body).toContain('exit code 3');
    expect(await readFile(join(bench.worktree, 'half.txt'), 'utf8')).toBe('half\n');
    expect(await bench.remote(BRANCH)).toBeNull();
    expect(await bench.file('exit.json')).toMatchObject({ code: 1 });
  });

  it('says timeout when the wall clock is over', async () => {
    await bench.script('t1', once([{ wait_ms: 60_000 }]));

    const code = await runHarness(bench.order({ timeout_ms: 200 }), bench.deps());

    expect(code).toBe(1);
    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'timeout' });
  });

  it('says blocked when the agent does, and delivers nothing', async () => {
    await bench.script(
      't1',
      once([{ write: 'a.txt', content: 'a' }], {
        feedback: { self_assessment: 'blocked', blockers: ['no key'] },
      }),
    );

    await runHarness(bench.order(), bench.deps());

    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'blocked', feedback: { blockers: ['no key'] } });
    expect(bench.shell.reports[0]?.body).toContain('no key');
    expect(await bench.remote(BRANCH)).toBeNull();
  });

  it('stops at the word of the shell and reports it', async () => {
    await bench.script('t1', once([{ wait_ms: 60_000 }]));
    bench.shell.reply = { command: 'stop', message: 'task was cancelled' };

    const code = await runHarness(bench.order(), bench.deps());

    expect(code).toBe(1);
    expect(bench.shell.reports[0]).toMatchObject({
      outcome: 'failed',
      body: 'HARNESS_STOPPED: stopped: task was cancelled',
    });
    expect(bench.forge.posted).toEqual([]);
  });

  it('A12 has its task looked at again when its program has ended: for one that is over nothing is delivered', async () => {
    await bench.script('t1', writes);
    bench.shell.at_turn_end = { command: 'stop', message: 'task t1 is Cancelled' };
    bench.shell.faults['/heartbeat'] = [503];

    const code = await runHarness(bench.order(), bench.deps());

    expect(code).toBe(1);
    expect(bench.shell.reports[0]).toMatchObject({
      outcome: 'failed',
      body: 'HARNESS_STOPPED: stopped: task t1 is Cancelled',
      exit: { cause: { class: 'stopped' } },
    });
    expect(bench.shell.credentials).toEqual([]);
    expect(await bench.remote(BRANCH)).toBeNull();
    expect(await readFile(join(bench.worktree, 'src/one.js'), 'utf8')).toContain('one');
  });

  if (SLOW)
    it('A12 delivers where the shell cannot say', async () => {
      await bench.script('t1', writes);
      bench.shell.faults['/heartbeat'] = [400, 400, 400];

      expect(await runHarness(bench.order(), bench.deps())).toBe(0);
      expect(bench.shell.reports[0]).toMatchObject({ outcome: 'completed' });
    });

  it('commits nothing after SIGTERM', async () => {
    const stop = new AbortController();
    await bench.script('t1', once([{ write: 'a.txt', content: 'a' }, { wait_ms: 60_000 }]));

    const running = runHarness(bench.order(), bench.deps({ signal: stop.signal }));
    await vi.waitFor(async () => readFile(join(bench.worktree, 'a.txt')), { timeout: 30_000 });
    stop.abort(new Error('SIGTERM'));

    expect(await running).toBe(1);
    expect((await git(['status', '--porcelain'], { cwd: bench.worktree })).stdout).toBe('?? a.txt');
    expect(bench.shell.reports[0]?.body).toContain('SIGTERM');
    expect(await bench.file('exit.json')).toMatchObject({ code: 1 });
  });

  it('opens one pull request when the answer to opening it is lost', async () => {
    await bench.script('t1', writes);
    bench.forge.faults['createPull'] = [{ error: forgeError('FORGE_UNAVAILABLE', true), after: true }];

    await runHarness(bench.order(), bench.deps());

    expect(bench.forge.pulls).toHaveLength(1);
    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'completed', pr_number: 100 });
  });

  if (SLOW)
    it('finds the pull request whose answer was lost in lists that lag', async () => {
      await bench.script('t1', writes);
      const { repo, faults } = bench.forge;
      faults['createPull'] = [
        { error: forgeError('FORGE_UNAVAILABLE', true), after: true },
        { error: forgeError('FORGE_INVALID', false) },
      ];
      const listed = repo.pullsOfBranch.bind(repo);
      let looks = 0;
      const lagging = async (branch: string) => ((looks += 1) <= 3 ? [] : listed(branch));
      Object.assign(repo, { pullsOfBranch: lagging });

      await runHarness(bench.order(), bench.deps());

      expect(bench.forge.pulls).toHaveLength(1);
      expect(bench.shell.reports[0]).toMatchObject({ outcome: 'completed', pr_number: 100 });
    });

  if (SLOW)
    it('waits for the end of a limit that its pull request meets', async () => {
      await bench.script('t1', writes);
      const reset_at = addMs(systemClock.now(), 300);
      const facts = { host: 'h', repo: 'o/r', doing: 'do', status: 403, answer: '', reset_at };
      const limited = new ForgeError('FORGE_RATE_LIMITED', facts, { retryable: true });
      bench.forge.faults['createPull'] = [{ error: limited }];

      await runHarness(bench.order(), bench.deps());

      expect(bench.forge.pulls).toHaveLength(1);
      expect(bench.shell.reports[0]).toMatchObject({ outcome: 'completed', pr_number: 100 });
      expect(await readFile(bench.order().log_file, 'utf8')).toMatch(
        /the host limits requests until .*; it is done after that/,
      );
    });

  if (SLOW)
    it('posts its feedback once when the answer to posting it is lost', async () => {
      await bench.script('t1', writes);
      bench.forge.faults['comment'] = [{ error: forgeError('FORGE_UNAVAILABLE', true), after: true }];

      await runHarness(bench.order(), bench.deps());

      expect(bench.forge.posted).toHaveLength(1);
    });

  if (SLOW)
    it('reports a refused pull request with the forge’s reason', async () => {
      await bench.script('t1', writes);
      bench.forge.faults['createPull'] = [{ error: forgeError('FORGE_INVALID', false) }];

      const code = await runHarness(bench.order(), bench.deps());

      expect(code).toBe(1);
      expect(bench.shell.reports[0]).toMatchObject({ outcome: 'failed' });
      expect(bench.shell.reports[0]?.body).toMatch(/^FORGE_INVALID: /);
      expect(await bench.remote(BRANCH)).not.toBeNull();
    });

  if (SLOW)
    it('reports a refused credential', async () => {
      await bench.script('t1', writes);
      bench.shell.faults['/credential'] = [403, 403, 403];

      const code = await runHarness(bench.order(), bench.deps());

      expect(code).toBe(1);
      expect(bench.shell.reports[0]?.body).toContain('HARNESS_SHELL_REFUSED');
      expect((await git(['log', '-1', '--format=%s'], { cwd: bench.worktree })).stdout).toBe('Add one');
    });

  it('O1 names its process and task in every line of its log, also where something fails', async () => {
    await bench.script('t1', once([{ say: 'nothing' }]));
    bench.shell.faults['/heartbeat'] = [503];
    bench.shell.faults['/report'] = [403];
    const lines: object[] = [];
    const write = (line: string): void => void lines.push(JSON.parse(line) as object);

    await runHarness(bench.order(), bench.deps({ logger: createLoggerTo({ name: 'harness' }, { write }) }));

    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    for (const said of [
      'attempt 1: author start of t1',
      'heartbeat not delivered',
      'report was not delivered',
    ])
      expect(text).toContain(said);
    for (const line of lines) expect(line).toMatchObject({ process_id: 'p1', task_id: 't1' });
  });

  if (SLOW)
    it('keeps reporting until the shell takes it', async () => {
      await bench.script('t1', once([{ say: 'nothing' }]));
      bench.shell.faults['/report'] = [503, 500];

      const code = await runHarness(bench.order(), bench.deps());

      expect(code).toBe(0);
      expect(bench.shell.reports).toHaveLength(1);
    });

  it('exits 1 and leaves report.json when the shell refuses the report', async () => {
    await bench.script('t1', once([{ say: 'nothing' }]));
    bench.shell.faults['/report'] = [403];

    const code = await runHarness(bench.order(), bench.deps());

    expect(code).toBe(1);
    expect(await bench.file('exit.json')).toMatchObject({ code: 1 });
    expect(await bench.file('report.json')).toMatchObject({ outcome: 'no_changes' });
  });

  if (SLOW)
    it('delivers what an earlier attempt left unpushed', async () => {
      await bench.script('t1', writes);
      await writeFile(join(bench.worktree, 'earlier.txt'), 'x');
      await git(['add', '-A'], { cwd: bench.worktree });
      await git(['commit', '-q', '-m', 'earlier'], {
        cwd: bench.worktree,
        author: { name: 'a', email: 'a@b' },
      });

      await runHarness(bench.order({ attempt: 2, mode: 'resume' }), bench.deps());

      const files = await git(['ls-tree', '-r', '--name-only', BRANCH], { git_dir: bench.origin });
      expect(files.stdout.split('\n')).toEqual(['README.md', 'earlier.txt', 'src/one.js']);
    });

  if (SLOW)
    it('uses the open pull request again and reports it, also when it had nothing to add', async () => {
      await bench.script('t1', writes);
      await runHarness(bench.order(), bench.deps());

      await runHarness(bench.order({ attempt: 2, mode: 'resume', instruction: 'go on' }), bench.deps());

      expect(bench.forge.pulls).toHaveLength(1);
      expect(bench.shell.reports[1]).toMatchObject({ outcome: 'completed', pr_number: 100 });
      expect(bench.shell.reports[1]?.body).toContain('added nothing');
    });

  if (SLOW)
    it('pushes nothing over the commits of somebody else', async () => {
      const theirs = await bench.pushElse(BRANCH, { 'theirs.txt': 'theirs' });
      await bench.script('t1', writes);

      await runHarness(bench.order(), bench.deps());

      expect(await bench.remote(BRANCH)).toBe(theirs);
      expect(bench.shell.reports[0]?.body).toContain('HARNESS_REMOTE_MOVED');
    });

  it('refuses a worktree the agent moved to another branch', async () => {
    await bench.script(
      't1',
      once([{ run: ['git', 'checkout', '-q', '-b', 'elsewhere'] }, { write: 'a', content: 'a' }]),
    );

    await runHarness(bench.order(), bench.deps());

    expect(bench.shell.reports[0]?.body).toContain('HARNESS_BRANCH_UNEXPECTED');
    expect(await bench.remote('elsewhere')).toBeNull();
  });

  if (SLOW)
    it('refuses a branch that lost its base', async () => {
      await bench.script(
        't1',
        once([
          { run: ['git', 'checkout', '-q', '--orphan', 'fresh'] },
          { run: ['git', 'commit', '-q', '-m', 'orphan', '--allow-empty'] },
          { run: ['git', 'branch', '-q', '-M', 'fresh', BRANCH] },
        ]),
      );

      await runHarness(bench.order(), bench.deps());

      expect(bench.shell.reports[0]?.body).toContain('HARNESS_BASE_LOST');
      expect(await bench.remote(BRANCH)).toBeNull();
    });

  it('delivers nothing of a repository the agent turned its worktree to', async () => {
    const other = join(bench.root, 'other.git');
    await bench.script(
      't1',
      once([
        { run: ['git', 'clone', '-q', '--bare', bench.origin, other] },
        { run: ['git', '-C', other, 'worktree', 'add', '-q', '-b', BRANCH, join(bench.root, 'elsewhere')] },
        { run: ['cp', join(bench.root, 'elsewhere', '.git'), '.git'] },
        { run: ['git', 'commit', '-q', '--allow-empty', '-m', 'of another repository'] },
      ]),
    );

    await runHarness(bench.order(), bench.deps());

    expect(bench.shell.reports[0]?.body).toContain('HARNESS_REPOSITORY_CHANGED');
    expect(await bench.remote(BRANCH)).toBeNull();
  });

  it('A8 runs no filter of the agent’s repository and lends it no credential', async () => {
    const trace = join(bench.root, 'trace');
    const evil = `sh -c 'env > ${trace}; cat'`;
    await bench.script(
      't1',
      once([
        { run: ['git', 'config', 'filter.evil.clean', evil] },
        { run: ['git', 'config', 'credential.helper', `!sh -c 'env > ${trace}'`] },
        { run: ['git', 'config', 'url./nowhere/.insteadOf', bench.origin] },
        { write: '.gitattributes', content: '* filter=evil\n' },
        { write: 'src/two.js', content: '2\n' },
      ]),
    );

    await runHarness(bench.order(), bench.deps());

    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'completed' });
    await expect(readFile(trace)).rejects.toThrow('ENOENT');
  });
});

describe('an author that rebases', () => {
  const fetched = async (): Promise<void> => {
    await git(['fetch', '-q', bench.origin, 'main:refs/remotes/origin/main'], { cwd: bench.worktree });
  };

  it('replaces its own head by the rebased one', async () => {
    await bench.script('t1', writes);
    await runHarness(bench.order(), bench.deps());
    const before = await bench.remote(BRANCH);
    const base = await bench.pushElse('main', { 'base.txt': 'new base' });
    await fetched();

    await runHarness(bench.order({ attempt: 2, mode: 'rebase', head_sha: before }), bench.deps());

    const after = await bench.remote(BRANCH);
    expect(bench.shell.reports[1]).toMatchObject({ outcome: 'completed', head_sha: after, pr_number: 100 });
    expect(after).not.toBe(before);
    expect((await git(['merge-base', 'main', BRANCH], { git_dir: bench.origin })).stdout).toBe(base);
  });

  if (SLOW)
    it('says failed and leaves the branch as it was when it conflicts', async () => {
      await bench.script('t1', once([{ write: 'README.md', content: '# mine\n' }]));
      await runHarness(bench.order(), bench.deps());
      const before = await bench.remote(BRANCH);
      await bench.pushElse('main', { 'README.md': '# theirs\n' });
      await fetched();

      await runHarness(bench.order({ attempt: 2, mode: 'rebase', head_sha: before }), bench.deps());

      expect(bench.shell.reports[1]?.body).toBe(
        'HARNESS_CONFLICTS: unresolved conflicts in README.md: nothing was committed',
      );
      expect(await bench.remote(BRANCH)).toBe(before);
      expect((await git(['status', '--porcelain', '--branch'], { cwd: bench.worktree })).stdout).toBe(
        `## ${BRANCH}`,
      );
    });
});

describe('a reviewer', () => {
  const review = (change: object = {}): ReturnType<Bench['order']> => {
    const order = bench.order({ role: 'reviewer', mode: 'review', head_sha: bench.base_sha, ...change });
    return { ...order, task: { ...order.task, pr_number: 100 } };
  };

  it('G8 approves a head whose commands pass, with a receipt', async () => {
    const code = await runHarness(
      review({
        verify: [
          ['node', '--version'],
          ['node', '-e', 'console.log("fine")'],
        ],
      }),
      bench.deps(),
    );

    expect(code).toBe(0);
    expect(bench.shell.reports[0]).toMatchObject({
      outcome: 'approved',
      head_sha: bench.base_sha,
      pr_number: 100,
      receipt: { commit: bench.base_sha, command: ['node', '-e', 'console.log("fine")'], exit_code: 0 },
    });
    expect(bench.forge.verdicts[0]).toMatchObject({ event: 'APPROVE', commit_id: bench.base_sha });
  });

  it('requests changes with the failing command and its output', async () => {
    const verify = [
      ['node', '-e', 'console.log("not ok: ```"); process.exit(4)'],
      ['node', '-e', 'never'],
    ];

    const code = await runHarness(review({ verify }), bench.deps());

    expect(code).toBe(0);
    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'changes_requested', receipt: { exit_code: 4 } });
    expect(bench.forge.verdicts[0]?.event).toBe('REQUEST_CHANGES');
    expect(bench.forge.verdicts[0]?.body).toContain('````text\n$ node -e');
    expect(bench.forge.verdicts[0]?.body).toContain('not ok: ```');
  });

  it('comments where the forge takes no verdict from the author', async () => {
    const facts = {
      host: 'h',
      repo: 'o/r',
      doing: 'review',
      status: 422,
      answer: '',
      pr_number: 100,
      login: 'x',
    };
    bench.forge.faults['review'] = [{ error: new ForgeError('FORGE_SELF_REVIEW', facts) }];

    await runHarness(review({ verify: [['true']] }), bench.deps());

    expect(bench.forge.verdicts).toMatchObject([{ event: 'COMMENT' }]);
    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'approved' });
  });

  it('says that nothing was verified when there is no command', async () => {
    await runHarness(review(), bench.deps());

    expect(bench.shell.reports[0]).toMatchObject({ outcome: 'approved', receipt: null });
    expect(bench.shell.reports[0]?.body).toContain('Nothing was verified');
  });

  it('shows the commands neither keys nor tokens', async () => {
    const verify = [['node', '-e', 'for (const k of Object.keys(process.env)) console.log(k)']];
    const env = { OPENAI_API_KEY: 'sk', GITHUB_TOKEN: 't', CALORON_ORDER_FILE: '/x' };

    await runHarness(review({ verify }), bench.deps({ env }));

    const tail = bench.shell.reports[0]?.receipt?.tail ?? '';
    expect(tail).toContain('CALORON_PROCESS_ID');
    expect(tail).not.toMatch(/KEY|TOKEN|ORDER_FILE/);
  });

  if (SLOW)
    it('requests changes when a command is missing or takes too long', async () => {
      await runHarness(review({ verify: [['no-such-command-anywhere']] }), bench.deps());
      await runHarness(
        review({ process_id: 'p2', verify: [['sleep', '60']], timeout_ms: 200 }),
        bench.deps(),
      );

      expect(bench.shell.reports).toMatchObject([
        { outcome: 'changes_requested', receipt: { exit_code: 127 } },
        { outcome: 'changes_requested', receipt: { exit_code: 124 } },
      ]);
    });

  it('refuses to judge another commit than the one it is asked about', async () => {
    const code = await runHarness(review({ head_sha: 'a'.repeat(40) }), bench.deps());

    expect(code).toBe(1);
    expect(bench.shell.reports[0]?.body).toContain('HARNESS_HEAD_UNEXPECTED');
  });
});
