import { readFileSync } from 'node:fs';

import { FRAMEWORK_NAMES } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import type { FrameworkCall } from './framework.ts';
import { aider } from './aider.ts';
import { claudeCode } from './claude-code.ts';
import { codexCli } from './codex-cli.ts';
import { argvOf } from './command.ts';
import { cursorCli } from './cursor-cli.ts';
import { geminiCli } from './gemini-cli.ts';
import { openCode } from './open-code.ts';
import { frameworkNamed, frameworks } from './table.ts';

const PROMPT = '## Your task\n\nDo it.\n';

function call(options: Record<string, string> = {}, dangerous = false): FrameworkCall {
  return {
    order: { framework: { name: 'x', options } },
    prompt: PROMPT,
    prompt_file: '/p/prompt.md',
    directory: '/p',
    dangerous,
  } as unknown as FrameworkCall;
}

describe('the frameworks', () => {
  it('are nine, each found by its name', () => {
    const names = [
      'claude-code',
      'codex-cli',
      'gemini-cli',
      'cursor-cli',
      'open-code',
      'aider',
      'acp',
      'command',
      'stub',
    ];

    expect(frameworks.map(({ name }) => name)).toEqual(names);
    expect(FRAMEWORK_NAMES.toSorted()).toEqual(names.toSorted());
    expect(frameworkNamed('aider').model).toBe(true);
    expect(() => frameworkNamed('emacs')).toThrow(
      expect.objectContaining({ code: 'HARNESS_FRAMEWORK_UNKNOWN' }),
    );
  });

  it.each([
    [
      claudeCode,
      ['claude', '-p', '--output-format', 'stream-json', '--verbose', '--permission-mode', 'acceptEdits'],
    ],
    [codexCli, ['codex', 'exec', '--json', '--skip-git-repo-check', '--sandbox', 'workspace-write', '-']],
    [
      geminiCli,
      [
        'gemini',
        '-p',
        'Do the task described above.',
        '--approval-mode',
        'auto_edit',
        '--output-format',
        'stream-json',
      ],
    ],
    [cursorCli, ['cursor-agent', '-p', '--output-format', 'stream-json', PROMPT]],
    [openCode, ['opencode', 'run', '--format', 'json', '--print-logs', '--log-level', 'ERROR']],
    [
      aider,
      [
        'aider',
        '--yes-always',
        '--no-auto-commits',
        '--no-dirty-commits',
        '--no-gitignore',
        '--no-check-update',
        '--no-pretty',
        '--analytics-disable',
        '--chat-history-file',
        '/p/aider.chat.md',
        '--input-history-file',
        '/p/aider.input',
        '--message-file',
        '/p/prompt.md',
      ],
    ],
  ])('$name has no dangerous flag by default', (framework, argv) => {
    expect(framework.argv(call())).toEqual(argv);
  });

  it.each([claudeCode, codexCli, geminiCli, cursorCli, openCode, aider])(
    'A3 $name is run as docs/frameworks.md says',
    (framework) => {
      const docs = readFileSync(new URL('../../../../docs/frameworks.md', import.meta.url), 'utf8');
      const said = docs
        .slice(docs.indexOf('## How each is run'))
        .split('\n')
        .find((line) => line.startsWith(`| \`${framework.name}\``));
      const flags = framework.argv(call()).filter((word) => word !== PROMPT && !word.includes('/p/'));
      for (const word of flags.filter((flag) => !/history-file/.test(flag))) expect(said).toContain(word);
    },
  );

  it.each([
    [claudeCode, '--dangerously-skip-permissions'],
    [codexCli, '--dangerously-bypass-approvals-and-sandbox'],
    [geminiCli, 'yolo'],
    [cursorCli, '--force'],
    [openCode, '--auto'],
  ])('$name has $1 when it is allowed', (framework, flag) => {
    expect(framework.argv(call({}, true))).toContain(flag);
    expect(framework.argv(call({}, false))).not.toContain(flag);
  });

  it.each([claudeCode, codexCli, geminiCli, cursorCli, openCode, aider])(
    '$name takes the model of its options',
    (framework) => {
      const argv = framework.argv(call({ model: 'large-1' }));

      expect(argv[argv.indexOf('large-1') - 1]).toMatch(/^(--model|-m)$/);
    },
  );

  it('refuses a prompt too long for an argument', () => {
    const long = { ...call(), prompt: 'x'.repeat(130_000) };

    expect(() => cursorCli.argv(long)).toThrow(expect.objectContaining({ code: 'HARNESS_FRAMEWORK_OPTION' }));
    expect(claudeCode.argv(long)).not.toContain(long.prompt);
  });
});

/** Token counts with none of the others. */
const counts = (some: object): object => ({ input: 0, output: 0, cache_read: 0, cache_write: 0, ...some });

