import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { Order } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { runHarness } from './harness.ts';
import { keepSession, keptSession } from './session.ts';

let bench: Bench;
let file: string;
beforeEach(async () => {
  bench = await createBench();
  file = join(bench.root, 't1.author.session.json');
});
afterEach(async () => bench.close());

const order = (change: Partial<Order> = {}): Order =>
  bench.order({ session_file: file, framework: { name: 'codex-cli', options: {} }, ...change });
const later = { mode: 'resume', attempt: 2, instruction: 'Rename it.' } as const;
const session = { id: 'ses-1', used: [{ model: null, input: 5, output: 1, cache_read: 0, cache_write: 0 }] };

/** A codex that notes how it is called, knows one session, and says that it is done; gives the PATH that finds it. */
async function codex(known: string): Promise<string> {
  const bin = join(bench.root, 'bin');
  const text = 'CALORON_FEEDBACK_START\n{"self_assessment":"completed"}\nCALORON_FEEDBACK_END';
  const events = [
    { type: 'thread.started', thread_id: 'ses-1' },
    { type: 'item.completed', item: { type: 'agent_message', text } },
    { type: 'turn.completed', usage: { input_tokens: 100, output_tokens: 10 } },
  ];
  await writeFile(join(bench.root, 'events'), `${events.map((event) => JSON.stringify(event)).join('\n')}\n`);
  const script = `#!/bin/sh
echo "$*" >> '${bench.root}/calls'
cat >> '${bench.root}/prompts'
case "$*" in
  *resume*) case "$*" in *'${known}'*) ;; *) echo 'Error: no rollout found' >&2; exit 1;; esac;;
esac
echo x >> work.txt
cat '${bench.root}/events'
`;
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'codex'), script);
  await chmod(join(bin, 'codex'), 0o755);
  return `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
}

const calls = async (): Promise<readonly string[]> =>
  (await readFile(join(bench.root, 'calls'), 'utf8')).trim().split('\n');
const prompts = async (): Promise<string> => readFile(join(bench.root, 'prompts'), 'utf8');

describe('A2 an agent that is started again', () => {
  it('goes on with its own session and is told what is new alone; tokens are counted once', async () => {
    const PATH = await codex('ses-1');
    expect(await runHarness(order(), bench.deps({ env: { PATH } }))).toBe(0);
    const first = await prompts();
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ id: 'ses-1', framework: 'codex-cli' });
    await writeFile(join(bench.root, 'prompts'), '');

    expect(await runHarness(order(later), bench.deps({ env: { PATH } }))).toBe(0);

    expect((await calls())[0]).not.toContain('resume');
    expect((await calls())[1]).toMatch(/ resume ses-1 -$/);
    const second = await prompts();
    expect(first).toContain('One thing, done.');
    expect(second).toContain('Rename it.');
    expect(second).not.toContain('One thing, done.');
    expect(bench.shell.reports.map(({ tokens_used }) => tokens_used)).toEqual([110, 0]);
  });

  it('begins a new session with the whole prompt, once, when the program has lost the old one', async () => {
    const PATH = await codex('another');
    await keepSession(order(), session);

    expect(await runHarness(order(later), bench.deps({ env: { PATH } }))).toBe(0);

    expect(await calls()).toHaveLength(2);
    expect((await calls())[1]).not.toContain('resume');
    expect(await prompts()).toMatch(/goes on in this session[\s\S]*One thing, done\./);
    expect(await readFile(order().log_file, 'utf8')).toContain('session ses-1 is gone');
  });
});

describe('a kept session', () => {
  it('is the same agent’s, program’s and worktree’s, for every attempt but the first', async () => {
    await keepSession(order(), session);

    expect(await keptSession(order(later))).toEqual(session);
    expect(await keptSession(order({ mode: 'start', attempt: 2 }))).toEqual(session);
    expect(await keptSession(order({ mode: 'rebase' }))).toEqual(session);
    expect(await keptSession(order())).toBeNull();
    expect(await keptSession(order({ ...later, agent_id: 'agent-2' }))).toBeNull();
    expect(await keptSession(order({ ...later, worktree: '/elsewhere' }))).toBeNull();
    expect(await keptSession(order({ ...later, role: 'reviewer' }))).toBeNull();
    const other = { name: 'claude-code', options: {} };
    expect(await keptSession(order({ ...later, framework: other }))).toBeNull();
    const off = { name: 'codex-cli', options: { resume: 'off' } };
    expect(await keptSession(order({ ...later, framework: off }))).toBeNull();
  });

  it('that is damaged is none', async () => {
    const damaged = [
      '',
      '{',
      '[]',
      '{"v":1}',
      '{"v":1,"framework":"codex-cli","agent_id":"agent-1","id":"--yolo"}',
    ];
    for (const text of damaged) {
      await writeFile(file, text);

      expect(await keptSession(order(later)), text).toBeNull();
    }
  });

  it('is not kept with resume off', async () => {
    await keepSession(order({ framework: { name: 'codex-cli', options: { resume: 'off' } } }), session);

    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });
});
