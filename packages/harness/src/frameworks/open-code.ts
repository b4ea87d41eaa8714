import { asArgument, cliFramework, modelFlag } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, jsonLine, sumAt, textAt } from './json-lines.ts';

/** OpenCode: the prompt as an argument, the only way its `run` is documented. It refuses paths outside the worktree by itself. */
export const openCode = cliFramework({
  name: 'open-code',
  model: true,
  argv: (call) => [
    'opencode',
    'run',
    '--format',
    'json',
    ...(call.dangerous ? ['--auto'] : []),
    ...modelFlag(call),
    asArgument(call, 'open-code'),
  ],
  prompt_on_stdin: false,
  hear: hearOpenCode,
});

function hearOpenCode(line: string): Heard {
  const event = jsonLine(line);
  if (event === undefined) return {};
  if (event['type'] === 'step_finish') {
    return { tokens: sumAt(at(event, 'part', 'tokens'), ['input', 'output', 'reasoning']) };
  }
  const text = event['type'] === 'text' ? textAt(event, 'part', 'text') : undefined;
  return text === undefined ? {} : { text: `${text}\n` };
}
