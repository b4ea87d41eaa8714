import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { createLogger } from '@caloron/capabilities/logger';
import type {
  ForgeComment,
  ForgePull,
  ForgeRepo,
  ForgeReview,
  Heartbeat,
  HeartbeatReply,
  Order,
  Report,
} from '@caloron/types';

import { type HarnessConfig, readConfig } from '../src/config.ts';
import type { HarnessDeps } from '../src/harness.ts';

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
  await git(['init', '-q', '--bare', '-b', 'main', origin], { cwd: root });
  const base_sha = await commitElse(root, origin, 'main', files);
  const clone = join(root, 'repo.git');
  await git(['clone', '-q', '--bare', origin, clone], { cwd: root });
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
  return readConfig({ PATH: process.env['PATH'] ?? '', HOME: tmpdir(), ...env });
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
    heartbeat_ms: 100,
    log_file: join(root, 'logs', 'p1.log'),
    framework: { name: 'stub', options: { script_dir: join(root, 'scripts') } },
    shell_url: url,
    agent_token: 'agent-token-of-p1',
  };
}

/** A shell that records what agents tell it. */
export interface FakeShell {
  readonly url: string;
  readonly beats: Heartbeat[];
  readonly reports: Report[];
  readonly credentials: string[];
  /** What every heartbeat is answered. */
  reply: Partial<HeartbeatReply>;
  /** Status per path for the next requests, taken from the front; then the real answer. */
  readonly faults: Record<string, number[]>;
  close(): Promise<void>;
}

async function startShell(): Promise<FakeShell> {
  const state: Omit<FakeShell, 'url' | 'close'> = {
    beats: [],
    reports: [],
    credentials: [],
    reply: {},
    faults: {},
  };
  const server: Server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = request.url ?? '';
      const fault = state.faults[path]?.shift();
      const known = request.headers['x-caloron-token'] === 'agent-token-of-p1';
      const status = fault ?? (known ? 200 : 401);
      const answer =
        status === 200 ? answerOf(path, body) : { ok: false, code: 'SHELL_TEST', error: `status ${status}` };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  const answerOf = (path: string, body: unknown): unknown => {
    if (path === '/heartbeat') {
      state.beats.push(body as Heartbeat);
      return { ok: true, command: null, message: null, ...shell.reply };
    }
    if (path === '/report') state.reports.push(body as Report);
    if (path === '/credential') {
      state.credentials.push((body as { purpose: string }).purpose);
      return {
        ok: true,
        username: 'x-access-token',
        token: 'forge-token',
        expires_at: '2100-01-01T00:00:00.000Z',
      };
    }
    return { ok: true };
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const shell: FakeShell = Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
  return shell;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

/** A forge in memory: what the harness asks of one, and faults to order. */
export interface FakeForge {
  readonly repo: ForgeRepo;
  readonly pulls: ForgePull[];
  readonly posted: ForgeComment[];
  readonly verdicts: (ForgeReview & { event: string; pr_number: number })[];
  /** Errors the next calls of a method throw, from the front; with `after` the call has its effect first. */
  readonly faults: Record<string, { error: Error; after?: boolean }[]>;
}

function createForge(): FakeForge {
  const pulls: ForgePull[] = [];
  const posted: ForgeComment[] = [];
  const verdicts: FakeForge['verdicts'] = [];
  const faults: FakeForge['faults'] = {};
  const at = '2026-11-21T10:00:00.000Z';
  async function effect<T>(name: string, work: () => T): Promise<T> {
    const fault = faults[name]?.shift();
    if (fault !== undefined && fault.after !== true) throw fault.error;
    const made = work();
    if (fault !== undefined) throw fault.error;
    return made;
  }
  const repo: Partial<ForgeRepo> = {
    pullsOfBranch: async (branch) =>
      effect('pullsOfBranch', () => pulls.filter(({ head_ref }) => head_ref === branch)),
    createPull: async ({ title, body, head, base }) =>
      effect('createPull', () => {
        const number = 100 + pulls.length;
        const pull: ForgePull = {
          number,
          node_id: `PR_${number}`,
          title,
          body,
          state: 'open',
          draft: false,
          fork: false,
          head_ref: head,
          head_sha: '0'.repeat(40),
          base_ref: base,
          author: 'agent',
          labels: [],
          merged_at: null,
          merge_sha: null,
          mergeable: null,
          url: '',
          created_at: at,
          updated_at: at,
          closed_at: null,
        };
        pulls.push(pull);
        return pull;
      }),
    comments: async (issue) =>
      effect('comments', () => posted.filter(({ issue_number }) => issue_number === issue)),
    comment: async (issue_number, body) =>
      effect('comment', () => {
        const made = {
          id: posted.length + 1,
          issue_number,
          body,
          author: 'agent',
          created_at: at,
          updated_at: at,
        };
        posted.push(made);
        return made;
      }),
    reviews: async (pr) => effect('reviews', () => verdicts.filter(({ pr_number }) => pr_number === pr)),
    review: async (pr_number, { event, body, commit_id }) =>
      effect('review', () => {
        const made = {
          id: `R${verdicts.length}`,
          author: 'reviewer',
          state: 'commented' as const,
          body,
          commit_id,
          submitted_at: at,
          event,
          pr_number,
        };
        verdicts.push(made);
        return made;
      }),
  };
  return { repo: repo as ForgeRepo, pulls, posted, verdicts, faults };
}
