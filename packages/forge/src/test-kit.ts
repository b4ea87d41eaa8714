import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Octokit } from '@octokit/rest';
import { git } from '@caloron/capabilities/git';
import { addUser, startForge, type RunningForge, type StartForge } from './server.ts';

/** A forge with three users: `alice` owns, `bob` is nobody yet, `carol` is nobody yet. */
export interface TestForge {
  readonly data: string;
  readonly dir: string;
  readonly url: string;
  readonly tokens: Readonly<Record<'alice' | 'bob' | 'carol', string>>;
  as(login: 'alice' | 'bob' | 'carol'): Octokit;
  fetch(
    address: string,
    init?: Omit<RequestInit, 'headers'> & {
      readonly as?: 'alice' | 'bob' | 'carol';
      readonly headers?: Record<string, string>;
    },
  ): Promise<Response>;
  stop(): Promise<void>;
}

/** An Octokit that says nothing on the console. */
export function octokitOf(url: string, token: string | undefined): Octokit {
  const silent = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  return new Octokit({ baseUrl: url, log: silent, ...(token === undefined ? {} : { auth: token }) });
}

/** Starts a forge on a temporary directory. */
export async function testForge(options: Partial<StartForge> = {}): Promise<TestForge> {
  const dir = mkdtempSync(path.join(tmpdir(), 'forge-'));
  const data = options.data ?? path.join(dir, 'data');
  const forge: RunningForge = await startForge({ data, port: 0, ...options });
  const tokens = {
    alice: (await addUser(data, 'alice')).token,
    bob: (await addUser(data, 'bob')).token,
    carol: (await addUser(data, 'carol')).token,
  };
  return {
    data,
    dir,
    url: forge.url,
    tokens,
    as: (login) => octokitOf(forge.url, tokens[login]),
    fetch: (address, { as, headers, ...init } = {}) =>
      fetch(`${forge.url}${address}`, {
        ...init,
        headers: { ...headers, ...(as === undefined ? {} : { authorization: `Bearer ${tokens[as]}` }) },
      }),
    stop: async () => {
      await forge.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A clone somebody works in. */
export interface Clone {
  readonly dir: string;
  git(...args: readonly string[]): Promise<string>;
  /** Writes files and commits them; gives the commit. */
  commit(files: Readonly<Record<string, string>>, message?: string): Promise<string>;
  push(...args: readonly string[]): Promise<string>;
}

/** Clones a repository of the forge over HTTP with a user's token. */
export async function cloneAs(
  forge: TestForge,
  login: 'alice' | 'bob' | 'carol',
  repo: string,
): Promise<Clone> {
  const dir = mkdtempSync(path.join(forge.dir, 'clone-'));
  const credential = { username: login, token: forge.tokens[login] };
  const author = { name: login, email: `${login}@example.com` };
  const run = async (...args: readonly string[]): Promise<string> =>
    (await git(args, { cwd: dir, credential, author })).stdout;
  await run('clone', '--quiet', `${forge.url}/${repo}.git`, '.');
  return {
    dir,
    git: run,
    commit: async (files, message = 'change') => {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
        writeFileSync(path.join(dir, name), text);
      }
      await run('add', '--all');
      await run('commit', '--quiet', '-m', message);
      return run('rev-parse', 'HEAD');
    },
    push: (...args) => run('push', '--quiet', 'origin', ...args),
  };
}

/** A repository `alice/app` with a first commit, `bob` and `carol` with push permission, and alice's clone. */
export async function appRepo(
  forge: TestForge,
): Promise<{ readonly owner: 'alice'; readonly repo: 'app'; readonly clone: Clone }> {
  const alice = forge.as('alice');
  await alice.repos.createForAuthenticatedUser({ name: 'app' });
  for (const username of ['bob', 'carol']) {
    await alice.repos.addCollaborator({ owner: 'alice', repo: 'app', username, permission: 'push' });
  }
  const clone = await cloneAs(forge, 'alice', 'alice/app');
  await clone.git('checkout', '--quiet', '-B', 'main');
  await clone.commit({ 'a.txt': 'one\ntwo\nthree\n', 'src/index.ts': 'export {};\n' }, 'first');
  await clone.push('main');
  return { owner: 'alice', repo: 'app', clone };
}

/** Pushes a branch with one commit from main and opens a pull request of it. */
export async function openPull(
  forge: TestForge,
  clone: Clone,
  pull: {
    readonly branch: string;
    readonly files: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly as?: 'alice' | 'bob' | 'carol';
  },
) {
  await clone.git('checkout', '--quiet', '-B', pull.branch, 'origin/main');
  await clone.commit(pull.files, `work on ${pull.branch}`);
  await clone.push('--force', pull.branch);
  const { data } = await forge.as(pull.as ?? 'alice').pulls.create({
    owner: 'alice',
    repo: 'app',
    title: `Pull ${pull.branch}`,
    head: pull.branch,
    base: 'main',
    body: pull.body ?? '',
  });
  return data;
}
