import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { systemRandom } from '@caloron/capabilities/random';
import { createShells } from '@caloron/capabilities/shell';
import { addUser, startForge } from '@caloron/forge';
import { readConfig, type RunningShell, startShell } from '@caloron/shell';
import { openStore, type Store } from '@caloron/store';
import { addMs, branchOf, type Clock, markerOf } from '@caloron/types';
import { Octokit } from '@octokit/rest';

import { AGENT, type Facts, REVIEWER, seedSprint, SPRINT, startSprint } from './crash-sprint.ts';
import { temporaryHome } from './home.ts';
import { killProcessesOf } from './processes.ts';
import { ROOT } from './tree.ts';

const CHILD = join(ROOT, 'test/support/crash-child.ts');
const SHELL_TOKEN = 'token-of-the-shell';
const DAY_MS = 86_400_000;
const REPO = { owner: AGENT, repo: 'work' } as const;

/** A harness that writes down that it was started and then works until it is stopped. */
const HARNESS = `import { appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
appendFileSync(join(dirname(process.env.CALORON_ORDER_FILE), 'started'), 'x');
setInterval(() => undefined, 1000);
`;

/** Where a scheduler is told to die: at the n-th step, at the first or n-th of a name, or nowhere. */
export type Kill = number | string | null;

