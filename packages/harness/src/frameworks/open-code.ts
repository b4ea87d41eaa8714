import { cliFramework } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, countsAt, jsonLine, textAt } from './json-lines.ts';
import { modelFlag } from './options.ts';
import type { Trouble } from './trouble.ts';

/**
 * OpenCode, prompt on stdin. It refuses paths outside the worktree by itself. A provider that refuses it is asked again for ever, of which its
 * protocol has no word: only its log on stderr tells, and of an answer that broke off the step that begins anew.
 */
export const openCode = cliFramework({
  name: 'open-code',
  model: true,
  argv: (call) => [
    'opencode',
    'run',
    '--format',
    'json',
    '--print-logs',
    '--log-level',
    'ERROR',
    ...(call.dangerous ? ['--auto'] : []),
    ...modelFlag(call),
    ...(call.session == null ? [] : ['--session', call.session.id]),
  ],
  prompt_on_stdin: true,
  hear: hearOpenCode,
  hear_error: hearLog,
});

function hearOpenCode(line: string): Heard {
  const event = jsonLine(line);
  if (event === undefined) return {};
  const id = textAt(event, 'sessionID');
  const named = id === undefined ? {} : { session: id };
  switch (event['type']) {
    case 'step_finish':
      return { ...named, ...stepOf(event['part']), step: 'finished', well: true };
    case 'error':
      return { ...named, trouble: troubleOf(event['error']) };
    case 'text': {
      const text = textAt(event, 'part', 'text');
      return text === undefined ? named : { ...named, text: `${text}\n`, well: true };
    }
    case 'step_start': {
      const message = textAt(event, 'part', 'messageID');
      return message === undefined ? named : { ...named, step: { begun_in: message } };
    }
    case 'tool_use':
      return named;
    default:
      return {};
  }
}

/** `{id, cost, tokens: {input, output, reasoning, cache: {read, write}}}`; it does not name the model. */
function stepOf(part: unknown): Heard {
  const tokens = at(part, 'tokens');
  const counts = countsAt(tokens, { input: 'input', output: 'output', cache_read: '', cache_write: '' });
  if (counts === undefined) return {};
  const cache = countsAt(at(tokens, 'cache'), {
    input: '',
    output: '',
    cache_read: 'read',
    cache_write: 'write',
  });
  const reasoning = at(tokens, 'reasoning');
  const cost = at(part, 'cost');
  const of = textAt(part, 'id');
  return {
    usage: {
      model: null,
      input: counts.input,
      output: counts.output + (typeof reasoning === 'number' ? reasoning : 0),
      cache_read: cache?.cache_read ?? 0,
      cache_write: cache?.cache_write ?? 0,
      // Of a model whose price it does not know it says 0.
      ...(typeof cost === 'number' && cost > 0 ? { cost_usd: cost } : {}),
      ...(of === undefined ? {} : { of }),
    },
  };
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

/** `… level=ERROR … message="stream error" … error.error="AI_APICallError: …"`. */
function hearLog(line: string): Heard {
  if (!line.includes('level=ERROR') || !line.includes('message="stream error"')) return {};
  const message = / error\.error="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  const session = / session\.id=(\S+)/.exec(line)?.[1];
  return {
    ...(message === undefined ? {} : { trouble: { message } }),
    ...(session === undefined ? {} : { session }),
  };
}
