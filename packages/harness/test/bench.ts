import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { createLogger } from '@caloron/capabilities/logger';
import type { Order } from '@caloron/types';

import { type HarnessConfig, readConfig } from '../src/config.ts';
import type { HarnessDeps } from '../src/harness.ts';
import { createForge, type FakeForge } from './fake-forge.ts';
import { type FakeShell, startShell } from './fake-shell.ts';
import { oncePerFile } from './testing/once-per-file.ts';

/** Name and address of commits that tests make. */
export const PERSON = { name: 'A Person', email: 'person@example.invalid' };

/** A temporary directory with an origin, a worktree as the shell makes it, a shell that records and a forge in memory. */
export interface Bench {
  readonly root: string;
  readonly origin: string;
  readonly worktree: string;
  readonly directory: string;
  readonly base_sha: string;
  readonly shell: FakeShell;
  readonly forge: FakeForge;
  order(change?: Partial<Order>): Order;
  deps(change?: Partial<HarnessDeps> & { env?: Record<string, string> }): HarnessDeps;
  /** Writes a stub script for a task. */
  script(task_id: string, script: unknown): Promise<void>;
  /** The commit the origin's branch is at; null without it. */
  remote(branch: string): Promise<string | null>;
  /** A commit on a branch of the origin, made by somebody else; gives it. */
  pushElse(branch: string, files: Record<string, string>): Promise<string>;
  file(name: 'exit.json' | 'report.json'): Promise<unknown>;
  close(): Promise<void>;
}

const BRANCH = 'caloron/s1/t1';

/** A bench; `files` are the origin's first commit. */
export async function createBench(
  files: Record<string, string> = { 'README.md': '# one\n' },
): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'caloron-harness-test-'));
  const origin = join(root, 'origin.git');
  const directory = join(root, 'agents', 'p1');
  const worktree = join(root, 'worktrees', 't1');
  await mkdir(directory, { recursive: true });
  // A copy costs none of the ten programs that making one starts.
  const { dir, told: base_sha } = await oncePerFile(JSON.stringify(files), async (place) => {
    const made = join(place, 'origin.git');
    await git(['init', '-q', '--bare', '-b', 'main', made], { cwd: place });
    return commitElse(place, made, 'main', files);
  });
  const clone = join(root, 'repo.git');
  for (const copy of [origin, clone]) await cp(join(dir, 'origin.git'), copy, { recursive: true });
  await appendFile(join(clone, 'config'), `[remote "origin"]\n\turl = ${origin}\n`);
  await git(['worktree', 'add', '-q', '-b', BRANCH, worktree, base_sha], { cwd: clone });
  const shell = await startShell();
  const forge = createForge();
  return {
    root,
    origin,
    worktree,
    directory,
    base_sha,
    shell,
    forge,
    order: (change = {}) => ({ ...defaultOrder(root, worktree, origin, base_sha, shell.url), ...change }),
    deps: ({ env = {}, ...change } = {}) => ({
      config: configOf(env),
      directory,
      clock: systemClock,
      logger: createLogger({ name: 'test', level: 'silent' }),
      signal: new AbortController().signal,
      openForge: () => forge.repo,
      ...change,
    }),
    async script(task_id, script) {
      await mkdir(join(root, 'scripts'), { recursive: true });
      await writeFile(join(root, 'scripts', `${task_id}.json`), JSON.stringify(script));
    },
    async remote(branch) {
      const found = await git(['rev-parse', '-q', '--verify', `refs/heads/${branch}`], {
        git_dir: origin,
        ok_codes: [0, 1],
      });
      return found.exit_code === 0 ? found.stdout.trim() : null;
    },
    pushElse: async (branch, more) => commitElse(root, origin, branch, more),
    file: async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as unknown,
    async close() {
      await shell.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The environment of this machine that a harness may see, with more. */
export function configOf(env: Record<string, string>): HarnessConfig {
  return readConfig({ PATH: readConfig().env['PATH'], HOME: tmpdir(), ...env });
}

async function commitElse(
  root: string,
  origin: string,
  branch: string,
  files: Record<string, string>,
): Promise<string> {
  const place = await mkdtemp(join(root, 'else-'));
  await git(['clone', '-q', origin, place], { cwd: root });
  const there = await git(['rev-parse', '-q', '--verify', `origin/${branch}`], {
    cwd: place,
    ok_codes: [0, 1, 128],
  });
  await git(
    there.exit_code === 0
      ? ['checkout', '-q', '-B', branch, `origin/${branch}`]
      : ['checkout', '-q', '-B', branch],
    { cwd: place },
  );
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(place, name, '..'), { recursive: true });
    await writeFile(join(place, name), content);
  }
  await git(['add', '-A'], { cwd: place });
  await git(['commit', '-q', '-m', 'by somebody else'], { cwd: place, author: PERSON });
  await git(['push', '-q', 'origin', branch], { cwd: place });
  return (await git(['rev-parse', 'HEAD'], { cwd: place })).stdout.trim();
}

function defaultOrder(root: string, worktree: string, origin: string, base_sha: string, url: string): Order {
  return {
    v: 1,
    process_id: 'p1',
    sprint_id: 's1',
    agent_id: 'agent-1',
    role: 'author',
    mode: 'start',
    attempt: 1,
    task: {
      id: 't1',
      title: 'Do one thing',
      description: 'One thing, done.',
      issue_number: 7,
      pr_number: null,
    },
    repo: 'o/r',
    host: null,
    clone_url: origin,
    worktree,
    branch: BRANCH,
    base_branch: 'main',
    base_sha,
    head_sha: null,
    conventions: '',
    instruction: null,
    verify: [],
    timeout_ms: 30_000,
    untrusted: [],
    heartbeat_ms: 1000,
    log_file: join(root, 'logs', 'p1.log'),
    framework: { name: 'stub', options: { script_dir: join(root, 'scripts') } },
    shell_url: url,
    agent_token: 'agent-token-of-p1',
  };
}