/** A forge, a shell and a sprint in which one tick has to create, merge, mark, clean up, start, submit, escalate and restart. */
export interface CrashWorld {
  readonly dir: string;
  readonly store: Store;
  readonly octokit: Octokit;
  readonly repo: { readonly owner: string; readonly repo: string };
  /** What a scheduler of this world needs in its environment. */
  readonly variables: Readonly<Record<string, string>>;
  readonly graph: string;
  readonly input: { readonly sprint_id: string; readonly repo: string };
  /** Runs the scheduler in a process of its own until it dies or is told to end. */
  scheduler(options: { readonly kill: Kill; readonly ahead_ms: number }): CrashChild;
  /** How often the harness of a process was started. */
  starts(process_id: string): number;
  /** Subjects of the base branch's own line of commits, newest first. */
  main(): Promise<readonly string[]>;
  branches(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** How a scheduler's process ended. */
export interface Ended {
  /** The step it killed itself at; null when it ended otherwise. */
  readonly killed_at: string | null;
  /** The steps of its first run, when it ended by itself. */
  readonly steps: readonly string[];
}

/** The scheduler's process. */
export interface CrashChild {
  readonly ended: Promise<Ended>;
  stop(): Promise<Ended>;
}

function follow(child: ChildProcess): CrashChild {
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('close', (code, signal) => {
      const said = out.split('\n').find((line) => line.startsWith('{'));
      if (said !== undefined) return resolve({ killed_at: null, steps: [], ...(JSON.parse(said) as object) });
      reject(new Error(`the scheduler ended with ${signal ?? `code ${String(code)}`} and said nothing`));
    });
  });
  // Whoever waits is told; a child that nobody waits for is being cleaned up.
  ended.catch(() => undefined);
  return {
    ended,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** What all worlds of a test begin with: the forge's data as it was before the sprint, and the sources compiled once. */
export interface CrashTemplate {
  /** Makes a world anew: every case has its own forge, repository, shell and database. */
  world(): Promise<CrashWorld>;
  remove(): void;
}

/** Makes a template. */
export async function crashTemplate(): Promise<CrashTemplate> {
  const { dir, remove } = temporaryHome();
  const data = join(dir, 'forge');
  try {
    const forge = await startForge({ data, port: 0 });
    try {
      const { token } = await addUser(data, AGENT);
      await addUser(data, REVIEWER);
      const made = { data, token, cache: join(dir, 'compiled'), ...(await fillForge(forge.url, token, dir)) };
      return { world: () => crashWorld(made), remove };
    } finally {
      await forge.close();
    }
  } catch (error) {
    remove();
    throw error;
  }
}

interface Made extends Omit<Facts, 'host'> {
  readonly data: string;
  readonly token: string;
  readonly cache: string;
}

async function crashWorld({ data: filled, token, cache, ...found }: Made): Promise<CrashWorld> {
  const home = temporaryHome();
  const { dir } = home;
  const undo: (() => unknown)[] = [() => home.remove(), () => killProcessesOf(dir)];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const data = join(dir, 'forge');
    cpSync(filled, data, { recursive: true });
    const forge = await startForge({ data, port: 0 });
    undo.push(() => forge.close());
    const facts = { host: forge.url, ...found };

    const store = openStore(join(dir, '.caloron', 'caloron.db'), {
      clock: systemClock,
      uuid: () => systemRandom.uuid(),
    });
    undo.push(() => store.close());
    const secrets = {
      PATH: process.env['PATH'] ?? '',
      TMPDIR: tmpdir(),
      CALORON_FORGE_TOKEN: token,
      CALORON_SHELL_TOKEN: SHELL_TOKEN,
      CALORON_LOG_LEVEL: 'fatal',
    };
    const state = await seedSprint(store, facts);
    const { shell, silent } = await startShells(dir, secrets, store.db_id);
    undo.push(() => shell.close());
    await startSprint(store, state, facts, silent);

    const graph = join(ROOT, 'compositions/sprint_tick.json');
    const input = { sprint_id: SPRINT, repo: `${AGENT}/work` };
    const on = ['agent_reported', 'agent_exited', 'action_succeeded', 'action_failed', 'sprint.started'];
    const job = { name: 'sprint-tick', cron: '0 0 1 1 *', graph, input, on };
    writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [job] }));
    const variables = { ...secrets, CALORON_SHELL_URL: shell.url, NODE_COMPILE_CACHE: cache };
    const git_dir = join(data, 'repos', '1.git');
    const lines = async (...args: readonly string[]): Promise<readonly string[]> =>
      (await git(args, { git_dir })).stdout.split('\n').filter((line) => line !== '');

    return {
      dir,
      store,
      octokit: new Octokit({ auth: token, baseUrl: forge.url }),
      repo: REPO,
      variables,
      graph,
      input,
      scheduler: (options) => {
        const child = spawn(process.execPath, [CHILD, JSON.stringify({ dir, ...options })], {
          cwd: dir,
          env: variables,
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        undo.push(() => child.kill('SIGKILL'));
        return follow(child);
      },
      starts: (process_id) => {
        const file = join(dir, '.caloron', 'agents', process_id, 'started');
        return existsSync(file) ? readFileSync(file, 'utf8').length : 0;
      },
      main: () => lines('log', '--first-parent', '--format=%s', 'refs/heads/main'),
      branches: () => lines('for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A shell that found the agent of `silent` running: an earlier one started it, a day ago. */
async function startShells(
  dir: string,
  secrets: Readonly<Record<string, string>>,
  db_id: string,
): Promise<{ readonly shell: RunningShell; readonly silent: { readonly process_id: string } }> {
  const harness = join(dir, 'harness.mjs');
  writeFileSync(harness, HARNESS);
  const config = readConfig({ home: dir, port: '0' }, { ...secrets, CALORON_HARNESS_BIN: harness }, dir);
  const yesterday: Clock = { now: () => addMs(systemClock.now(), -DAY_MS) };
  const first = await startShell(config, { clock: yesterday });
  try {
    const client = createShells({ url: first.url, token: () => SHELL_TOKEN, db_id }).open(null);
    const task = { sprint_id: SPRINT, task_id: 'silent', agent_id: 'agent-6', attempt: 1 };
    const silent = await client.spawn({ ...task, repo: `${AGENT}/work` });
    await first.close();
    // It has listened in vain all the time since.
    const now = (): string => systemClock.now();
    const listening = { since: () => yesterday.now(), heard: now, close: () => undefined };
    return { shell: await startShell(config, { listening }), silent };
  } catch (error) {
    await first.close();
    throw error;
  }
}

/** A repository with one commit, issues for the tasks that have one, and two pull requests. */
async function fillForge(url: string, token: string, dir: string): Promise<Omit<Facts, 'host'>> {
  const octokit = new Octokit({ auth: token, baseUrl: url });
  const repo = REPO;
  await octokit.repos.createForAuthenticatedUser({ name: repo.repo });
  await octokit.repos.addCollaborator({ ...repo, username: REVIEWER, permission: 'push' });
  const work = join(dir, 'work');
  mkdirSync(work);
  await git(['init', '--quiet', '--initial-branch=main'], { cwd: work });
  const base = await commit(work, 'README.md', '# work\n');
  const push = (ref: string): Promise<unknown> =>
    git(['push', '--quiet', `${url}/${repo.owner}/${repo.repo}.git`, `HEAD:refs/heads/${ref}`], {
      cwd: work,
      credential: { username: 'x', token },
    });
  await push('main');
  const issues: Record<string, number> = {};
  for (const id of ['merge-me', 'next', 'review-me', 'broken', 'silent']) {
    const body = `Work\n\n${markerOf(SPRINT, id)}`;
    const { data } = await octokit.issues.create({ ...repo, title: id, body, labels: ['caloron:task'] });
    issues[id] = data.number;
  }
  const pulls: Record<string, { readonly number: number; readonly head: string }> = {};
  for (const id of ['merge-me', 'review-me']) {
    await git(['checkout', '--quiet', '-B', 'change', base], { cwd: work });
    const head = await commit(work, `${id}.txt`, id);
    const branch = branchOf(SPRINT, id);
    await push(branch);
    const body = `Closes #${issues[id] ?? 0}\n\n${markerOf(SPRINT, id)}`;
    const opened = await octokit.pulls.create({ ...repo, title: id, head: branch, base: 'main', body });
    pulls[id] = { number: opened.data.number, head };
  }
  return { base, issues, pulls };
}

async function commit(work: string, file: string, text: string): Promise<string> {
  writeFileSync(join(work, file), text);
  await git(['add', '-A'], { cwd: work });
  await git(['commit', '--quiet', '-m', `Write ${file}`], {
    cwd: work,
    author: { name: 'Agent', email: 'agent@localhost' },
  });
  return (await git(['rev-parse', 'HEAD'], { cwd: work })).stdout.trim();
}
