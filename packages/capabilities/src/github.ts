import {
  type Clock,
  type ForgeAsker,
  type ForgeBudget,
  type ForgeRepo,
  type Forges,
  RepoName,
  TokenEnv,
} from '@caloron/types';

import { systemClock } from './clock.ts';
import { ForgeError } from './forge-errors.ts';
import type { ForgeCacheLike } from './github-cache.ts';
import { createForgeClient } from './github-client.ts';
import { type AppTarget, createApps, isApp, type MadeToken } from './github-app.ts';
import { dialectOf } from './github-dialect.ts';
import { forgeReads } from './github-read.ts';
import { forgeWrites } from './github-write.ts';
import { checkedHost, createTokenHosts, misplaced, placeHint, type TokenHostOf } from './token-hosts.ts';

export type { CachedForgeAnswer, ForgeCacheLike } from './github-cache.ts';

/** How a repository is opened with a token in hand. */
export interface OpenRepoOptions {
  /** `owner/name`. */
  readonly repo: string;
  /** API address; null is github.com. */
  readonly host: string | null;
  readonly token: string | MadeToken;
  /** Keeps ETags between ticks; without it every read is a full one. */
  readonly cache?: ForgeCacheLike | undefined;
  readonly clock?: Clock | undefined;
  readonly user_agent?: string | undefined;
  /** How often a read is repeated after a fault of host or network, after 1 s, 4 s, 9 s; 2 when absent. Writes are never repeated. */
  readonly read_retries?: number | undefined;
  /** An attempt that takes longer is given up; 30 000 ms when absent. */
  readonly timeout_ms?: number | undefined;
  /** A read that takes longer with all its attempts is given up; 60 000 ms when absent. */
  readonly read_deadline_ms?: number | undefined;
  /** What is left of the host's limits, shared with other processes; absent: every request is made. */
  readonly budget?: ForgeBudget | undefined;
  /** Who asks; a tick when absent. */
  readonly who?: ForgeAsker | undefined;
}

/** Two repetitions take five seconds: a tick has thirty. */
const READ_RETRIES = 2;

/** Half of what GitHub lets a request take would be 5 s; a slow self-hosted forge takes longer. */
const TIMEOUT_MS = 30_000;

const USER_AGENT = 'caloron';

/** One repository with a token in hand. Makes no request. Throws FORGE_HOST_INVALID or FORGE_REPO_INVALID. */
export function openRepo(options: OpenRepoOptions): ForgeRepo {
  const host = checkedHost(options.host);
  if (!RepoName.safeParse(options.repo).success)
    throw new ForgeError('FORGE_REPO_INVALID', { repo: options.repo });
  const client = createForgeClient({
    host,
    repo: options.repo,
    token: options.token,
    clock: options.clock ?? systemClock,
    user_agent: options.user_agent ?? USER_AGENT,
    read_retries: options.read_retries ?? READ_RETRIES,
    timeout_ms: options.timeout_ms ?? TIMEOUT_MS,
    read_deadline_ms: options.read_deadline_ms,
    budget: options.budget,
    who: options.who,
  });
  const dialect = dialectOf(host);
  const { token } = options;
  const read = forgeReads({ client, cache: options.cache, dialect });
  // An app is no user: `/user` is not for its tokens.
  const reads = typeof token === 'string' ? read : { ...read, whoami: () => token.login() };
  return { ...reads, ...forgeWrites({ client, dialect, reads }) };
}

/** What repositories by token variable need. */
export interface ForgesDeps {
  readonly cache?: ForgeCacheLike | undefined;
  /** Names of the variables that may hold forge tokens. */
  readonly allow: readonly string[];
  /** Where the variables are looked up, at each opening. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Where each variable's token belongs: it is refused for any other host. Absent: GITHUB_TOKEN to github.com, others to this machine. */
  readonly hosts?: TokenHostOf | undefined;
  readonly user_agent?: string | undefined;
  readonly read_retries?: number | undefined;
  readonly timeout_ms?: number | undefined;
  /** What is left of the hosts' limits, shared with other processes; absent: every request is made. */
  readonly budget?: ForgeBudget | undefined;
  /** Who asks; a tick when absent. */
  readonly who?: ForgeAsker | undefined;
  /** Told each secret that no variable holds: tokens of a GitHub App, and its key. */
  readonly learn?: ((secret: string) => void) | undefined;
}

/** Throws FORGE_TOKEN_NOT_ALLOWED, FORGE_TOKEN_OTHER_HOST, FORGE_TOKEN_MISSING, FORGE_TOKEN_MALFORMED or FORGE_APP_INVALID. */
function tokenOf(
  target: AppTarget,
  deps: ForgesDeps,
  apps: (target: AppTarget) => MadeToken,
): string | MadeToken {
  const { token_env, host } = target;
  if (!TokenEnv.safeParse(token_env).success || !deps.allow.includes(token_env)) {
    const hint = 'add it to CALORON_TOKEN_ENVS if it holds a forge token';
    throw new ForgeError('FORGE_TOKEN_NOT_ALLOWED', { token_env, allowed: deps.allow }, { hint });
  }
  const elsewhere = misplaced(token_env, host, deps.hosts ?? createTokenHosts({}));
  if (elsewhere !== null) {
    const { belongs_to } = elsewhere;
    const hint = placeHint(token_env, host, belongs_to);
    throw new ForgeError('FORGE_TOKEN_OTHER_HOST', { token_env, host, belongs_to }, { hint });
  }
  const token = deps.env[token_env]?.trim() ?? '';
  if (token === '' && isApp(deps.env, token_env)) return apps(target);
  if (token === '') {
    throw new ForgeError(
      'FORGE_TOKEN_MISSING',
      { token_env },
      { hint: `export ${token_env}=… and try again` },
    );
  }
  // No header can hold another: the failed request would look like a host that is away.
  if (!/^[!-~]+$/u.test(token)) {
    const hint = 'copy the token again, whole and alone';
    throw new ForgeError('FORGE_TOKEN_MALFORMED', { token_env }, { hint });
  }
  return token;
}

/** Repositories by the name of their token's variable, or of a GitHub App's; one client per host, repository and token. */
export function createForges(deps: ForgesDeps): Forges {
  const open = new Map<string, { readonly token: string | MadeToken; readonly forge: ForgeRepo }>();
  const apps = createApps(deps);
  return {
    open({ repo, host, token_env }) {
      const address = checkedHost(host);
      const token = tokenOf({ token_env, host: address, repo }, deps, apps);
      const key = `${address} ${repo} ${token_env}`;
      const kept = open.get(key);
      if (kept !== undefined && kept.token === token) return kept.forge;
      const { cache, clock, user_agent, read_retries, timeout_ms, budget, who } = deps;
      const forge = openRepo({
        repo,
        host: address,
        token,
        cache,
        clock,
        user_agent,
        read_retries,
        timeout_ms,
        budget,
        who,
      });
      open.set(key, { token, forge });
      return forge;
    },
  };
}
