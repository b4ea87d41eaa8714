import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { systemRandom } from '@caloron/capabilities/random';
import { addUser, startForge, type RunningForge } from '@caloron/forge';
import {
  createRuntime,
  findHome,
  loadCatalog,
  loadGraph,
  readEnvironment,
  type Runtime,
} from '@caloron/scheduler';
import { addMs, type Clock, markerOf, newTask, type Task, TickOutput } from '@caloron/types';
import { z } from 'zod';

import { stateOf, storeState } from './stored-sprint.ts';
import { ROOT } from './tree.ts';

const SPRINT = 'polled';
const REPO = 'bot/app';
const TICK = join(ROOT, 'compositions/sprint_tick.json');
const AT = '2026-01-01T00:00:00.000Z';

/** What a polled repository holds. */
export interface PollWorldOptions {
  /** Open pull requests, each of a task in review. */
  readonly pulls: number;
  /** Whether each is approved and its checks are under way. */
  readonly waiting?: boolean;
  /** In ms; ten minutes behind when absent, so that all has settled. */
  readonly ahead_ms?: number;
}

/** One request a tick has made. */
export interface Asked {
  readonly path: string;
  readonly status: number;
}

/** One tick and what it asked of the forge. */
export interface PolledTick {
  readonly output: TickOutput;
  readonly asked: readonly Asked[];
  readonly ms: number;
}

const Numbered = z.object({ number: z.number() });

/** A real forge with open pull requests, and a runtime whose ticks poll it. The shell is away. Ended by `close`. */
export class PollWorld {
  readonly #dir = mkdtempSync(join(tmpdir(), 'caloron-polled-'));
  readonly #options: PollWorldOptions;
  #forge: RunningForge | undefined;
  #runtime: Runtime | undefined;
  /** How far the forge's clock is ahead now, in ms. */
  ahead_ms: number;
  #token = '';
  #pulls: readonly number[] = [];

  constructor(options: PollWorldOptions) {
    this.#options = options;
    this.ahead_ms = options.ahead_ms ?? -600_000;
  }

