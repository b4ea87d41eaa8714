import { cliFramework, modelFlag } from './cli-framework.ts';
import { streamJson } from './stream-json.ts';

/** Claude Code, prompt on stdin. Without the dangerous flag it may edit files; what it may run is its own settings' and option `allowed_tools`' matter. */
export const claudeCode = cliFramework({
  name: 'claude-code',
  model: true,
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
  hear: streamJson([
    'input_tokens',
    'output_tokens',
    'cache_creation_input_tokens',
    'cache_read_input_tokens',
  ]),
});
