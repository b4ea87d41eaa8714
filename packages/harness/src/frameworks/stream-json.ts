import { timestampOf } from '@caloron/types';

import type { Heard } from './framework.ts';
import { at, contentText, jsonLine, sumAt, textAt } from './json-lines.ts';
import type { Trouble } from './trouble.ts';

/**
 * Reads the lines of `--output-format stream-json`, which Claude Code and Cursor's agent share but for the names of their token counts:
 * an `assistant` line is what the agent says, the `result` line ends the run.
 */
export function streamJson(token_names: readonly string[]): (line: string) => Heard {
  return (line) => {
    const event = jsonLine(line);
    if (event === undefined) return {};
    if (event['type'] === 'assistant') {
      const text = contentText(at(event, 'message', 'content'));
      return text === undefined ? {} : { text: `${text}\n` };
    }
    if (event['type'] === 'rate_limit_event') return limitOf(event['rate_limit_info']);
    if (event['type'] !== 'result') return {};
    const final = textAt(event, 'result');
    const tokens = sumAt(event['usage'], token_names);
    const said = { tokens, ...(final === undefined ? {} : { final }) };
    // The subtype says success also of a run that ended at an error of the interface, and so does the exit code.
    if (event['is_error'] !== true) return { ...said, well: true };
    return { ...said, trouble: troubleOf(event, final ?? '') };
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
  const message = final.trim() === '' ? `the run ended as ${subtype}` : final;
  if (subtype === 'error_max_turns' || subtype === 'error_max_budget_usd') {
    return { message, class: 'gave_up' };
  }
  return { message, ...(typeof status === 'number' ? { status } : {}) };
}
