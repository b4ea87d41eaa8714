import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { Order } from '@caloron/types';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { configOf, PERSON } from '../test/bench.ts';
import { readScript, stub } from './frameworks/stub.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const SAMPLE = join(import.meta.dirname, '..', '..', 'cli', 'sample');

/** An order in which every task comes after those it depends on. */
const TASKS = ['tokenize', 'slugify', 'count-words', 'reading-time', 'summary'] as const;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'caloron-sample-'));
  await cp(join(SAMPLE, 'project'), join(root, 'project'), { recursive: true });
  await git(['init', '-q'], { cwd: join(root, 'project') });
  await git(['add', '-A'], { cwd: join(root, 'project') });
  await git(['commit', '-q', '-m', 'textkit'], { cwd: join(root, 'project'), author: PERSON });
});
afterEach(async () => rm(root, { recursive: true, force: true }));

async function follow(task_id: string, attempt: number): Promise<number | null> {
  const order = {
    process_id: 'p',
    sprint_id: 's',
    agent_id: 'a',
    role: 'author',
    attempt,
    task: { id: task_id },
    worktree: join(root, 'project'),
    framework: { name: 'stub', options: { script_dir: join(SAMPLE, 'scripts') } },
  } as unknown as Order;
  const result = await stub.run({
    order,
    prompt: '',
    prompt_file: '',
    directory: root,
    confine: (argv) => argv,
    dangerous: false,
    env: configOf({}).env,
    timeout_ms: 30_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  });
  return result.code;
}

async function tests(): Promise<{ exitCode?: number; stdout: string }> {
  return execa('node', ['--test'], {
    cwd: join(root, 'project'),
    reject: false,
    env: configOf({}).env,
    extendEnv: false,
  });
}

describe('the sample project', () => {
  it('passes its tests before the sprint and after it', async () => {
    expect((await tests()).exitCode).toBe(0);

    for (const task of TASKS) {
      const { attempts } = await readScript(join(SAMPLE, 'scripts', `${task}.json`));
      expect(await follow(task, attempts.length), task).toBe(0);
    }

    const done = await tests();
    expect(done.exitCode, done.stdout).toBe(0);
    expect(done.stdout).toContain('sums a text up');
    expect((await git(['status', '--porcelain'], { cwd: join(root, 'project') })).stdout).toBe('');
  });

  if (SLOW)
    it('needs a second attempt at count-words: the first one fails its own test', async () => {
      await follow('tokenize', 1);
      expect(await follow('count-words', 1)).toBe(0);
      const first = await tests();
      expect(first.exitCode).toBe(1);
      expect(first.stdout).toContain('counts words that objects have as properties');

      expect(await follow('count-words', 2)).toBe(0);
      expect((await tests()).exitCode).toBe(0);
    });

  it('has a script for every task of the brief, and each waits less than two seconds', async () => {
    const scripts = await readdir(join(SAMPLE, 'scripts'));
    expect(scripts.sort()).toEqual(TASKS.map((task) => `${task}.json`).sort());
    for (const name of scripts) {
      const { attempts } = await readScript(join(SAMPLE, 'scripts', name));
      for (const { steps } of attempts) {
        const waited = steps.reduce((sum, step) => sum + ('wait_ms' in step ? step.wait_ms : 0), 0);
        expect(waited).toBeLessThan(2000);
      }
    }
  });
});
