import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { addUser, startForge } from '@caloron/forge';
import { readConfig, startShell } from '@caloron/shell';
import { openStore, type Store } from '@caloron/store';
import { branchOf, type DagState, markerOf, newTask, type Report, type Task } from '@caloron/types';
import { Octokit } from '@octokit/rest';

import { temporaryHome } from './home.ts';
import { killProcessesOf } from './processes.ts';
import { ROOT } from './tree.ts';

/** The sprint of the crash tests. */
export const SPRINT = 'crash';
const AT = '2026-01-01T00:00:00.000Z';
const CHILD = join(ROOT, 'test/support/crash-child.ts');

/** A harness that writes down that it was started and then works until it is stopped. */
const HARNESS = `import { appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
appendFileSync(join(dirname(process.env.CALORON_ORDER_FILE), 'started'), 'x');
setInterval(() => undefined, 1000);
`;

/** A forge, a shell and a sprint in which one tick has to create, merge, mark, clean up, start, submit and escalate. */
export interface CrashWorld {
  readonly dir: string;
  readonly store: Store;
  readonly octokit: Octokit;
  readonly repo: { readonly owner: string; readonly repo: string };
  /** Runs the scheduler until it dies or is told to end. */
  scheduler(options: { readonly kill_at: number | null; readonly ahead_ms: number }): CrashChild;
  /** How often the harness of a process was started. */
  starts(process_id: string): number;
  main(): Promise<string>;
  close(): Promise<void>;
}

/** The scheduler's process. */
export interface CrashChild {
  /** Resolves when it is gone: its steps when it ended by itself, null when it was killed. */
  readonly ended: Promise<readonly string[] | null>;
  stop(): Promise<readonly string[] | null>;
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

function start(child: ChildProcess): CrashChild {
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise<readonly string[] | null>((resolve) => {
    child.once('exit', () => {
      const line = out.split('\n').find((text) => text.startsWith('{"steps"'));
      resolve(line === undefined ? null : (JSON.parse(line) as { steps: string[] }).steps);
    });
  });
  return {
    ended,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** Makes the world anew: every case has its own forge, repository, shell and database. */
export async function crashWorld(): Promise<CrashWorld> {
  const home = temporaryHome();
  const { dir } = home;
  const undo: (() => unknown)[] = [() => home.remove(), () => killProcessesOf(dir)];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const data = join(dir, 'forge');
    const forge = await startForge({ data, port: 0 });
    undo.push(() => forge.close());
    const { token } = await addUser(data, 'agent');
    const octokit = new Octokit({ auth: token, baseUrl: forge.url });
    await octokit.repos.createForAuthenticatedUser({ name: 'work' });
    const repo = { owner: 'agent', repo: 'work' };

    const work = join(dir, 'work');
    mkdirSync(work);
    await git(['init', '--quiet', '--initial-branch=main'], { cwd: work });
    const base = await commit(work, 'README.md', '# work\n');
    const push = (ref: string): Promise<unknown> =>
      git(['push', '--quiet', `${forge.url}/agent/work.git`, `HEAD:refs/heads/${ref}`], {
        cwd: work,
        credential: { username: 'x', token },
      });
    await push('main');
    const pulls: Record<string, { readonly number: number; readonly head: string }> = {};
    const issues: Record<string, number> = {};
    for (const id of ['merge-me', 'next', 'review-me', 'broken']) {
      const body = `Work\n\n${markerOf(SPRINT, id)}`;
      issues[id] = (
        await octokit.issues.create({ ...repo, title: id, body, labels: ['caloron:task'] })
      ).data.number;
    }
    for (const id of ['merge-me', 'review-me']) {
      await git(['checkout', '--quiet', '-B', 'change', base], { cwd: work });
      const head = await commit(work, `${id}.txt`, id);
      const branch = branchOf(SPRINT, id);
      await push(branch);
      const body = `Closes #${issues[id] ?? 0}\n\n${markerOf(SPRINT, id)}`;
      const { data: pull } = await octokit.pulls.create({
        ...repo,
        title: id,
        head: branch,
        base: 'main',
        body,
      });
      pulls[id] = { number: pull.number, head };
    }

    const harness = join(dir, 'harness.mjs');
    writeFileSync(harness, HARNESS);
    const variables = {
      PATH: process.env['PATH'] ?? '',
      CALORON_FORGE_TOKEN: token,
      CALORON_SHELL_TOKEN: 'token-of-the-shell',
      CALORON_LOG_LEVEL: 'silent',
      CALORON_HARNESS_BIN: harness,
    };
    const shell = await startShell(
      readConfig({ home: dir, port: '0' }, { ...variables, CALORON_LOG_LEVEL: 'fatal' }, dir),
    );
    undo.push(() => shell.close());

    const store = openStore(join(dir, '.caloron', 'caloron.db'), {
      clock: systemClock,
      uuid: () => systemRandom.uuid(),
    });
    undo.push(() => store.close());
    await seed(store, forge.url, { base, issues, pulls });
    const on = ['agent_reported', 'agent_exited', 'action_succeeded', 'action_failed', 'sprint.started'];
    const job = {
      name: 'sprint-tick',
      cron: '0 0 1 1 *',
      graph: join(ROOT, 'compositions/sprint_tick.json'),
      input: { sprint_id: SPRINT, repo: 'agent/work' },
      on,
    };
    writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [job] }));

