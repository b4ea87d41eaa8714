import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { type EndCause, providerOf } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createBench } from '../../test/bench.ts';
import { runHarness } from '../harness.ts';
import { causeOf } from '../run-framework.ts';
import type { FrameworkCall } from './framework.ts';
import { frameworkNamed } from './table.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'caloron-ends-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

interface Says {
  readonly out?: readonly (object | string)[];
  readonly err?: string;
  readonly code?: number;
}

/** A program of that name that prints these lines and ends; gives the PATH that finds it. */
async function program(name: string, { out = [], err = '', code = 0 }: Says): Promise<string> {
  const lines = out.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  await writeFile(join(root, 'out'), `${lines}\n`);
  await writeFile(join(root, 'err'), err);
  const script = `#!/bin/sh\necho work > half.txt\ncat "${root}/out"\ncat "${root}/err" >&2\nexit ${code}\n`;
  await writeFile(join(root, name), script);
  await chmod(join(root, name), 0o755);
  return `${root}${delimiter}${process.env['PATH'] ?? ''}`;
}

/** Runs a framework whose program does that; gives why it ended. */
async function run(name: string, command: string, says: Says): Promise<EndCause | null> {
  const env = { PATH: await program(command, says) };
  const framework = { name, options: { command } };
  const order = { framework, worktree: root, agent_id: 'agent-1', sprint_id: 's1', task: { id: 't1' } };
  const call = {
    order,
    prompt: 'Do it.',
    prompt_file: join(root, 'prompt.md'),
    directory: root,
    confine: (argv: readonly string[]) => argv,
    dangerous: false,
    env,
    timeout_ms: 20_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  } as unknown as FrameworkCall;
  const result = await frameworkNamed(name).run(call);
  return causeOf({ order: call.order, clock: systemClock }, result);
}

const claude = { type: 'result', subtype: 'success', num_turns: 1, usage: { input_tokens: 1 } };

describe('a program that ended without work', () => {
  it.each<[string, string, string, Says, Partial<EndCause>]>([
    [
      'a used-up plan, which Claude Code calls a success',
      'claude-code',
      'claude',
      {
        out: [
          {
            type: 'assistant',
            error: 'rate_limit',
            message: {
              content: [{ type: 'text', text: "You've hit your session limit · resets 3pm (UTC)" }],
            },
          },
          {
            ...claude,
            is_error: true,
            api_error_status: 429,
            result: "You've hit your session limit · resets 3pm (UTC)",
          },
        ],
      },
      { class: 'quota', provider: 'anthropic' },
    ],
    [
      'a limit with its end as a number',
      'claude-code',
      'claude',
      {
        out: [
          {
            type: 'rate_limit_event',
            rate_limit_info: { status: 'rejected', resetsAt: 4_000_000_000, rateLimitType: 'five_hour' },
          },
        ],
        code: 1,
      },
      { class: 'quota', until: '2096-10-02T07:06:40.000Z' },
    ],
    [
      'an overloaded interface',
      'claude-code',
      'claude',
      {
        out: [{ ...claude, is_error: true, result: 'API Error: 529 {"error":{"type":"overloaded_error"}}' }],
        code: 1,
      },
      { class: 'transient', provider: 'anthropic' },
    ],
    [
      'a key that is not valid',
      'claude-code',
      'claude',
      { out: [{ ...claude, is_error: true, result: 'Invalid API key · Fix external API key' }], code: 1 },
      { class: 'auth' },
    ],
    [
      'an account without credit',
      'claude-code',
      'claude',
      { out: [{ ...claude, is_error: true, result: 'Credit balance is too low' }], code: 1 },
      { class: 'billing' },
    ],
    [
      'an agent that used all its turns',
      'claude-code',
      'claude',
      { out: [{ type: 'result', subtype: 'error_max_turns', is_error: true }], code: 1 },
      { class: 'gave_up', provider: null },
    ],
    [
      'a used-up plan',
      'codex-cli',
      'codex',
      {
        out: [
          { type: 'turn.started' },
          { type: 'error', message: "You've hit your usage limit. Try again in 2 hours 5 minutes." },
          {
            type: 'turn.failed',
            error: { message: "You've hit your usage limit. Try again in 2 hours 5 minutes." },
          },
        ],
        code: 1,
      },
      { class: 'quota', provider: 'openai' },
    ],
    [
      'a login that is missing',
      'codex-cli',
      'codex',
      {
        out: [
          { type: 'error', message: 'Reconnecting... 5/5 (unexpected status 401 Unauthorized)' },
          { type: 'turn.failed', error: { message: 'unexpected status 401 Unauthorized: Missing bearer' } },
        ],
        code: 1,
      },
      { class: 'auth' },
    ],
    [
      'an interface that is too often asked',
      'codex-cli',
      'codex',
      {
        out: [
          {
            type: 'turn.failed',
            error: { message: 'exceeded retry limit, last status: 429 Too Many Requests' },
          },
        ],
        code: 1,
      },
      { class: 'rate_limit', until: null },
    ],
    [
      'a used-up day',
      'gemini-cli',
      'gemini',
      {
        out: [
          {
            type: 'result',
            status: 'error',
            error: { type: 'TerminalQuotaError', message: 'Your quota will reset after 5h0m0s.' },
            stats: { total_tokens: 3 },
          },
        ],
        code: 1,
      },
      { class: 'quota', provider: 'google' },
    ],
    [
      'no login, told on stderr alone',
      'gemini-cli',
      'gemini',
      { err: 'Please set an Auth method in your settings.json or specify GEMINI_API_KEY\n', code: 41 },
      { class: 'auth', provider: 'google' },
    ],
    [
      'an interface that is too often asked',
      'open-code',
      'opencode',
      {
        out: [
          {
            type: 'error',
            error: {
              name: 'APIError',
              data: {
                message: 'Too Many Requests',
                statusCode: 429,
                isRetryable: true,
                responseHeaders: { 'retry-after': '60' },
              },
            },
          },
        ],
      },
      { class: 'rate_limit', provider: 'open-code', until: expect.any(String) as string },
    ],
    [
      'an answer that broke off, of which the program says nothing but that its step begins anew',
      'open-code',
      'opencode',
      {
        out: [
          { type: 'step_start', part: { type: 'step-start', messageID: 'msg_1' } },
          { type: 'step_finish', part: { type: 'step-finish', messageID: 'msg_1' } },
          { type: 'step_start', part: { type: 'step-start', messageID: 'msg_1' } },
          { type: 'step_start', part: { type: 'step-start', messageID: 'msg_1' } },
        ],
        code: 1,
      },
      { class: 'transient', provider: 'open-code' },
    ],
    [
      'a step that follows a finished one in the same message, which is none of its provider',
      'open-code',
      'opencode',
      {
        out: [
          { type: 'step_start', part: { type: 'step-start', messageID: 'msg_1' } },
          { type: 'step_finish', part: { type: 'step-finish', messageID: 'msg_1' } },
          { type: 'step_start', part: { type: 'step-start', messageID: 'msg_1' } },
        ],
        code: 1,
      },
      { class: 'crash', provider: null },
    ],
    [
      'a credential that is refused',
      'open-code',
      'opencode',
      {
        out: [
          { type: 'error', error: { name: 'ProviderAuthError', data: { providerID: 'x', message: 'no' } } },
        ],
      },
      { class: 'auth' },
    ],
    [
      'a used-up plan, told on stderr alone',
      'cursor-cli',
      'cursor-agent',
      { err: "Error: You've hit your usage limit\n  Get Cursor Pro for more Agent usage\n", code: 1 },
      { class: 'quota', provider: 'cursor', until: null },
    ],
    [
      'an unpaid account, though the exit code says nothing',
      'aider',
      'aider',
      {
        out: [
          "litellm.RateLimitError: RateLimitError: OpenAIException - Error code: 429 - {'code': 'insufficient_quota'}",
          'The API provider has rate limited you. Try again later or check your quotas.',
        ],
      },
      { class: 'billing', provider: 'aider' },
    ],
    [
      'a program that fails',
      'claude-code',
      'claude',
      { err: 'Segmentation fault\n', code: 139 },
      { class: 'crash', provider: null },
    ],
  ])('%s: %s', async (_, name, command, says, cause) => {
    expect(await run(name, command, says)).toMatchObject(cause);
  });

  it('proposes no change, although its exit code says success, and its exit file says why', async () => {
    const bench = await createBench();
    try {
      const result = "You've hit your weekly limit · resets Jul 18, 12pm (UTC)";
      const PATH = await program('claude', { out: [{ ...claude, is_error: true, result }] });
      const order = bench.order({ framework: { name: 'claude-code', options: {} } });

      expect(await runHarness(order, bench.deps({ env: { PATH } }))).toBe(1);

      const cause = { class: 'quota', provider: 'anthropic', sentence: result };
      expect(await bench.file('exit.json')).toMatchObject({ code: 1, cause });
      expect(bench.shell.reports[0]).toMatchObject({ outcome: 'failed', exit: { cause } });
      expect(bench.forge.pulls).toEqual([]);
    } finally {
      await bench.close();
    }
  });
});

