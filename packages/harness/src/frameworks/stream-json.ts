import type { Heard } from './framework.ts';
import { at, contentText, jsonLine, sumAt, textAt } from './json-lines.ts';

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
    if (event['type'] !== 'result') return {};
    const final = textAt(event, 'result');
    const tokens = sumAt(event['usage'], token_names);
    return { tokens, ...(final === undefined ? {} : { final }) };
  };
}
