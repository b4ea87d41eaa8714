import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '@caloron/capabilities/clock';
import { createLogger, type Logger } from '@caloron/capabilities/logger';
import { randomToken } from '@caloron/capabilities/random';
import { createServerEnd } from '@caloron/capabilities/server-end';
import { messageOf } from '@caloron/noether/errors';
import { epochMs, type Clock } from '@caloron/types';
import { createApp } from './app.ts';
import { createQueues, createStamp, repositoriesDir, type ForgeContext } from './context.ts';
import { holdData, openSql, type Sql } from './database.ts';
import { LocalForgeError } from './errors.ts';
import { initRepository } from './git/init.ts';
import { createHookSender } from './hook-delivery.ts';
import { reconcile } from './merging.ts';
import { allRepos, markMade } from './model/repos.ts';
import { grantToken, Login } from './model/users.ts';
import { createRateLimits, createSecondaryLimit, DEFAULT_RATE_LIMIT } from './rate-limit.ts';

/** How a forge is started. */
export interface StartForge {
  /** Directory of the database and the bare repositories; made when absent. */
  readonly data: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Address to listen on; 127.0.0.1 when absent. */
  readonly host?: string;
  /** Requests per hour and token; 5000 when absent. */
  readonly rate_limit?: number;
  /** Changes per minute and token, as GitHub's secondary limit; none when absent. */
  readonly secondary_limit?: number | null;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** A running forge. */
export interface RunningForge {
  /** Where it answers: REST at `{url}/repos/…`, git at `{url}/{owner}/{name}.git`, pages at `{url}/ui/`. */
  readonly url: string;
  /** Ends it: requests under way are finished first. */
  close(): Promise<void>;
}

/**
 * Starts a forge in this process. Throws LOCAL_FORGE_PORT_IN_USE, LOCAL_FORGE_DATA_IN_USE, LOCAL_FORGE_DATA_DAMAGED.
 */
export async function startForge(options: StartForge): Promise<RunningForge> {
  const data = path.resolve(options.data);
  makeDirectories(data);
  const hold = holdData(data);
  try {
    const sql = openSql(data);
    try {
      return await serve(options, data, sql, hold);
    } catch (error) {
      sql.close();
      throw error;
    }
  } catch (error) {
    hold.release();
    throw error;
  }
}

async function serve(
  options: StartForge,
  data: string,
  sql: Sql,
  hold: { release(): void },
): Promise<RunningForge> {
  const clock = options.clock ?? systemClock;
  const host = options.host ?? '127.0.0.1';
  const logger = options.logger ?? createLogger({ name: 'caloron-forge', level: 'warn' });
  let url = `http://${host}:${options.port}`;
  const warn: ForgeContext['warn'] = (facts, text) => logger.warn(facts, text);
  const sender = createHookSender({ sql, clock, warn });
  const ctx: ForgeContext = {
    sql: sender.sql,
    hooks: sender,
    clock,
    limits: createRateLimits(options.rate_limit ?? DEFAULT_RATE_LIMIT, clock),
    secondary: createSecondaryLimit(options.secondary_limit ?? null, clock),
    baseUrl: () => url,
    stamp: createStamp(clock, sql),
    gitDir: ({ id }) => path.join(repositoriesDir(data), `${id}.git`),
    alone: createQueues(),
    warn,
  };
  await checkRepositories(ctx, data);
  const app = createApp(ctx, { loopback: isLoopback(host) });
  const end = createServerEnd(app.server);
  try {
    url = addressOf(await listen(app, host, options.port));
  } catch (error) {
    await app.close();
    throw error;
  }
  sender.start();
  return {
    url,
    close: async () => {
      await end(() => app.close());
      await sender.close();
      sql.close();
      hold.release();
    },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Fastify names what it listens on; an address of every interface is reached by this machine's own. */
function addressOf(listening: string): string {
  return listening.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

async function listen(
  app: { listen(options: { host: string; port: number }): Promise<string> },
  host: string,
  port: number,
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    const hint = 'stop that process, or name another port with --port (0 takes a free one)';
    throw new LocalForgeError('LOCAL_FORGE_PORT_IN_USE', { host, port }, { cause: error, hint });
  }
}

/** One directory after the other: where none can be made (below /proc), Node's `recursive` never comes back. */
function makeDirectory(dir: string): void {
  if (existsSync(dir)) return;
  makeDirectory(path.dirname(dir));
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!existsSync(dir)) throw error;
  }
}

function makeDirectories(data: string): void {
  try {
    makeDirectory(repositoriesDir(data));
  } catch (error) {
    const hint = 'name a directory this user may write with --data';
    throw new LocalForgeError(
      'LOCAL_FORGE_DATA_DAMAGED',
      { data, reason: messageOf(error) },
      { cause: error, hint },
    );
  }
}

/** Every row has its bare repository: one that was being made when the server died is made; then what a crash left is settled. */
async function checkRepositories(ctx: ForgeContext, data: string): Promise<void> {
  const repos = allRepos(ctx.sql);
  try {
    for (const repo of repos) {
      const git_dir = ctx.gitDir(repo);
      if (repo.made === 1 && !existsSync(path.join(git_dir, 'HEAD')))
        throw new Error(`${git_dir} is missing`);
      if (repo.made === 1) continue;
      await initRepository(git_dir, repo.default_branch);
      await ctx.sql.write(() => markMade(ctx.sql, repo.id));
    }
    await reconcile(ctx, repos);
  } catch (error) {
    const hint = 'restore the directory from a copy, or name an empty one with --data';
    throw new LocalForgeError(
      'LOCAL_FORGE_DATA_DAMAGED',
      { data, reason: messageOf(error) },
      { cause: error, hint },
    );
  }
}

/** A user's login and the token that was just made for them: shown once, stored hashed. */
export interface NewUser {
  readonly login: string;
  readonly token: string;
}

/**
 * Gives a login a fresh token and creates the user when there is none; works while a server runs on the directory.
 * Throws LOCAL_FORGE_OPTION_INVALID for what is no login, LOCAL_FORGE_DATA_DAMAGED.
 */
export async function addUser(
  data: string,
  login: string,
  options: { readonly admin?: boolean; readonly clock?: Clock } = {},
): Promise<NewUser> {
  const parsed = Login.safeParse(login);
  if (!parsed.success) {
    const expected = 'a login: up to 39 letters, digits and single hyphens inside';
    throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', { option: 'LOGIN', given: login, expected });
  }
  const resolved = path.resolve(data);
  makeDirectories(resolved);
  const sql = openSql(resolved);
  try {
    const token = `clf_${randomToken()}`;
    const at_ms = epochMs((options.clock ?? systemClock).now());
    const admin = options.admin ?? false;
    const user = await sql.write(() => grantToken(sql, { login: parsed.data, admin, token, at_ms }));
    return { login: user.login, token };
  } finally {
    sql.close();
  }
}
