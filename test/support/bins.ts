import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { execa } from 'execa';
import { expect } from 'vitest';
import { z } from 'zod';

import { ROOT } from './tree.ts';

/** The product's commands, as files. */
export const BINS = {
  caloron: join(ROOT, 'packages/cli/bin/caloron.mjs'),
  noether: join(ROOT, 'packages/cli/bin/noether.mjs'),
  'caloron-forge': join(ROOT, 'packages/forge/bin/caloron-forge.mjs'),
  'caloron-shell': join(ROOT, 'packages/shell/bin/caloron-shell.mjs'),
  'noether-scheduler': join(ROOT, 'packages/scheduler/bin/noether-scheduler.mjs'),
} as const;

/** How a command ended. */
export interface Ended {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Variables a command needs of this process, and the given ones; nothing else of the caller's reaches it. */
export function environment(more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const base = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', TMPDIR: tmpdir() };
  return { ...base, CALORON_LLM_PROVIDER: 'none', ...more };
}

/** Runs a command to its end. */
export async function run(
  bin: keyof typeof BINS,
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly node?: readonly string[];
  },
): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [...(options.node ?? []), BINS[bin], ...args],
    {
      cwd: options.cwd,
      env: options.env ?? environment(),
      extendEnv: false,
      reject: false,
      timeout: 120_000,
    },
  );
  return { code: exitCode, stdout, stderr };
}

/** Runs a command that must go well; gives what it printed. */
export async function must(...call: Parameters<typeof run>): Promise<string> {
  const { code, stdout, stderr } = await run(...call);
  expect(code, `${call[0]} ${call[1].join(' ')}\n${stderr}\n${stdout}`).toBe(0);
  return stdout;
}

const Ready = z.object({ ready: z.literal(true), url: z.string(), pid: z.number() });

/** A process of the product that serves. */
export interface Serving {
  readonly url: string;
  readonly pid: number;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  /** Ends it by SIGTERM; gives its exit code. */
  readonly stop: () => Promise<number | undefined>;
  /** Waits for its end; gives its exit code, undefined where a signal ended it. */
  readonly ended: () => Promise<number | undefined>;
}

/** Starts a process of the product and waits for its ready line. */
export async function serve(
  bin: keyof typeof BINS,
  args: readonly string[],
  { cwd, env = environment() }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Serving> {
  const child = execa(process.execPath, [BINS[bin], ...args], {
    cwd,
    env,
    extendEnv: false,
    reject: false,
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    void child.then(() => reject(new Error(`${bin} ended before it was ready: ${log}`)));
  });
  const { url, pid } = Ready.parse(JSON.parse(line));
  return {
    url,
    pid,
    log: () => log,
    stop: async () => {
      child.kill('SIGTERM');
      return (await child).exitCode;
    },
    ended: async () => (await child).exitCode,
  };
}

/** A local forge with two accounts and a repository of theirs. */
export interface ForgeWorld {
  readonly forge: Serving;
  readonly data: string;
  readonly repo: string;
  /** Tokens in the variables agents and reviewers use. */
  readonly tokens: { readonly CALORON_FORGE_TOKEN: string; readonly CALORON_REVIEWER_TOKEN: string };
}

const User = z.object({ token: z.string().min(1) });

async function post(url: string, token: string, method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${await response.text()}`);
}

/** Starts a forge below a directory with the repository `agent/lib`: a main branch, and a verify command that looks at `*.txt`. */
export async function forgeWorld(dir: string): Promise<ForgeWorld> {
  const data = join(dir, 'forge');
  const forge = await serve('caloron-forge', ['--port', '0', '--data', data], { cwd: dir });
  const user = async (login: string): Promise<string> =>
    User.parse(JSON.parse(await must('caloron-forge', ['user', 'add', login, '--data', data], { cwd: dir })))
      .token;
  const [agent, reviewer] = [await user('agent'), await user('reviewer')];
  const repo = 'agent/lib';
  await post(forge.url, agent, 'POST', '/user/repos', { name: 'lib', private: false });
  await post(forge.url, agent, 'PUT', `/repos/${repo}/collaborators/reviewer`, { permission: 'push' });

  const work = join(dir, 'seed');
  writeText(join(work, 'README.md'), '# lib\n');
  writeText(
    join(work, 'check.sh'),
    '#!/bin/sh\n# Every text file says that it is done.\n! grep -L done ./*.txt 2>/dev/null | grep .\n',
  );
  await git(['init', '--quiet', '--initial-branch=main'], { cwd: work });
  await git(['add', '-A'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'Start lib'], {
    cwd: work,
    author: { name: 'Agent', email: 'agent@localhost' },
  });
  await git(['push', '--quiet', `${forge.url}/${repo}.git`, 'HEAD:refs/heads/main'], {
    cwd: work,
    credential: { username: 'x-access-token', token: agent },
  });
  return { forge, data, repo, tokens: { CALORON_FORGE_TOKEN: agent, CALORON_REVIEWER_TOKEN: reviewer } };
}

/** Writes a file with the directories above it. */
export function writeText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Writes the stub's script of a task: each attempt adds one file to the repository and commits it. */
export function writeScript(dir: string, task: string, files: readonly (readonly [string, string])[]): void {
  const attempts = files.map(([name, content]) => ({
    steps: [{ say: `writing ${name}` }, { write: name, content }, { commit: `Write ${name}` }],
    feedback: { task_clarity: 9, notes: `${task} was clear.` },
  }));
  writeText(join(dir, `${task}.json`), JSON.stringify({ v: 1, attempts }));
}

/** Changes fields of a JSON file, as a person edits caloron.json. */
export function editJson(path: string, fields: Readonly<Record<string, unknown>>): void {
  const before = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')));
  writeFileSync(path, JSON.stringify({ ...before, ...fields }, null, 2));
}

/** A directory of its own below the system's temporary one. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'caloron-test-'));
}
