import { asArgument, cliFramework, modelFlag } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, contentText, jsonLine, sumAt, textAt } from './json-lines.ts';

/** Cursor's agent: the prompt as an argument, since its stdin is not dependable. Without `--force` it changes only what its own permission file allows. */
export const cursorCli = cliFramework({
  name: 'cursor-cli',
  model: true,
  env_names: ['CURSOR_API_KEY'],
  argv: (call) => [
    'cursor-agent',
    '-p',
    '--output-format',
    'stream-json',
    ...(call.dangerous ? ['--force'] : []),
    ...modelFlag(call),
    asArgument(call, 'cursor-cli'),
  ],
  prompt_on_stdin: false,
  hear: hearCursor,
});

function hearCursor(line: string): Heard {
  const event = jsonLine(line);
  if (event === undefined) return {};
  if (event['type'] === 'assistant') {
    const text = contentText(at(event, 'message', 'content'));
    return text === undefined ? {} : { text: `${text}\n` };
  }
  if (event['type'] !== 'result') return {};
  const final = textAt(event, 'result');
  const tokens = sumAt(event['usage'], ['inputTokens', 'outputTokens']);
  return { tokens, ...(final === undefined ? {} : { final }) };
}
