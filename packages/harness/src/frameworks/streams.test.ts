import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { fixedClock } from '@caloron/capabilities/clock';
import { type EndCause, type Order, timestampOf } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { causeOf } from '../run-framework.ts';
import { claudeCode } from './claude-code.ts';
import type { CliFramework } from './cli-framework.ts';
import { codexCli } from './codex-cli.ts';
import type { FrameworkCall, FrameworkResult, HeardUsage, Session } from './framework.ts';
import { geminiCli } from './gemini-cli.ts';
import { type HeardRun, listener } from './listener.ts';
import { openCode } from './open-code.ts';

const STREAMS = join(import.meta.dirname, 'testing/streams');

/** What a program really printed: `test/agents` has the model that it talked to. */
function recorded(name: string): { readonly stdout: string; readonly stderr: string } {
  const read = (end: string): string => {
    const file = join(STREAMS, `${name}.${end}`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  return { stdout: read('jsonl'), stderr: read('stderr') };
}

interface Told {
  readonly run: HeardRun;
  readonly usages: (readonly HeardUsage[])[];
  readonly sessions: Session[];
}

/** Hears a recorded run in pieces of so many characters. */
function hear(framework: CliFramework, name: string, session: Session | null = null, piece = 1000): Told {
  const usages: (readonly HeardUsage[])[] = [];
  const sessions: Session[] = [];
  const said = listener({
    hear: framework.hear,
    hear_error: framework.hear_error,
    session,
    onSession: (named) => sessions.push(named),
    onUsage: (usage) => usages.push(usage),
    onTrouble: () => undefined,
  });
  const { stdout, stderr } = recorded(name);
  for (let at = 0; at < stdout.length; at += piece) said.push(stdout.slice(at, at + piece), 'stdout');
  said.push(stderr, 'stderr');
  return { run: said.end(), usages, sessions };
}

const ALL = [
  [claudeCode, 'claude-opus-5-5', 15],
  [codexCli, null, 0],
  [geminiCli, 'gemini-2.5-flash', 0],
  [openCode, null, 0],
] as const;

describe('a recorded run', () => {
  it.each(ALL)('of $name tells text, session and tokens by kind', (framework, model, cache_write) => {
    const { run, usages, sessions } = hear(framework, `${framework.name}.edit`);

    expect(run.text.replaceAll('\n', '')).toBe('I write it.Done: ✓ wrote hello.txt');
    expect(run.trouble).toBeNull();
    expect(run.usage).toMatchObject([{ model, input: 300, output: 60, cache_read: 90, cache_write }]);
    expect(run.tokens_used).toBe(450 + cache_write);
    expect(usages.at(-1)).toEqual(run.usage);
    expect(run.session?.id).toMatch(/^[\w-]{30,}$/);
    expect(sessions[0]?.id).toBe(run.session?.id);
  });

  it.each([
    [claudeCode, 3],
    [openCode, 2],
  ] as const)('of $name tells its tokens while it works', (framework, least) => {
    const { usages } = hear(framework, `${framework.name}.edit`);

    const inputs = usages.map((usage) => usage[0]?.input);
    expect(inputs.length).toBeGreaterThanOrEqual(least);
    expect(inputs[0]).toBe(100);
    expect(inputs.at(-1)).toBe(300);
  });

  it.each([
    [claudeCode, 0.002493],
    [openCode, 0.000429],
  ] as const)('of $name tells its cost', (framework, cost) => {
    expect(hear(framework, `${framework.name}.edit`).run.usage[0]?.cost_usd).toBeCloseTo(cost, 9);
  });

  it.each(ALL)('A7 of $name goes on after a tool that is not there', (framework) => {
    const { run } = hear(framework, `${framework.name}.unknown-tool`);

    expect(run).toMatchObject({ trouble: null, tokens_used: expect.any(Number) as number });
    expect(run.text).toContain('I went on.');
  });

  it.each(ALL)('A2 of $name that goes on counts this run alone', (framework, model) => {
    const used = [{ model, input: 300, output: 60, cache_read: 90, cache_write: 0 }];
    const { run } = hear(framework, `${framework.name}.resume`, { id: 'before', used });

    expect(run.usage).toMatchObject([{ input: 100, output: 20, cache_read: 30 }]);
    expect(run.text.trim()).toBe('I went on.');
  });

  it('counts a session that was begun anew from its beginning', () => {
    const used = [{ model: null, input: 9000, output: 60, cache_read: 90, cache_write: 0 }];

    expect(hear(codexCli, 'codex-cli.edit', { id: 'before', used }).run.usage[0]?.input).toBe(300);
  });

  it.each(ALL)('of $name says the same in pieces of any size', (framework) => {
    const whole = hear(framework, `${framework.name}.edit`).run;

    for (const piece of [1, 7, 100_000])
      expect(hear(framework, `${framework.name}.edit`, null, piece).run).toEqual(whole);
  });

  it.each(ALL)('of $name ignores events of a later version', (framework) => {
    for (const type of ['of_tomorrow', 'item.updated', 'system', 'stream_event', 'tool_result'])
      expect(
        framework.hear(JSON.stringify({ type, message: 5, item: [], part: 'x', usage: 'y' })),
      ).not.toHaveProperty('trouble');
  });
});

const NOW = timestampOf(Date.UTC(2026, 10, 21, 10, 30));

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'caloron-streams-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

/** What a harness may have in its environment. */
const SECRETS = {
  GITHUB_TOKEN: 'secret-of-the-forge',
  CALORON_REVIEWER_TOKEN: 'secret-of-the-forge',
  CALORON_SHELL_TOKEN: 'secret-of-the-shell',
  ANTHROPIC_API_KEY: 'key-of-claude-code',
  OPENAI_API_KEY: 'key-of-codex-cli',
  GEMINI_API_KEY: 'key-of-gemini-cli',
};

interface Ran {
  readonly result: FrameworkResult;
  readonly cause: EndCause | null;
  readonly output: string;
}

/** Runs a framework whose program is this shell script; `$ROOT` is where it lies. */
async function run(
  framework: CliFramework,
  script: string,
  options: Record<string, string> = {},
): Promise<Ran> {
  const [program = ''] = framework.argv({ order: { framework: { options } } } as unknown as FrameworkCall);
  const file = join(root, program);
  await writeFile(file, `#!/bin/sh\ncat > /dev/null\nROOT='${root}'\n${script}\n`);
  await chmod(file, 0o755);
  let output = '';
  const order = {
    framework: { name: framework.name, options },
    worktree: root,
    agent_id: 'a',
    sprint_id: 's',
    task: { id: 't' },
  };
  const result = await framework.run({
    order: order as unknown as Order,
    prompt: 'Do it.',
    prompt_file: join(root, 'prompt.md'),
    directory: root,
    confine: (argv) => argv,
    dangerous: false,
    env: { ...SECRETS, PATH: `${root}${delimiter}${process.env['PATH'] ?? ''}` },
    timeout_ms: 15_000,
    signal: new AbortController().signal,
    onOutput: (text) => (output += text),
  });
  const clock = fixedClock(NOW);
  return { result, cause: causeOf({ order: order as unknown as Order, clock }, result), output };
}

/** A script that prints what was recorded and ends so. */
function replay(name: string, code: number): string {
  const files = ['jsonl', 'stderr'].map((end) => join(STREAMS, `${name}.${end}`));
  const [out = '', err = ''] = files.map((file) => (existsSync(file) ? file : '/dev/null'));
  return `cat '${out}'; cat '${err}' >&2; exit ${code}`;
}

describe('a recorded refusal', () => {
  it.each<[string, CliFramework, number, Partial<EndCause>]>([
    ['claude-code.auth', claudeCode, 1, { class: 'auth', provider: 'anthropic' }],
    ['claude-code.billing', claudeCode, 1, { class: 'billing', provider: 'anthropic' }],
    ['claude-code.overloaded', claudeCode, 1, { class: 'transient' }],
    ['claude-code.cut', claudeCode, 1, { class: 'transient' }],
    ['claude-code.quota', claudeCode, 1, { class: 'quota', until: null }],
    [
      'claude-code.plan-used-up',
      claudeCode,
      1,
      { class: 'quota', until: expect.stringMatching(/^2026-11-21T12:31:/) as string },
    ],
    ['claude-code.max-turns', claudeCode, 1, { class: 'gave_up', provider: null }],
    ['claude-code.gone', claudeCode, 1, { class: 'crash', provider: null }],
    ['codex-cli.auth', codexCli, 1, { class: 'auth', provider: 'openai' }],
    ['codex-cli.billing', codexCli, 1, { class: 'billing' }],
    ['codex-cli.overloaded', codexCli, 1, { class: 'transient' }],
    ['codex-cli.cut', codexCli, 1, { class: 'transient' }],
    ['codex-cli.quota', codexCli, 1, { class: 'quota', until: expect.stringContaining(':29:00') as string }],
    ['codex-cli.gone', codexCli, 1, { class: 'crash', provider: null }],
    ['gemini-cli.auth', geminiCli, 144, { class: 'auth', provider: 'google' }],
    ['gemini-cli.billing', geminiCli, 147, { class: 'billing' }],
    ['gemini-cli.overloaded', geminiCli, 1, { class: 'transient' }],
    ['gemini-cli.cut', geminiCli, 1, { class: 'transient' }],
    ['gemini-cli.quota', geminiCli, 173, { class: 'quota', until: null }],
    ['gemini-cli.rate-limit', geminiCli, 173, { class: 'quota', until: '2026-11-21T10:30:40.000Z' }],
    ['gemini-cli.gone', geminiCli, 42, { class: 'crash', provider: null }],
    ['open-code.auth', openCode, 1, { class: 'auth' }],
    ['open-code.overloaded', openCode, 143, { class: 'transient' }],
    ['open-code.quota', openCode, 143, { class: 'quota' }],
    ['open-code.gone', openCode, 1, { class: 'crash', provider: null }],
  ])('%s', async (name, framework, code, cause) => {
    const ended = await run(framework, replay(name, code));

    expect(ended.cause).toMatchObject(cause);
    expect(ended.result.session ?? null).toEqual(
      name.endsWith('.gone') ? null : (expect.anything() as unknown),
    );
  });
});

describe('a program that waits for its provider', () => {
  it('is ended at once when it says that it will wait for longer than it may', async () => {
    const { result, cause } = await run(
      claudeCode,
      replay('claude-code.rate-limit', 0).replace('exit 0', 'sleep 60'),
      {
        patience_ms: '20000',
      },
    );

    expect(result).toMatchObject({ timed_out: false, stopped: false, silent: false });
    expect(cause).toMatchObject({ class: 'rate_limit', until: '2026-11-21T10:30:46.756Z' });
  });

  it('is ended after its patience when it says nothing more, also where only its log tells of it', async () => {
    const { cause } = await run(openCode, replay('open-code.quota', 0).replace('exit 0', 'sleep 60'), {
      patience_ms: '300',
    });

    expect(cause).toMatchObject({ class: 'quota' });
  });

  it('is told by its log also when it exits with 0 at being ended', async () => {
    const script = `trap 'exit 0' TERM; cat '${join(STREAMS, 'gemini-cli.overloaded.stderr')}' >&2; sleep 60 & wait`;
    const { result, cause } = await run(geminiCli, script, { patience_ms: '300' });

    expect(result.code).toBe(0);
    expect(cause).toMatchObject({ class: 'transient' });
  });

  it('goes on when it gets over it', async () => {
    const ok = '{"type":"turn.completed","usage":{}}';
    const script = `echo '{"type":"error","message":"Reconnecting... 1/5"}'; sleep 0.2; echo '${ok}'; sleep 0.6`;
    const { result, cause } = await run(codexCli, script, { patience_ms: '500' });

    expect(result.code).toBe(0);
    expect(cause).toBeNull();
  });
});

describe('A9 the environment of a program', () => {
  it.each([claudeCode, codexCli, geminiCli])(
    'of $name has its own key, no forge’s, no shell’s and no other program’s',
    async (framework) => {
      const { output } = await run(framework, 'env >&2', { pass_env: 'CALORON_SHELL_TOKEN' });

      const found = [...output.matchAll(/(?:secret|key)-of-[\w-]+/g)].map(([value]) => value);
      expect(found).toEqual([`key-of-${framework.name}`]);
    },
  );
});

describe('A4 the option silence_ms', () => {
  it('ends a program that prints nothing for so long', async () => {
    const { result, cause } = await run(codexCli, 'sleep 60', { silence_ms: '300' });

    expect(result).toMatchObject({ timed_out: true, silent: true, stopped: false });
    expect(cause).toMatchObject({ class: 'timeout' });
  });

  it('is set back by any output, of stderr too', async () => {
    const script = 'for n in 1 2 3 4; do sleep 0.2; echo . >&2; sleep 0.2; echo .; done';
    const { result } = await run(codexCli, script, { silence_ms: '900' });

    expect(result).toMatchObject({ code: 0, timed_out: false, silent: false });
  });
});

describe('A1 the streams of a program', () => {
  it('are kept apart: what stderr says is no event, even when it looks like one', async () => {
    const event = '{"type":"item.completed","item":{"type":"agent_message","text":"from stderr"}}';
    const good = event.replace('from stderr', 'from stdout');
    const { result, output } = await run(codexCli, `echo '${event}' >&2; echo '${good}'`);

    expect(result.text).toBe('from stdout\n');
    expect(output).toContain('from stderr');
  });

  it('survive a line of 10 MB', async () => {
    const big = `{"type":"item.completed","item":{"type":"command_execution","aggregated_output":"${'x'.repeat(10_000_000)}"}}`;
    const last = '{"type":"item.completed","item":{"type":"agent_message","text":"after it"}}';
    await writeFile(join(root, 'big'), `${big}\n${last}\n`);

    const { result } = await run(codexCli, 'cat "$ROOT/big"');

    expect(result).toMatchObject({ code: 0, text: 'after it\n', trouble: null });
  });

  it('survive a character that is cut in two', async () => {
    const script = `printf '{"type":"item.completed","item":{"type":"agent_message","text":"\\303'; sleep 0.1; printf '\\244!"}}\\n'`;

    expect((await run(codexCli, script)).result.text).toBe('ä!\n');
  });
});