describe('a command of the user', () => {
  it('is a crash whatever it prints: a refused download is not a refused agent', async () => {
    const cause = await run('command', 'fetch', { err: 'npm error 401 Unauthorized\n', code: 1 });

    expect(cause).toMatchObject({ class: 'crash', provider: null });
  });
});

describe('a program that got over its trouble', () => {
  it.each<[string, string, Says]>([
    [
      'claude-code',
      'claude',
      { out: [{ ...claude, is_error: false, result: 'I raised the rate limit; 429 is handled.' }] },
    ],
    [
      'claude-code',
      'claude',
      {
        out: [
          { type: 'rate_limit_event', rate_limit_info: { status: 'allowed', resetsAt: 4_000_000_000 } },
          { ...claude, is_error: false, result: 'done' },
        ],
      },
    ],
    [
      'codex-cli',
      'codex',
      {
        out: [
          { type: 'error', message: 'Reconnecting... 1/5' },
          { type: 'turn.completed', usage: {} },
        ],
      },
    ],
    [
      'gemini-cli',
      'gemini',
      {
        err: 'Attempt 1 failed: quota will reset after 5s. Retrying\n',
        out: [{ type: 'result', status: 'success' }],
      },
    ],
    [
      'aider',
      'aider',
      { out: ['litellm.RateLimitError: x', 'Retrying in 0.2 seconds...', 'Tokens: 1k sent, 2 received.'] },
    ],
  ])('ended well: %s', async (name, command, says) => {
    expect(await run(name, command, says)).toBeNull();
  });
});

describe('the provider of a framework', () => {
  it.each([
    ['claude-code', {}, 'anthropic'],
    ['open-code', { model: 'openrouter/some/model' }, 'openrouter'],
    ['open-code', {}, 'open-code'],
    ['aider', { model: 'large-1' }, 'aider'],
    ['claude-code', { provider: 'bedrock' }, 'bedrock'],
    ['stub', {}, 'stub'],
  ])('%s %j: %s', (framework, options, provider) => {
    expect(providerOf(framework, options)).toBe(provider);
  });
});