describe('A2 going on with the program’s own session', () => {
  const session = { id: 'ses-1', used: [] };
  it.each([
    [claudeCode, ['--resume', 'ses-1']],
    [codexCli, ['resume', 'ses-1', '-']],
    [geminiCli, ['--resume', 'ses-1']],
    [cursorCli, ['--resume', 'ses-1', PROMPT]],
    [openCode, ['--session', 'ses-1']],
  ])('$name names it at the end of its arguments', (framework, end) => {
    expect(framework.argv({ ...call(), session }).slice(-end.length)).toEqual(end);
    expect(framework.argv(call())).not.toContain('ses-1');
  });
});

describe('A3 the option max_turns', () => {
  it('is a flag of claude-code', () => {
    const argv = claudeCode.argv(call({ max_turns: '7' }));

    expect(argv[argv.indexOf('--max-turns') + 1]).toBe('7');
  });

  it.each(['0', '-1', '1.5', 'x', '1e3', '99999999999'])('refuses %s', (max_turns) => {
    expect(() => claudeCode.argv(call({ max_turns }))).toThrow(
      expect.objectContaining({ code: 'HARNESS_FRAMEWORK_OPTION' }),
    );
  });

  it.each([codexCli, geminiCli, cursorCli, openCode, aider])(
    'is refused by $name, which has no such limit',
    async (framework) => {
      await expect(framework.run(call({ max_turns: '7' }))).rejects.toMatchObject({
        code: 'HARNESS_FRAMEWORK_OPTION',
      });
    },
  );
});

describe('what a framework says', () => {
  it.each([
    [
      claudeCode,
      { type: 'assistant', message: { content: [{ type: 'text', text: 'hi' }, { type: 'tool_use' }] } },
      { text: 'hi\n', well: true },
    ],
    [
      claudeCode,
      { type: 'result', result: 'done', usage: { input_tokens: 3, output_tokens: 4, service_tier: 'x' } },
      { final: 'done', totals: [counts({ model: null, input: 3, output: 4 })], well: true },
    ],
    [claudeCode, { type: 'system', subtype: 'init' }, {}],
    [
      codexCli,
      { type: 'item.completed', item: { type: 'agent_message', text: 'hi' } },
      { text: 'hi\n', well: true },
    ],
    [
      codexCli,
      { type: 'item.completed', item: { type: 'command_execution', text: 'ls' } },
      { well: true, between: true },
    ],
    [
      codexCli,
      { type: 'turn.completed', usage: { input_tokens: 30, cached_input_tokens: 20, output_tokens: 4 } },
      { session_totals: [counts({ model: null, input: 10, output: 4, cache_read: 20 })], well: true },
    ],
    [
      geminiCli,
      { type: 'message', role: 'assistant', content: 'hi', delta: true },
      { text: 'hi', well: true },
    ],
    [geminiCli, { type: 'message', role: 'user', content: 'hi' }, {}],
    [
      geminiCli,
      { type: 'result', stats: { total_tokens: 9, input_tokens: 5, output_tokens: 4 } },
      { totals: [counts({ model: null, input: 5, output: 4 })], well: true },
    ],
    [cursorCli, { type: 'result', result: 'done' }, { final: 'done', well: true }],
    [openCode, { type: 'text', part: { text: 'hi' } }, { text: 'hi\n', well: true }],
    [
      openCode,
      { type: 'step_finish', part: { tokens: { input: 1, output: 2, reasoning: 3, cache: { read: 9 } } } },
      { usage: counts({ model: null, input: 1, output: 5, cache_read: 9 }), step: 'finished', well: true },
    ],
  ])('$name: %j', (framework, event, heard) => {
    expect(framework.hear(JSON.stringify(event))).toEqual(heard);
  });

  it.each([claudeCode, codexCli, geminiCli, cursorCli, openCode])(
    '$name: ignores a line that is no event',
    (framework) => {
      for (const line of [
        '',
        'warning: x',
        '{broken',
        '[]',
        '{"type":5}',
        '{"type":"of tomorrow","session":{}}',
      ])
        expect(framework.hear(line)).toEqual({});
    },
  );

  it.each([
    ['Tokens: 2.1k sent, 102 received. Cost: $0.01 message.', 2202],
    ['Tokens: 1,204 sent, 1.5k cache hit, 10 received.', 1214],
  ])('aider: %s', (line, tokens) => {
    expect(aider.hear(line)).toEqual({ text: `${line}\n`, tokens, well: true });
  });
});

describe('the option command', () => {
  it.each([
    ['["a", "b c", ""]', ['a', 'b c', '']],
    ['agent --task x', ['agent', '--task', 'x']],
    [`a 'b "c' "d 'e" f\\ g`, ['a', 'b "c', "d 'e", 'f g']],
    [`a"b"'c'`, ['abc']],
    [`a '' "" b`, ['a', '', '', 'b']],
    ['"say \\"hi\\" $HOME"', ['say "hi" $HOME']],
    ['  a  ', ['a']],
  ])('%s', (text, argv) => {
    expect(argvOf(text)).toEqual(argv);
  });

  it.each(['', '  ', `a 'open`, 'a "open', '[]', '[1]', '["a"', '[""]'])('refuses %j', (text) => {
    expect(() => argvOf(text)).toThrow(expect.objectContaining({ code: 'HARNESS_FRAMEWORK_OPTION' }));
  });
});
