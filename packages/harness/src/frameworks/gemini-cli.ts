import { cliFramework } from './cli-framework.ts';
import type { Heard, HeardUsage } from './framework.ts';
import { at, countsAt, entriesAt, jsonLine, textAt } from './json-lines.ts';
import { modelFlag } from './options.ts';

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
    ...(call.session == null ? [] : ['--resume', call.session.id]),
  ],
  prompt_on_stdin: true,
  hear: hearGemini,
  hear_error: hearGeminiError,
});

function hearGemini(line: string): Heard {
  const event = jsonLine(line);
  switch (event?.['type']) {
    case 'init': {
      const session = textAt(event, 'session_id');
      return session === undefined ? {} : { session };
    }
    case 'message': {
      const text = event['role'] === 'assistant' ? textAt(event, 'content') : undefined;
      return text === undefined ? {} : { text, well: true };
    }
    case 'tool_use':
      return { well: true };
    case 'result':
      return resultOf(event);
    default:
      return {};
  }
}

function resultOf(event: Readonly<Record<string, unknown>>): Heard {
  const totals = totalsOf(event['stats']);
  const counted = totals.length === 0 ? {} : { totals };
  if (event['status'] !== 'error') return { ...counted, well: true };
  const named = textAt(event, 'error', 'type');
  const message = textAt(event, 'error', 'message') ?? 'the run ended with an error';
  const said = named === undefined || named === 'unknown' ? message : `${named}: ${message}`;
  return { ...counted, trouble: { message: said } };
}

/** By model where it says so; `input_tokens` has the cached ones in it. */
function totalsOf(stats: unknown): readonly HeardUsage[] {
  const models = entriesAt(at(stats, 'models')).flatMap(([model, value]) => usageOf(model, value));
  return models.length > 0 ? models : usageOf(null, stats);
}

function usageOf(model: string | null, value: unknown): readonly HeardUsage[] {
  const counts = countsAt(value, {
    input: 'input_tokens',
    output: 'output_tokens',
    cache_read: 'cached',
    cache_write: 'cache_write',
  });
  if (counts === undefined) return [];
  return [{ model, ...counts, input: Math.max(0, counts.input - counts.cache_read) }];
}

/** What its protocol leaves out: requests that failed and that it sends again. */
function hearGeminiError(line: string): Heard {
  const message = /^Attempt \d+ failed(?: with status \d+)?[:.]\s*(.*)/.exec(line)?.[0];
  if (message === undefined) return {};
  const wait = /Retrying after (\d+)ms/.exec(line)?.[1];
  return { trouble: { message, ...(wait === undefined ? {} : { reset_in_ms: Number(wait) }) } };
}
