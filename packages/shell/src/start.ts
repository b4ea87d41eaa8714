import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger, type Logger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { createServerEnd } from '@caloron/capabilities/server-end';
import { createTokenHosts } from '@caloron/capabilities/token-hosts';
import { messageOf } from '@caloron/noether/errors';
import { openStore, type Store } from '@caloron/store';
import { type Clock, cloneUrl, type Random } from '@caloron/types';
import { VERSION } from '@caloron/types/version';
import type { FastifyInstance } from 'fastify';

import { serveAt } from './address.ts';
import { type AppDeps, createApp } from './app.ts';
import { createAuth } from './auth.ts';
import { createCapacity } from './capacity.ts';
import { createCleanup } from './cleanup.ts';
import type { ShellConfig } from './config.ts';
import { createCredentials } from './credentials.ts';
import { ShellError } from './errors.ts';
import { createGc, type Gc } from './gc.ts';
import { lockHome } from './home-lock.ts';
import { endHooksOf } from './hook-leftovers.ts';
import { createHooks, type Hooks } from './hooks.ts';
import { createIsolation, type Isolation } from './isolation.ts';
import { systemMachine } from './machine/readings.ts';
import { createKeyedMutex } from './mutex.ts';
import { createListening, type Listening } from './listening.ts';
import { createNudges } from './nudges.ts';
import { pathsOf, type ShellPaths } from './paths.ts';
import { createProcessTable } from './process-table.ts';
import { createSnapshots } from './snapshots.ts';
import { createSpawner } from './spawner.ts';
import { shellToken } from './token.ts';
import { stopUnwanted } from './unwanted.ts';
import { createWorkspaces } from './workspace.ts';
import { createWorktrees } from './worktrees.ts';

/** What a shell stands on besides its config; the machine's own where left out. */
export interface ShellDeps {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  /** Since when it has been there to hear its agents. */
  readonly listening?: Listening;
  /** Where git finds a repository; the forge's clone address when left out. */
  readonly remote_url?: (repo: string, host: string | null) => string;
}

/** A shell that listens. */
export interface RunningShell {
  readonly url: string;
  readonly app: FastifyInstance;
  /** Stops serving; agents go on. */
  close(): Promise<void>;
}

/** How long a shell that closes waits for the sweep it began with, in milliseconds. */
const SWEEP_WAIT_MS = 3000;

/**
 * Starts a shell: opens the database, takes the home, adopts what runs, listens. Throws SHELL_PLATFORM, SHELL_ALREADY_RUNNING,
 * SHELL_PORT_IN_USE, SHELL_TOKEN_FILE, SANDBOX_UNAVAILABLE, or a StoreError.
 */
