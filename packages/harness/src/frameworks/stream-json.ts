import { timestampOf } from '@caloron/types';

import type { Heard, HeardUsage } from './framework.ts';
import { at, contentText, countsAt, entriesAt, jsonLine, textAt, type CountNames } from './json-lines.ts';
import { tokensOf } from './usage-count.ts';
import type { Trouble } from './trouble.ts';

/** The model Claude Code names for words of its own. */
const NO_MODEL = '<synthetic>';

/** The names in `model_usage_since_last_result`, whatever those of a message are. */
const OF_MODEL: CountNames = {
  input: 'inputTokens',
  output: 'outputTokens',
  cache_read: 'cacheReadInputTokens',
  cache_write: 'cacheCreationInputTokens',
};

/**
 * Reads the lines of `--output-format stream-json`, which Claude Code and Cursor's agent share but for the names of their token counts:
 * an `assistant` line is what the agent says, with the tokens of its message so far, the `result` line ends the run.
 */
export function streamJson(names: CountNames): (line: string) => Heard {
  return (line) => {
    const event = jsonLine(line);
    if (event === undefined) return {};
    const session = textAt(event, 'session_id');
    const named = session === undefined ? {} : { session };
    switch (event['type']) {
      case 'system':
        return event['subtype'] === 'api_retry' ? { ...named, trouble: retryOf(event) } : named;
      case 'assistant':
        return { ...named, ...messageOf(event, names) };
      case 'user':
        // What a tool gave, handed back to the model.
        return { between: true };
      case 'rate_limit_event':
        return { ...named, ...limitOf(event['rate_limit_info']) };
      case 'result':
        return resultOf(event, named, names);
      default:
        return {};
    }
  };
}

function messageOf(event: Readonly<Record<string, unknown>>, names: CountNames): Heard {
  const text = contentText(at(event, 'message', 'content'));
  const said = text === undefined ? {} : { text: `${text}\n` };
  const model = textAt(event, 'message', 'model') ?? null;
  if (model === NO_MODEL || event['is_api_error_message'] === true) return said;
  const id = textAt(event, 'message', 'id');
  const counts = countsAt(at(event, 'message', 'usage'), names);
  const usage = counts === undefined || id === undefined ? {} : { usage: { model, ...counts, of: id } };
  return { ...said, ...usage, well: true };
}

function resultOf(
  event: Readonly<Record<string, unknown>>,
  named: Pick<Heard, 'session'>,
  names: CountNames,
): Heard {
  const final = textAt(event, 'result');
  const totals = totalsOf(event, names);
  const failed = event['is_error'] === true;
  const counted = totals.length === 0 || (failed && tokensOf(totals) === 0) ? {} : { totals };
  const said = { ...counted, ...(final === undefined ? {} : { final }) };
  // The subtype says success also of a run that ended at an error of the interface, and so does the exit code.
  if (!failed) return { ...named, ...said, well: true };
  // A session that is gone is named again in the error: it is no new one.
  const began = event['num_turns'] === 0 ? {} : named;
  return { ...began, ...said, trouble: troubleOf(event, final ?? '') };
}

/** Of this run alone: `modelUsage` and `total_cost_usd` count the whole session when one is gone on with. */
function totalsOf(event: Readonly<Record<string, unknown>>, names: CountNames): readonly HeardUsage[] {
  const models = entriesAt(event['model_usage_since_last_result']).flatMap(([model, value]) => {
    const counts = countsAt(value, OF_MODEL);
    const cost = at(value, 'costUSD');
    return counts === undefined
      ? []
      : [{ model, ...counts, ...(typeof cost === 'number' ? { cost_usd: cost } : {}) }];
  });
  if (models.length > 0) return models;
  const counts = countsAt(event['usage'], names);
  return counts === undefined ? [] : [{ model: null, ...counts }];
}

/** A request that was refused and will be sent again. */
function retryOf(event: Readonly<Record<string, unknown>>): Trouble {
  const status = event['error_status'];
  const wait = event['retry_delay_ms'];
  return {
    message: `the model's interface answered ${textAt(event, 'error') ?? 'an error'}`,
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof wait === 'number' && wait >= 0 ? { reset_in_ms: Math.ceil(wait) } : {}),
  };
}

/** Seconds since 1970 of the year 2100: what is later is no time. */
const LATEST_S = 4_102_444_800;

/** A limit that refuses requests, with its end; one that allows them is none. */
function limitOf(info: unknown): Heard {
  if (at(info, 'status') !== 'rejected') return {};
  const resets = at(info, 'resetsAt');
  const reset_at =
    typeof resets === 'number' && resets > 0 && resets < LATEST_S ? timestampOf(resets * 1000) : undefined;
  const message = `usage limit reached: ${textAt(info, 'rateLimitType') ?? 'of the account'}`;
  return { trouble: { message, class: 'quota', ...(reset_at === undefined ? {} : { reset_at }) } };
}

function troubleOf(event: Readonly<Record<string, unknown>>, final: string): Trouble {
  const status = event['api_error_status'];
  const subtype = textAt(event, 'subtype') ?? '';
  const told = final.trim() === '' ? textAt(event, 'errors', 0) : final;
  const message = told ?? `the run ended as ${subtype}`;
  if (subtype === 'error_max_turns' || subtype === 'error_max_budget_usd') {
    return { message, class: 'gave_up' };
  }
  return { message, ...(typeof status === 'number' ? { status } : {}) };
}
