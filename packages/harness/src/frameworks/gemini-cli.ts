import { cliFramework, modelFlag } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, jsonLine, sumAt, textAt } from './json-lines.ts';

/** Gemini CLI: the prompt on stdin, its end as `-p`, which makes it run without a terminal. */
export const geminiCli = cliFramework({
  name: 'gemini-cli',
  model: true,
  env: { GEMINI_CLI_TRUST_WORKSPACE: 'true' },
  argv: (call) => [
    'gemini',
    '-p',
    'Do the task described above.',
    '--approval-mode',
    call.dangerous ? 'yolo' : 'auto_edit',
    '--output-format',
    'stream-json',
    ...modelFlag(call, '-m'),
  ],
  prompt_on_stdin: true,
  hear: hearGemini,
});

function hearGemini(line: string): Heard {
  const event = jsonLine(line);
  if (event === undefined) return {};
  if (event['type'] === 'message' && event['role'] === 'assistant') {
    const text = textAt(event, 'content');
    return text === undefined ? {} : { text };
  }
  if (event['type'] !== 'result') return {};
  const stats = at(event, 'stats');
  const total = sumAt(stats, ['total_tokens']);
  const tokens = total === 0 ? sumAt(stats, ['input_tokens', 'output_tokens']) : total;
  if (event['status'] !== 'error') return { tokens, well: true };
  const named = textAt(event, 'error', 'type');
  const message = textAt(event, 'error', 'message') ?? 'the run ended with an error';
  return { tokens, trouble: { message: named === undefined ? message : `${named}: ${message}` } };
}
