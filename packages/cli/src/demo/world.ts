import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { git } from '@caloron/capabilities/git';
import { systemRandom } from '@caloron/capabilities/random';
import { execa } from 'execa';
import { z } from 'zod';

import { binPath } from '../services.ts';

const SAMPLE = fileURLToPath(new URL('../../sample/', import.meta.url));

/** A user of the demo's forge. */
const UserLine = z.object({ login: z.string(), token: z.string().min(1) });

/** The demo's people and their forge tokens; in memory alone. */
export interface DemoUsers {
  readonly author: z.infer<typeof UserLine>;
  readonly reviewer: z.infer<typeof UserLine>;
  readonly human: z.infer<typeof UserLine>;
}

/** The brief of the sample sprint. */
export function sampleBrief(): string {
  return readFileSync(join(SAMPLE, 'brief.md'), 'utf8');
}

/** Where the scripted agents' scripts lie. */
export const SCRIPT_DIR = join(SAMPLE, 'scripts');

/** An id for one demo: its start in UTC and a few random letters, as two may start in one second. */
export function demoId(now: string): string {
  return `demo-${now.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${systemRandom.uuid().slice(0, 4)}`;
}

/** Adds a user to the demo's forge. */
export async function addUser(
  data: string,
  login: string,
  env: Readonly<Record<string, string>>,
): Promise<z.infer<typeof UserLine>> {
  const { stdout } = await execa(
    process.execPath,
    [binPath('caloron-forge'), 'user', 'add', login, '--data', data],
    { env, extendEnv: false },
  );
  return UserLine.parse(JSON.parse(stdout));
}

async function api(url: string, token: string, method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${await response.text()}`);
}

/** Creates the sample repository on the forge and pushes the sample project to it; gives `owner/name`. */
export async function createSampleRepository(
  url: string,
  users: DemoUsers,
  scratch: string,
): Promise<string> {
  const name = 'textkit';
  const repo = `${users.author.login}/${name}`;
  await api(url, users.author.token, 'POST', '/user/repos', {
    name,
    private: false,
    description: 'Small text functions with tests',
  });
  for (const { login } of [users.reviewer, users.human]) {
    await api(url, users.author.token, 'PUT', `/repos/${repo}/collaborators/${login}`, {
      permission: 'push',
    });
  }
  const work = join(scratch, 'sample');
  mkdirSync(work, { recursive: true });
  copyTree(join(SAMPLE, 'project'), work);
  const author = { name: 'Caloron', email: 'caloron@localhost' };
  await git(['init', '--quiet', '--initial-branch=main'], { cwd: work });
  await git(['add', '-A'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'Start textkit'], { cwd: work, author });
  await git(['push', '--quiet', `${url}/${repo}.git`, 'HEAD:refs/heads/main'], {
    cwd: work,
    credential: { username: 'x-access-token', token: users.author.token },
  });
  return repo;
}

function copyTree(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    if (name === 'node_modules') continue;
    const path = join(from, name);
    if (statSync(path).isDirectory()) cpSync(path, join(to, name), { recursive: true });
    else writeFileSync(join(to, name), readFileSync(path));
  }
}
