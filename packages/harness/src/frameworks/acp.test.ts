import { existsSync, symlinkSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { causeOf } from '../run-framework.ts';
import { acp } from './acp.ts';
import type { FrameworkCall } from './framework.ts';

const AGENT = join(import.meta.dirname, '../../test/acp-agent.ts');

let root: string;
let printed: string;
let sessions: string[];
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'caloron-acp-')));
  printed = '';
  sessions = [];
});
afterEach(async () => rm(root, { recursive: true, force: true }));

interface Given {
  readonly options?: Readonly<Record<string, string>>;
  readonly dangerous?: boolean;
  readonly timeout_ms?: number;
  readonly signal?: AbortSignal;
  readonly pause?: AbortSignal;
  readonly session?: string;
}

function callOf(script: readonly object[], given: Given = {}): FrameworkCall {
  const command = JSON.stringify([process.execPath, AGENT, JSON.stringify(script)]);
  const framework = { name: 'acp', options: { command, ...given.options } };
  return {
    order: { framework, worktree: root, agent_id: 'agent-1', sprint_id: 's1', task: { id: 't1' } },
    prompt: 'Do it.',
    prompt_file: join(root, 'prompt.md'),
    directory: root,
    confine: (argv: readonly string[]) => argv,
    dangerous: given.dangerous ?? false,
    env: { PATH: process.env['PATH'] ?? '' },
    timeout_ms: given.timeout_ms ?? 20_000,
    signal: given.signal ?? new AbortController().signal,
    ...(given.pause === undefined ? {} : { pause: given.pause }),
    session: given.session === undefined ? null : { id: given.session, used: [] },
    onSession: ({ id }: { id: string }) => sessions.push(id),
    onOutput: (text: string) => (printed += text),
  } as unknown as FrameworkCall;
}

const run = (script: readonly object[], given?: Given) => acp.run(callOf(script, given));

