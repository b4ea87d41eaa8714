import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import type { EndCause, Order } from '@caloron/types';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { frameworkNamed } from '../../packages/harness/src/frameworks/table.ts';
import { causeOf } from '../../packages/harness/src/run-framework.ts';
import { temporaryDirectory } from '../support/bins.ts';
import { type Cli, cliEnvironment, CLIS, install } from './clis.ts';
import { type ModelEndpoint, startModel } from './model-endpoint.ts';
import type { Refusal, Turn } from './turns.ts';

type Framework = ReturnType<typeof frameworkNamed>;
type Call = Parameters<Framework['run']>[0];
type Result = Awaited<ReturnType<Framework['run']>>;

const PROMPT = '## Your task\n\nWrite hello.txt: grüße.\n';
const FIRST = { input: 100, output: 20, cache_read: 30, cache_write: 0 };
const SECOND = { input: 200, output: 40, cache_read: 60, cache_write: 0 };

/** One run of a program through our adapter. */
interface Ran {
  readonly result: Result;
  readonly cause: EndCause | null;
  /** What it printed, with the milliseconds since the start. */
  readonly output: readonly (readonly [ms: number, text: string])[];
}

describe.each(Object.values(CLIS) as readonly Cli[])('$framework, the real $package $version', (cli) => {
  let dir: string;
  let worktree: string;
  let model: ModelEndpoint;

  beforeAll(async () => install(cli), 400_000);
  beforeEach(async () => {
    dir = temporaryDirectory();
    worktree = join(dir, 'tree');
    mkdirSync(worktree);
    await git(['init', '-q'], { cwd: worktree });
    model = await startModel();
  });
  afterEach(async () => {
    await model.close();
    expect(model.unknown).toEqual([]);
    rmSync(dir, { recursive: true, force: true });
  });

  async function run(
    script: readonly Turn[],
    change: Partial<Call> = {},
    options: object = {},
  ): Promise<Ran> {
    model.script = [...script];
    const framework = { name: cli.framework, options: { ...cli.options, ...options } };
    const order = {
      framework,
      worktree,
      agent_id: 'a1',
      sprint_id: 's1',
      task: { id: 't1' },
      role: 'author',
    };
    const began = performance.now();
    const output: [number, string][] = [];
    const call: Call = {
      order: order as unknown as Order,
      prompt: PROMPT,
      prompt_file: join(dir, 'prompt.md'),
      directory: dir,
      confine: (argv) => argv,
      // Codex's own sandbox needs rights of the kernel that a container may not have.
      dangerous: cli.framework === 'codex-cli',
      env: cliEnvironment(cli, join(dir, 'home'), model.url),
      timeout_ms: 60_000,
      signal: new AbortController().signal,
      onOutput: (text) => output.push([performance.now() - began, text]),
      ...change,
    };
    const result = await frameworkNamed(cli.framework).run(call);
    return { result, cause: causeOf({ order: call.order, clock: systemClock }, result), output };
  }

  const edit = (): readonly Turn[] => [
    { text: 'I write it.', write: { path: join(worktree, 'hello.txt'), content: 'grüße\n' }, usage: FIRST },
    { text: 'Done ✓', usage: SECOND, wait_ms: 2000 },
  ];

  it('edits a file of the worktree, is heard while it works, and its tokens are counted', async () => {
    const { result, cause, output } = await run(edit());

    expect(cause).toBeNull();
    expect(readFileSync(join(worktree, 'hello.txt'), 'utf8')).toBe('grüße\n');
    expect(result).toMatchObject({ code: 0, tokens_used: 450, timed_out: false });
    expect(result.usage).toMatchObject([{ input: 300, output: 60, cache_read: 90 }]);
    expect(result.text.replaceAll('\n', '')).toBe('I write it.Done ✓');
    expect(result.session?.id).toMatch(/^[\w-]{20,}$/);
    // The second turn takes two seconds: what the first one said was there before it.
    const [said, done] = ['I write it.', 'Done ✓'].map(
      (text) => output.find(([, one]) => one.includes(text))?.[0],
    );
    expect((done ?? 0) - (said ?? 0)).toBeGreaterThan(1000);
    expect(JSON.stringify(model.asked[0]?.body)).toContain('Write hello.txt: grüße.');
  });

  it('A2 goes on with its session, is told only what is new, and counts only that', async () => {
    const first = await run([{ text: 'One.', usage: FIRST }]);
    const session = first.result.session ?? null;
    const { result } = await run([{ text: 'Two.', usage: SECOND }], {
      session,
      prompt: 'Now the second thing.',
    });

    expect(result).toMatchObject({ code: 0, tokens_used: 300, session: { id: session?.id } });
    const asked = JSON.stringify(model.asked.at(-1)?.body);
    expect(asked).toContain('Write hello.txt: grüße.');
    expect(asked).toContain('Now the second thing.');
    expect(result.text.trim()).toBe('Two.');
  });

  it('A2 says that a session is gone before it uses anything', async () => {
    const id =
      cli.bin === 'opencode' ? 'ses_11111111111111111111111111' : '11111111-2222-4333-8444-555555555555';
    const { result, cause } = await run([{ text: 'no' }], { session: { id, used: [] } });

    expect(result.code).not.toBe(0);
    expect(result).toMatchObject({ tokens_used: 0, text: '' });
    expect(cause).toMatchObject({ class: 'crash' });
    expect(model.asked).toEqual([]);
  });

  it('A7 goes on after a tool that is not there', async () => {
    const { result, cause } = await run([{ unknown_tool: 'no_such_tool' }, { text: 'I went on.' }]);

    expect(cause).toBeNull();
    expect(result.text).toContain('I went on.');
  });

  it.each<[Refusal, readonly string[]]>([
    ['auth', ['auth']],
    ['billing', ['billing']],
    ['overloaded', ['transient']],
    ['quota', ['quota']],
    ['rate_limit', ['rate_limit', 'quota']],
  ])('ends as told when the provider says %s', async (refuse, classes) => {
    const { result, cause } = await run([{ refuse }], {}, { patience_ms: '6000' });

    expect(classes, JSON.stringify({ cause, result })).toContain(cause?.class);
    expect(cause?.provider).not.toBeNull();
    expect(result.timed_out).toBe(false);
    // Codex alone tells of used-up plans when they end, OpenCode and Gemini drop it.
    const told =
      (refuse === 'quota' && cli.bin === 'codex') || (refuse === 'rate_limit' && cli.bin === 'claude');
    if (told) expect(cause?.until).not.toBeNull();
  });

  it('ends as transient when its stream is cut', async () => {
    const { cause } = await run([{ text: 'half of it', cut: true }], {}, { patience_ms: '6000' });

    expect(cause).toMatchObject({ class: 'transient' });
  });

  it('is ended at its time limit when the model says nothing', async () => {
    const { result, cause } = await run([{ hang: true }], { timeout_ms: 8000 });

    expect(result).toMatchObject({ timed_out: true, silent: false });
    expect(cause).toMatchObject({ class: 'timeout', provider: null });
  });
});
