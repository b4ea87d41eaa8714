import { asArgument, cliFramework, modelFlag } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, jsonLine, sumAt, textAt } from './json-lines.ts';
import type { Trouble } from './trouble.ts';

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
    return { tokens: sumAt(at(event, 'part', 'tokens'), ['input', 'output', 'reasoning']), well: true };
  }
  if (event['type'] === 'error') return { trouble: troubleOf(event['error']) };
  const text = event['type'] === 'text' ? textAt(event, 'part', 'text') : undefined;
  return text === undefined ? {} : { text: `${text}\n` };
}

/** `{name, data: {message, statusCode?, responseBody?, responseHeaders?}}`. */
function troubleOf(error: unknown): Trouble {
  const parts = [
    textAt(error, 'name'),
    textAt(error, 'data', 'message') ?? textAt(error, 'message'),
    textAt(error, 'data', 'responseBody'),
  ];
  const status = at(error, 'data', 'statusCode');
  const after_s = Number(textAt(error, 'data', 'responseHeaders', 'retry-after') ?? Number.NaN);
  return {
    message: parts.filter((part) => part !== undefined).join(': '),
    ...(typeof status === 'number' ? { status } : {}),
    ...(after_s >= 0 ? { reset_in_ms: Math.ceil(after_s * 1000) } : {}),
  };
}