    return {
      dir,
      store,
      octokit,
      repo,
      scheduler: (options) => {
        const env = { ...variables, CALORON_LOG_LEVEL: 'fatal', CALORON_SHELL_URL: shell.url };
        const child = spawn(process.execPath, [CHILD, JSON.stringify({ dir, ...options })], {
          cwd: dir,
          env,
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        undo.push(() => child.kill('SIGKILL'));
        return start(child);
      },
      starts: (process_id) => {
        const file = join(dir, '.caloron', 'agents', process_id, 'started');
        return existsSync(file) ? readFileSync(file, 'utf8').length : 0;
      },
      main: async () =>
        (
          await git(['log', '--format=%H %P %s', '--merges', 'refs/heads/main'], { git_dir: bare(data) })
        ).stdout.trim(),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The forge's first repository. */
function bare(data: string): string {
  return join(data, 'repos', '1.git');
}

interface Facts {
  readonly base: string;
  readonly issues: Readonly<Record<string, number>>;
  readonly pulls: Readonly<Record<string, { readonly number: number; readonly head: string }>>;
}

async function seed(store: Store, host: string, { base, issues, pulls }: Facts): Promise<void> {
  const task = (
    id: string,
    agent_id: string,
    change: Partial<Task>,
    depends_on: readonly string[] = [],
  ): Task => ({
    ...newTask(
      SPRINT,
      { id, title: `Do ${id}`, description: '', depends_on, agent_id, reviewer_id: 'reviewer-1' },
      AT,
    ),
    issue_number: issues[id] ?? null,
    ...change,
  });
  const approved = pulls['merge-me'];
  const delivered = pulls['review-me'];
  if (approved === undefined || delivered === undefined) throw new Error('the pull requests were not opened');
  const working = { status: 'InProgress', started_at: AT, attempt: 1, base_sha: base } as const;
  const tasks = [
    task('merge-me', 'agent-1', {
      ...working,
      status: 'InReview',
      pr_number: approved.number,
      head_sha: approved.head,
      checks: 'none',
      reviews: {
        'agent:reviewer-1': {
          login: 'reviewer-1',
          state: 'approved',
          review_id: 'r1',
          head_sha: approved.head,
          at: AT,
          body: '',
        },
      },
    }),
    task('next', 'agent-2', {}, ['merge-me']),
    task('fresh', 'agent-3', { status: 'Ready' }),
    task('review-me', 'agent-4', { ...working, process_id: 'process-review-me' }),
    task('broken', 'agent-5', { ...working, process_id: 'process-broken' }),
  ];
  const state: DagState = {
    v: 1,
    sprint_id: SPRINT,
    sprint: {
      sprint_id: SPRINT,
      goal: 'survive',
      repo: 'agent/work',
      host,
      base_branch: 'main',
      token_env: 'CALORON_FORGE_TOKEN',
      reviewer_token_env: null,
      agent_logins: ['agent'],
      reviewer_logins: ['agent'],
      human_logins: [],
      required_approvals: 1,
      max_review_cycles: 3,
      max_attempts: 3,
      stall_threshold_m: 600,
      cooldown_m: 10,
      merge_method: 'merge',
      verify: [],
      framework: 'stub',
      framework_options: {},
      agent_timeout_ms: 60_000,
      conventions: '',
    },
    order: tasks.map(({ id }) => id),
    tasks: Object.fromEntries(tasks.map((entry) => [entry.id, entry])),
    status: 'active',
  };
  await store.forRun({ run_id: 'seed', lease: null }).state.commit({
    sprint_id: SPRINT,
    expect_rev: 0,
    state,
    cursors: { v: 1, log_seq: 0, forge: {} },
    last_poll: null,
    events: [],
    actions: [],
    announce: [{ kind: 'sprint.started', payload: {} }],
    puts: {},
    now: systemClock.now(),
  });
  const report = (task_id: string, change: Partial<Report>): Report => ({
    sprint_id: SPRINT,
    task_id,
    agent_id: tasks.find(({ id }) => id === task_id)?.agent_id ?? '',
    process_id: `process-${task_id}`,
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    head_sha: null,
    pr_number: null,
    exit: { code: 0, signal: null, at: AT, known: true },
    tokens_used: 0,
    duration_ms: 1,
    body: '',
    receipt: null,
    feedback: null,
    synthetic: true,
    ...change,
  });
  for (const said of [
    report('review-me', { pr_number: delivered.number, head_sha: delivered.head }),
    report('broken', { outcome: 'blocked', body: 'The brief contradicts itself.' }),
  ]) {
    await store.events.appendEvent(SPRINT, {
      type: 'agent_reported',
      event_id: `agent_reported:${said.process_id}`,
      created_at: AT,
      actor: said.agent_id,
      trusted: true,
      report: said,
    });
  }
}