  /** Starts the forge, opens the pull requests and stores the sprint. */
  async open(): Promise<void> {
    await this.startForge();
    this.#token = (await addUser(join(this.#dir, 'forge'), 'bot')).token;
    await this.post('/user/repos', { name: 'app', auto_init: true });
    const tasks = await this.#open();
    const home = join(this.#dir, 'home');
    mkdirSync(join(home, '.caloron'), { recursive: true });
    const found = findHome({ flag: home, cwd: home });
    const variables = {
      PATH: process.env['PATH'] ?? '',
      CALORON_FORGE_TOKEN: this.#token,
      CALORON_SHELL_TOKEN: 'nobody-answers-here',
      CALORON_SHELL_URL: 'http://127.0.0.1:9',
      CALORON_LOG_LEVEL: 'error',
    };
    this.#runtime = createRuntime({
      home: found,
      environment: readEnvironment(variables, found),
      clock: systemClock,
      random: systemRandom,
      catalog: loadCatalog(),
    });
    await this.#store(tasks);
  }

  /** Also again after `stopForge`: on the address it had. */
  async startForge(): Promise<void> {
    const port = this.#forge === undefined ? 0 : Number(new URL(this.#forge.url).port);
    const clock: Clock = { now: () => addMs(systemClock.now(), this.ahead_ms) };
    this.#forge = await startForge({ data: join(this.#dir, 'forge'), port, clock, rate_limit: 100_000 });
  }

  /** Nobody answers then. */
  async stopForge(): Promise<void> {
    await this.#forge?.close();
  }

  /** The numbers of the pull requests, the first task's first. */
  get pulls(): readonly number[] {
    return this.#pulls;
  }

  /** By the only account there is. */
  async post(path: string, body: object): Promise<unknown> {
    const headers = { authorization: `token ${this.#token}`, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${this.#url()}${path}`, init);
    if (!answer.ok) throw new Error(`POST ${path}: HTTP ${String(answer.status)}: ${await answer.text()}`);
    return answer.json();
  }

  async comment(number: number, body: string): Promise<void> {
    await this.post(`/repos/${REPO}/issues/${String(number)}/comments`, { body });
  }

  /** One tick, and what it asked of the forge. */
  async tick(): Promise<PolledTick> {
    const runtime = this.#opened();
    const asked: Asked[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      const answer = await real(input, init);
      const url = new URL(input instanceof Request ? input.url : input);
      if (url.origin === new URL(this.#url()).origin)
        asked.push({ path: url.pathname, status: answer.status });
      return answer;
    };
    const begun = performance.now();
    try {
      const input = { sprint_id: SPRINT, repo: REPO };
      const result = await runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
      if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
      return { output: TickOutput.parse(result.output), asked, ms: performance.now() - begun };
    } finally {
      globalThis.fetch = real;
    }
  }

  /** How many rows each table of the database has. */
  rows(): Readonly<Record<string, number>> {
    const db = new DatabaseSync(this.#opened().store.path, { readOnly: true });
    try {
      const tables = db
        .prepare(
          "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )
        .all();
      return Object.fromEntries(
        tables.map(({ name }) => {
          const found = db.prepare(`SELECT count(*) AS rows FROM ${String(name)}`).get();
          return [String(name), Number(found?.['rows'])];
        }),
      );
    } finally {
      db.close();
    }
  }

  /** The events of the forge in the log, by id, as often as they are there. */
  events(): readonly string[] {
    const rows = this.#opened().store.events.read({ after: 0, sprint_id: SPRINT });
    return rows.map(({ event_id }) => event_id);
  }

  async close(): Promise<void> {
    this.#runtime?.close();
    await this.#forge?.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #url(): string {
    if (this.#forge === undefined) throw new Error('the forge was not started');
    return this.#forge.url;
  }

  #opened(): Runtime {
    if (this.#runtime === undefined) throw new Error('the world is not open');
    return this.#runtime;
  }

  /** Makes a branch, an issue and a pull request for each task. */
  async #open(): Promise<readonly Task[]> {
    const first = await this.post(`/repos/${REPO}/issues`, { title: 'First' });
    const heads = await this.#push();
    const tasks: Task[] = [];
    for (const [n, head] of heads.entries()) {
      const id = `task-${String(n)}`;
      const body = markerOf(SPRINT, id);
      const issue = Numbered.parse(
        await this.post(`/repos/${REPO}/issues`, { title: id, body, labels: ['caloron:task'] }),
      );
      const pull = Numbered.parse(
        await this.post(`/repos/${REPO}/pulls`, {
          title: id,
          head: `caloron/${SPRINT}/${id}`,
          base: 'main',
          body: `Closes #${String(issue.number)}\n${body}`,
        }),
      );
      if (this.#options.waiting === true)
        await this.post(`/repos/${REPO}/statuses/${head}`, { state: 'pending', context: 'ci' });
      tasks.push(this.#task(id, head, issue.number, pull.number));
    }
    this.#pulls = tasks.flatMap(({ pr_number }) => pr_number ?? []);
    if (tasks.length > 0) return tasks;
    // A sprint with one issue and nothing newer.
    return [{ ...fresh('task-0'), issue_number: Numbered.parse(first).number, status: 'HumanAssigned' }];
  }

  async #push(): Promise<readonly string[]> {
    const { pulls } = this.#options;
    if (pulls === 0) return [];
    const cwd = join(this.#dir, 'clone');
    mkdirSync(cwd);
    const options = { cwd, credential: { username: 'bot', token: this.#token }, author: AUTHOR };
    const run = async (...args: readonly string[]) => (await git(args, options)).stdout.trim();
    await run('clone', '--quiet', `${this.#url()}/${REPO}.git`, '.');
    const [base, tree] = [await run('rev-parse', 'HEAD'), await run('rev-parse', 'HEAD^{tree}')];
    const heads: string[] = [];
    for (let n = 0; n < pulls; n += 1)
      heads.push(await run('commit-tree', tree, '-p', base, '-m', `work ${String(n)}`));
    const refs = heads.map((head, n) => `${head}:refs/heads/caloron/${SPRINT}/task-${String(n)}`);
    await run('push', '--quiet', 'origin', ...refs);
    return heads;
  }

  #task(id: string, head_sha: string, issue_number: number, pr_number: number): Task {
    const rita = { login: 'rita', state: 'approved', review_id: 'r', head_sha, at: AT, body: '' } as const;
    return {
      ...fresh(id),
      issue_number,
      pr_number,
      head_sha,
      status: 'InReview',
      attempt: 1,
      ...(this.#options.waiting === true ? { reviews: { rita }, checks: 'pending' as const } : {}),
    };
  }

  async #store(tasks: readonly Task[]): Promise<void> {
    const host = this.#url();
    const logins = { agent_logins: ['bot'], reviewer_logins: ['rita'] };
    const facts = { sprint_id: SPRINT, goal: 'count requests', repo: REPO, host, ...logins };
    await storeState(this.#opened().store, stateOf(tasks, facts));
  }
}

const AUTHOR = { name: 'bot', email: 'bot@example.com' };

function fresh(id: string): Task {
  const start = {
    id,
    title: id,
    description: 'One of many.',
    depends_on: [],
    agent_id: id,
    reviewer_id: null,
  };
  return newTask(SPRINT, start, AT);
}