describe('an agent that speaks the Agent Client Protocol', () => {
  it('is given the prompt and works in the worktree; what it says is its text and is in the log while it runs', async () => {
    const result = await run([
      { write: 'made.txt', content: 'by the agent' },
      { noise: 'a line that is no message\n' },
      { say: 'Heard {prompt}' },
      { say: ' and did it.' },
    ]);

    expect(result).toMatchObject({ code: 0, timed_out: false, stopped: false, trouble: null });
    expect(result.text).toBe('Heard [{"text":"Do it.","type":"text"}] and did it.');
    expect(printed).toContain('and did it.');
    expect(printed).toContain('a line that is no message');
    expect(await readFile(join(root, 'made.txt'), 'utf8')).toBe('by the agent');
  });

  it('A1 is heard when it says ten megabytes in one message', async () => {
    const { text, code } = await run([{ say_bytes: 10_000_000 }, { say: 'end' }]);

    expect(code).toBe(0);
    expect(text.endsWith('xend')).toBe(true);
  });

  it('A6 has each request for permission answered at once by policy, for that one call', async () => {
    symlinkSync('/etc', join(root, 'link'));
    const { text } = await run([
      { ask: 'look', kind: 'read' },
      { ask: 'change', kind: 'edit', path: join(root, 'src/new.ts') },
      { ask: 'change outside', kind: 'edit', path: '/etc/passwd' },
      { ask: 'change by dots', kind: 'edit', path: '../x' },
      { ask: 'change by link', kind: 'edit', path: join(root, 'link/passwd') },
      { ask: 'run', kind: 'execute' },
      { ask: 'get', kind: 'fetch' },
    ]);

    expect(text).toBe(
      'look: once; change: once; change outside: no; change by dots: no; change by link: no; run: no; get: no;',
    );
    expect(printed).toContain('permission refused: execute run (execute is not allowed)');
  });

  it('may do what option allow names besides, and everything when it is named as dangerous', async () => {
    const asks = [
      { ask: 'run', kind: 'execute' },
      { ask: 'get', kind: 'fetch', path: '/etc' },
    ];

    expect((await run(asks, { options: { allow: 'execute' } })).text).toBe('run: once; get: no;');
    expect((await run(asks, { dangerous: true })).text).toBe('run: once; get: once;');
    await expect(run(asks, { options: { allow: 'execute, everything' } })).rejects.toMatchObject({
      code: 'HARNESS_FRAMEWORK_OPTION',
      details: { framework: 'acp', option: 'allow' },
    });
  });

  it('A7 A10 is told that a call is not supported, and goes on', async () => {
    const { text, code } = await run([
      { call: 'fs/read_text_file' },
      { call: 'terminal/create' },
      { call: 'made/up' },
    ]);

    expect(text).toBe('refused -32601; refused -32601; refused -32601;');
    expect(code).toBe(0);
  });

  it.each([
    [{ stop: 'max_tokens' }, { class: 'gave_up' }],
    [{ stop: 'refusal' }, { class: 'gave_up' }],
    [
      { fail: 'Authentication required', code: -32_000 },
      { class: 'auth', provider: 'acp' },
    ],
    [{ fail: '429 rate_limit_error: too many requests', code: -32_603 }, { class: 'rate_limit' }],
    [{ fail: 'Overloaded', code: -32_603 }, { class: 'transient' }],
    [{ die: 'panic: out of luck' }, { class: 'crash', sentence: 'panic: out of luck' }],
  ])('that ends by %o ended for a reason', async (step, cause) => {
    const call = callOf([step]);
    const result = await acp.run(call);

    expect(result.code).toBe(1);
    expect(causeOf({ order: call.order, clock: systemClock }, result)).toMatchObject(cause);
  });

  it('A2 names its session, and goes on with it where it can, without saying again what it said before', async () => {
    const says = { say: '{session}' };

    expect((await run([says])).text).toBe('new session-1');
    expect((await run([{ able: 'resume' }, says], { session: 'session-0' })).text).toBe('resumed session-0');
    expect((await run([{ able: 'load' }, says], { session: 'session-0' })).text).toBe('loaded session-0');
    expect((await run([says], { session: 'session-0' })).text).toBe('new session-1');
    expect(sessions).toEqual(['session-1', 'session-1']);
  });

  it('that has lost the session fails before it says anything', async () => {
    const lost = await run([{ able: 'load' }, { say: 'hello' }], { session: 'gone' });

    expect(lost).toMatchObject({ code: 1, text: '', trouble: { message: 'Resource not found: session' } });
  });

  it('is given the model that option model names, of those it offers', async () => {
    const script = [{ models: ['small', 'large'] }, { say: '{session}' }];

    expect((await run(script, { options: { model: 'large' } })).text).toBe('new session-1 with large');
    expect((await run(script)).text).toBe('new session-1');
    await expect(run(script, { options: { model: 'huge' } })).rejects.toMatchObject({
      code: 'HARNESS_FRAMEWORK_OPTION',
      details: { option: 'model', expected: expect.stringContaining('small, large') as string },
    });
  });

  it.each([
    [
      { usage: { inputTokens: 10, outputTokens: 5, cachedReadTokens: 3, totalTokens: 18 } },
      [{ model: null, input: 10, output: 5, cache_read: 3, cache_write: 0 }],
    ],
    [
      {
        _meta: {
          quota: { model_usage: [{ model: 'g-1', token_count: { input_tokens: 7, output_tokens: 2 } }] },
        },
      },
      [{ model: 'g-1', input: 7, output: 2, cache_read: 0, cache_write: 0 }],
    ],
    [
      { usage: { inputTokens: -1, outputTokens: 'many' } },
      [{ model: null, input: 0, output: 0, cache_read: 0, cache_write: 0 }],
    ],
    [{}, []],
  ])('tells its tokens as %j', async (uses, usage) => {
    expect((await run([{ uses }])).usage).toEqual(usage);
  });

  it('finishes by its own word when it is to pause, and counts as stopped', async () => {
    const pause = new AbortController();
    const call = callOf([{ say: 'waiting' }, { wait: true }], { pause: pause.signal });
    const running = acp.run({ ...call, onOutput: (text) => text.includes('waiting') && pause.abort() });

    expect(await running).toMatchObject({ code: null, stopped: true, timed_out: false });
    expect(await readFile(join(root, 'cancelled'), 'utf8')).toBe('true');
  });

  it('is cancelled by the protocol before it is signalled', async () => {
    const stop = new AbortController();
    const call = callOf([{ say: 'waiting' }, { wait: true }], { signal: stop.signal });
    const running = acp.run({ ...call, onOutput: (text) => text.includes('waiting') && stop.abort() });

    expect(await running).toMatchObject({ code: null, stopped: true, timed_out: false, trouble: null });
    expect(await readFile(join(root, 'cancelled'), 'utf8')).toBe('true');
  });

  it('ends at its time limit, also when it never answers', async () => {
    const result = await run([{ deaf: true }], { timeout_ms: 1000 });

    expect(result).toMatchObject({ code: null, timed_out: true, stopped: false });
    expect(existsSync(join(root, 'cancelled'))).toBe(false);
  });

  it('that is not there is missing', async () => {
    await expect(run([], { options: { command: 'no-such-agent acp' } })).rejects.toMatchObject({
      code: 'HARNESS_COMMAND_MISSING',
    });
  });
});
