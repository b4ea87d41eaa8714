import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { addUser, startForge } from '@caloron/forge';
import { openStore, type Store } from '@caloron/store';
import {
  addMs,
  type AgentInfo,
  type DagState,
  markerOf,
  newTask,
  SpawnRequest,
  StopRequest,
  type Task,
} from '@caloron/types';
import { Octokit } from '@octokit/rest';

import { temporaryHome } from './home.ts';
import { stateOf, storeState } from './stored-sprint.ts';
import { ROOT } from './tree.ts';

const SPRINT = 'shared';
const REPO = { owner: 'bot', repo: 'app' } as const;
const AT = '2026-01-01T00:00:00.000Z';
const CHILD = join(ROOT, 'test/support/claim-child.ts');

/** A shell that starts nothing and says what it was asked. */
interface FakeShell {
  readonly url: string;
  /** The tasks of its agents that have not been stopped. */
  readonly at_work: () => readonly string[];
  /** The tasks it was asked to start an agent on, as often as it was. */
  readonly started: readonly string[];
  readonly close: () => Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return parts.length === 0 ? null : JSON.parse(Buffer.concat(parts).toString());
}

async function fakeShell(db_id: () => string): Promise<FakeShell> {
  const started: string[] = [];
  const agents = new Map<string, AgentInfo & { readonly agent_id: string; readonly last_heartbeat: null }>();
  const answer = (path: string, body: unknown): unknown => {
    if (path === '/health') return { ok: true, db_id: db_id(), version: '0.0.0' };
    if (path === '/status') return { agents: [...agents.values()] };
    if (path === '/stop') {
      const { process_id } = StopRequest.parse(body);
      const agent = agents.get(process_id);
      if (agent !== undefined) agents.set(process_id, { ...agent, alive: false, status: 'finished' });
      return { ok: true, exit: null, wip_ref: null };
    }
    const { action_id, task_id, sprint_id, agent_id } = SpawnRequest.parse(body);
    const process_id = action_id ?? task_id;
    const existing = agents.has(process_id);
    if (!existing) started.push(task_id);
    const at = systemClock.now();
    const facts = { task_id, sprint_id, agent_id, role: 'author', process_id, pid: 1, alive: true } as const;
    const told = { task_started_at: at, last_heartbeat_at: at, last_progress_at: at, last_heartbeat: null };
    const quiet = { status: 'working', next_by: null, tokens_used: 0, exit: null } as const;
    agents.set(process_id, { ...facts, ...told, ...quiet });
    const place = { worktree: '/nowhere', branch: 'b', base_sha: 'b'.repeat(40) };
    return { ok: true, pid: 1, process_id, existing, ...place };
  };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer(request.url ?? '', body)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    started,
    at_work: () => [...agents.values()].filter(({ alive }) => alive).map(({ task_id }) => task_id ?? ''),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** One home of several: a database, a shell, and an orchestrator while it runs. */
export interface ClaimHome extends Pick<FakeShell, 'started' | 'at_work'> {
  readonly store: Store;
  /** Lines of errors its ticks told. */
  readonly errors: readonly string[];
  /** Starts the orchestrator in a process of its own; it ends with the world. */
  run(): void;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  tasks(): Promise<readonly Task[]>;
}

/** A forge whose clock can go on, and homes that have the same sprint on it. Ended by `close`. */
export class ClaimWorld {
  readonly #home = temporaryHome();
  readonly #closers: (() => unknown)[] = [];
  /** How far the clocks of the forge and of the orchestrators that are started are ahead, in ms. */
  ahead_ms = 0;
  #url = '';
  #token = '';
  #issues: readonly number[] = [];

  /** Starts the forge and opens an issue for each of so many tasks. */
  async open(tasks: number): Promise<void> {
    const data = join(this.#home.dir, 'forge');
    const clock = { now: () => addMs(systemClock.now(), this.ahead_ms) };
    const forge = await startForge({ data, port: 0, clock });
    this.#closers.push(() => forge.close());
    this.#url = forge.url;
    this.#token = (await addUser(data, REPO.owner)).token;
    await this.octokit.repos.createForAuthenticatedUser({ name: REPO.repo, auto_init: true });
    const issues: number[] = [];
    for (let n = 0; n < tasks; n += 1) {
      const body = markerOf(SPRINT, `task-${String(n)}`);
      const made = { ...REPO, title: `Task ${String(n)}`, body, labels: ['caloron:task'] };
      issues.push((await this.octokit.issues.create(made)).data.number);
    }
    this.#issues = issues;
  }

  get octokit(): Octokit {
    return new Octokit({ auth: this.#token, baseUrl: this.#url });
  }

  /** What the comments of the issues say, an issue each. */
  async comments(): Promise<readonly (readonly string[])[]> {
    const of = async (issue_number: number): Promise<readonly string[]> =>
      (await this.octokit.issues.listComments({ ...REPO, issue_number })).data.map(({ body }) => body ?? '');
    return Promise.all(this.#issues.map(of));
  }

  /** A home with the sprint, nothing of which has begun. */
  async addHome(name: string): Promise<ClaimHome> {
    const dir = join(this.#home.dir, name);
    mkdirSync(join(dir, '.caloron'), { recursive: true });
    const uuid = (): string => systemRandom.uuid();
    const store = openStore(join(dir, '.caloron', 'caloron.db'), { clock: systemClock, uuid });
    this.#closers.push(() => store.close());
    const shell = await fakeShell(() => store.db_id);
    this.#closers.push(() => shell.close());
    await storeState(store, this.#state());
    const { state: reading } = store.forRun({ run_id: 'setup', lease: null });
    const errors: string[] = [];
    const child = { kill: (): Promise<void> => Promise.resolve() };
    this.#closers.push(() => child.kill());
    return {
      store,
      errors,
      started: shell.started,
      at_work: shell.at_work,
      run: () => void (child.kill = this.#run(dir, shell.url, errors)),
      kill: () => child.kill(),
      tasks: async () => Object.values((await reading.load(SPRINT)).state.tasks),
    };
  }

  async close(): Promise<void> {
    for (const end of this.#closers.splice(0).toReversed()) await end();
    this.#home.remove();
  }

  #run(dir: string, shell_url: string, errors: string[]): () => Promise<void> {
    const graph = join(ROOT, 'compositions/sprint_tick.json');
    const input = { sprint_id: SPRINT, repo: `${REPO.owner}/${REPO.repo}` };
    const order = JSON.stringify({ dir, graph, input, ahead_ms: this.ahead_ms });
    const child = spawn(process.execPath, [CHILD, order], {
      cwd: dir,
      env: {
        PATH: process.env['PATH'] ?? '',
        TMPDIR: tmpdir(),
        CALORON_FORGE_TOKEN: this.#token,
        CALORON_SHELL_TOKEN: 'token-of-the-shell',
        CALORON_SHELL_URL: shell_url,
        CALORON_LOG_LEVEL: 'fatal',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let rest = '';
    child.stdout.on('data', (part: Buffer) => {
      const lines = (rest + part.toString()).split('\n');
      rest = lines.pop() ?? '';
      errors.push(...lines.flatMap((line) => JSON.parse(line) as readonly string[]));
    });
    const ended = once(child, 'close');
    return async () => {
      child.kill('SIGKILL');
      await ended;
    };
  }

  #state(): DagState {
    const tasks = this.#issues.map((issue_number, n): Task => {
      const id = `task-${String(n)}`;
      const start = { id, title: id, description: '', depends_on: [], agent_id: id, reviewer_id: null };
      return { ...newTask(SPRINT, start, AT), issue_number, status: 'Ready' };
    });
    return stateOf(tasks, {
      sprint_id: SPRINT,
      goal: 'do it once',
      repo: `${REPO.owner}/${REPO.repo}`,
      host: this.#url,
      agent_logins: [REPO.owner],
      required_approvals: 0,
    });
  }
}
