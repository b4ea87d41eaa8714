import { cliFramework } from './cli-framework.ts';
import { modelFlag, numberOption } from './options.ts';
import { streamJson } from './stream-json.ts';

/** Claude Code, prompt on stdin. Without the dangerous flag it may edit files; what it may run is its own settings' and option `allowed_tools`' matter. */
export const claudeCode = cliFramework({
  name: 'claude-code',
  model: true,
  argv(call) {
    const tools = call.order.framework.options['allowed_tools'];
    const turns = numberOption(call, 'max_turns');
    return [
      'claude',
      '-p',
      '--output-format',
      'stream-json',
      '--verbose',
      ...(call.dangerous ? ['--dangerously-skip-permissions'] : ['--permission-mode', 'acceptEdits']),
      ...(tools === undefined || tools === '' ? [] : ['--allowedTools', tools]),
      ...(turns === undefined ? [] : ['--max-turns', String(turns)]),
      ...modelFlag(call),
      ...(call.session == null ? [] : ['--resume', call.session.id]),
    ];
  },
  prompt_on_stdin: true,
  limits_turns: true,
  hear: streamJson({
    input: 'input_tokens',
    output: 'output_tokens',
    cache_read: 'cache_read_input_tokens',
    cache_write: 'cache_creation_input_tokens',
  }),
});
