import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { killProcessesOf, processesOf } from '../support/processes.ts';
import { ROOT } from '../support/tree.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const CALORON = join(ROOT, 'packages/cli/bin/caloron.mjs');
const NOETHER = join(ROOT, 'packages/cli/bin/noether.mjs');

const Envelope = z.object({
  ok: z.literal(true),
  data: z.object({
    id: z.string(),
    home: z.string(),
    report_path: z.string(),
    kpis: z.object({ completed_tasks: z.number(), total_tasks: z.number() }),
    interim: z.boolean(),
  }),
});

function bareRepository(home: string): string {
  const walk = (dir: string): string[] =>
    readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
      const path = join(dir, entry.name);
      if (!entry.isDirectory()) return [];
      return entry.name.endsWith('.git') ? [path] : walk(path);
    });
  const found = walk(join(home, 'forge'))[0];
  if (found === undefined) throw new Error('the forge keeps no repository');
  return found;
}

describe('caloron demo', () => {
  let cwd: string;

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'caloron-demo-'));
  });

  afterEach(() => {
    killProcessesOf(cwd);
    rmSync(cwd, { recursive: true, force: true });
  });

  it('runs a sprint from its brief to its report, and leaves nothing running', async () => {
    const { exitCode, stdout, stderr } = await execa(
      process.execPath,
      [CALORON, 'demo', '--output', 'json'],
      { cwd, reject: false },
    );

    expect(stderr).toMatch(/requests changes/);
    expect(exitCode, stderr).toBe(0);
    expect(processesOf(cwd)).toEqual([]);

    const { data } = Envelope.parse(JSON.parse(stdout));
    expect(data.kpis).toMatchObject({ total_tasks: 5, completed_tasks: 5 });
    expect(data.interim).toBe(false);
    expect(readFileSync(data.report_path, 'utf8')).toContain(data.id);

    // Merges happened on the bare repository, dependencies before dependants.
    const repository = bareRepository(data.home);
    const { stdout: log } = await git(['log', '--format=%s%n%b', 'main'], { git_dir: repository });
    const place = (task: string): number => log.indexOf(`caloron/${data.id}/${task}`);
    for (const task of ['tokenize', 'slugify', 'count-words', 'reading-time', 'summary'])
      expect(place(task), task).toBeGreaterThanOrEqual(0);
    expect(place('summary')).toBeLessThan(place('count-words'));
    expect(place('summary')).toBeLessThan(place('reading-time'));
    expect(place('count-words')).toBeLessThan(place('tokenize'));
    expect(place('reading-time')).toBeLessThan(place('tokenize'));

    // The three commands it prints work on what is left.
    const said: string[] = [];
    for (const [bin, ...args] of [
      [CALORON, 'status', '--home', data.home],
      [NOETHER, 'runs', '--home', data.home],
      [CALORON, 'show', 'count-words', '--home', data.home],
    ] as const) {
      const looked = await execa(process.execPath, [bin, ...args], { cwd, reject: false });
      expect(looked.exitCode, looked.stderr).toBe(0);
      expect(looked.stdout).not.toBe('');
      said.push(looked.stdout);
    }
    const shown = said.at(-1);
    expect(shown).toMatch(/requests changes: PR #\d+ node --test exits 1/);
    expect(shown).toMatch(/approved/);
  });

  if (SLOW)
    it('leaves no process behind when it is interrupted while agents work', async () => {
      const child = execa(process.execPath, [CALORON, 'demo'], { cwd, reject: false });
      const started = new Promise<void>((resolve) => {
        child.stderr.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('starts (pid')) resolve();
        });
      });
      await Promise.race([started, child]);

      child.kill('SIGINT');
      const { exitCode, stderr } = await child;

      expect(exitCode, stderr).toBe(130);
      expect(processesOf(cwd)).toEqual([]);
      expect(existsSync(join(cwd, '.caloron', 'demo'))).toBe(true);
    });
});
