import { cliFramework, modelFlag } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, contentText, jsonLine, sumAt, textAt } from './json-lines.ts';

/** Claude Code, prompt on stdin. Without the dangerous flag it may edit files; what it may run is its own settings' and option `allowed_tools`' matter. */
export const claudeCode = cliFramework({
  name: 'claude-code',
  model: true,
  env_names: [
    'ANTHROPIC_API_KEY',
    'ANTHROPIC_AUTH_TOKEN',
    'ANTHROPIC_BASE_URL',
    'ANTHROPIC_MODEL',
    'CLAUDE_CODE_OAUTH_TOKEN',
    'CLAUDE_CONFIG_DIR',
    'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
  ],
  argv(call) {
    const tools = call.order.framework.options['allowed_tools'];
    return [
      'claude',
      '-p',
      '--output-format',
      'stream-json',
      '--verbose',
      ...(call.dangerous ? ['--dangerously-skip-permissions'] : ['--permission-mode', 'acceptEdits']),
      ...(tools === undefined || tools === '' ? [] : ['--allowedTools', tools]),
      ...modelFlag(call),
    ];
  },
  prompt_on_stdin: true,
  hear: hearClaude,
});

function hearClaude(line: string): Heard {
  const event = jsonLine(line);
  if (event === undefined) return {};
  if (event['type'] === 'assistant') {
    const text = contentText(at(event, 'message', 'content'));
    return text === undefined ? {} : { text: `${text}\n` };
  }
  if (event['type'] !== 'result') return {};
  const final = textAt(event, 'result');
  const tokens = sumAt(event['usage'], [
    'input_tokens',
    'output_tokens',
    'cache_creation_input_tokens',
    'cache_read_input_tokens',
  ]);
  return { tokens, ...(final === undefined ? {} : { final }) };
}