export async function startShell(config: ShellConfig, deps: ShellDeps = {}): Promise<RunningShell> {
  if (process.platform !== 'linux') throw new ShellError('SHELL_PLATFORM', { platform: process.platform });
  const paths = preparePaths(config);
  const log = deps.log ?? createLogger({ name: 'caloron-shell', level: config.log_level });
  const isolation = createIsolation({ config, paths, log });
  if (config.require_sandbox) await requireSandbox(isolation);
  const clock = deps.clock ?? systemClock;
  const random = deps.random ?? systemRandom;
  const undo: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const store = openStore(config.db, { clock, uuid: () => random.uuid() });
    undo.push(() => store.close());
    const lock = await lockHome({
      home: paths.home,
      file: paths.lock_file,
      leases: store.leases,
      uuid: () => random.uuid(),
    });
    undo.push(() => lock.release());
    const { app, table, gc, hooks, at } = assemble({
      config,
      paths,
      store,
      clock,
      random,
      log,
      isolation,
      listening: deps.listening ?? createListening(clock, () => performance.now()),
      remote_url: deps.remote_url,
    });
    undo.push(() => table.close());
    const end = createServerEnd(app.server);
    undo.push(() => end(() => app.close()));
    const found = await table.adopt();
    // Nobody waits for the hooks of a shell that died: whatever they were for is done anew.
    const hooks_ended = await endHooksOf(paths, store);
    log.info({ ...found, hooks_ended }, 'processes of an earlier shell');
    const url = await serveAt(app, { host: config.host, port: config.port, file: paths.address_file });
    at(url);
    const unwanted = stopUnwanted({ store, table, log });
    const swept = sweep(gc, log).then(() => unwanted);
    // It may wait for hooks: what it has begun is safe to break off at any point, and the next shell goes on.
    undo.push(() => Promise.race([swept, delay(SWEEP_WAIT_MS, undefined, { ref: false })]));
    // First of all: requests that wait for a hook would keep the server from ending.
    undo.push(() => hooks.close());
    return { url, app, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What became of nobody's use while no shell ran; a failure only warns. */
async function sweep(gc: Gc, log: Logger): Promise<void> {
  try {
    const { items, reclaimed_bytes } = await gc({}, { quick: true });
    const removed = items.filter(({ action }) => action === 'removed').map(({ path }) => path);
    if (removed.length > 0) log.info({ removed, reclaimed_bytes }, 'what nobody needs any more is removed');
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'what nobody needs any more could not be looked for');
  }
}

/** A shell that could start no agent says so before anybody counts on it. */
async function requireSandbox(isolation: Isolation): Promise<void> {
  const { reason } = await isolation.probe();
  if (reason === null) return;
  const required_by = 'the shell was started with --require-sandbox (or CALORON_REQUIRE_SANDBOX)';
  throw new ShellError('SANDBOX_UNAVAILABLE', { sprint_id: null, required_by, reason });
}

function preparePaths(config: ShellConfig): ShellPaths {
  mkdirSync(config.home, { recursive: true });
  // Real from here on: no link above the home can make a path below it look foreign.
  const paths = pathsOf(realpathSync(config.home));
  for (const folder of [paths.root, paths.worktrees, paths.repos, paths.tasks, paths.agents, paths.logs]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  if (!existsSync(dirname(config.db))) mkdirSync(dirname(config.db), { recursive: true, mode: 0o700 });
  return paths;
}

interface Parts {
  readonly config: ShellConfig;
  readonly paths: ShellPaths;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly isolation: Isolation;
  readonly listening: Listening;
  readonly remote_url: ShellDeps['remote_url'];
}

function assemble({ config, paths, store, clock, random, log, isolation, listening, remote_url }: Parts): {
  readonly app: FastifyInstance;
  readonly table: AppDeps['table'];
  readonly gc: Gc;
  readonly hooks: Hooks;
  /** Tells the parts the address agents are given. */
  readonly at: (url: string) => void;
} {
  let url = '';
  const mutex = createKeyedMutex();
  const token_hosts = createTokenHosts({
    listed: config.env['CALORON_TOKEN_HOSTS'],
    project_file: join(config.home, 'caloron.json'),
  });
  const credentials = createCredentials(config.env, config.token_envs, token_hosts, clock);
  const remoteUrl = (host: string | null, repo: string): string =>
    remote_url?.(repo, host) ?? cloneUrl(host, repo);
  const worktrees = createWorktrees({ paths, mutex, remoteUrl });
  const table = createProcessTable({
    processes: store.processes,
    clock,
    log,
    paths,
    snapshot: createSnapshots({
      mutex,
      log,
      saveWip: (row, reason, patience) => worktrees.save(row, reason, patience),
    }),
  });
  const hooks = createHooks({
    config,
    paths,
    sandboxOf: ({ sprint }, row) => isolation.sandboxOf(sprint, row),
    kv: store.kv,
  });
  const workspaces = createWorkspaces({ config, paths, store, log, worktrees, hooks });
  const common = {
    config,
    paths,
    store,
    clock,
    random,
    log,
    mutex,
    table,
    worktrees,
    workspaces,
    credentials,
    isolation,
    url: () => url,
  };
  const capacity = createCapacity({ store, table, machine: systemMachine(), worktrees: paths.worktrees });
  const auth = createAuth(config.token ?? shellToken(paths.token_file), store.processes);
  const gc = createGc({ ...common, mayLive: async (row) => !(await table.reconcile(row)) });
  const app = createApp({
    ...common,
    auth,
    spawn: createSpawner({ ...common, capacity }),
    cleanup: createCleanup(common),
    gc,
    nudges: createNudges(),
    listening,
    version: VERSION,
  });
  return {
    app,
    table,
    gc,
    hooks,
    at(address) {
      url = address;
    },
  };
}
