import { join } from 'node:path';

import { cliFramework, plainText } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { modelFlag } from './options.ts';

/** Aider: the prompt in a file, its histories outside the worktree, the commits left to the harness. */
export const aider = cliFramework({
  name: 'aider',
  model: true,
  argv: (call) => [
    'aider',
    '--yes-always',
    '--no-auto-commits',
    '--no-dirty-commits',
    '--no-gitignore',
    '--no-check-update',
    '--no-pretty',
    '--analytics-disable',
    '--chat-history-file',
    join(call.directory, 'aider.chat.md'),
    '--input-history-file',
    join(call.directory, 'aider.input'),
    ...modelFlag(call),
    '--message-file',
    call.prompt_file,
  ],
  prompt_on_stdin: false,
  hear: hearAider,
});

/** `Tokens: 2.1k sent, 102 received.` among plain text. */
function hearAider(line: string): Heard {
  const found = /^Tokens: ([\d.,]+)(k?) sent, (?:.*?, )?([\d.,]+)(k?) received/.exec(line);
  const [, sent = '0', sent_k, received = '0', received_k] = found ?? [];
  const tokens = count(sent, sent_k) + count(received, received_k);
  // Only the report of a completed exchange: aider tries again by itself, and says so in plain lines.
  if (found !== null) return { ...plainText(line), tokens, well: true };
  return isTrouble(line) ? { ...plainText(line), trouble: { message: line } } : plainText(line);
}

/** An error of the library aider reaches models with, e.g. `litellm.RateLimitError: …`; its exit code says nothing of it. */
function isTrouble(line: string): boolean {
  return /^(?:Unexpected error: )?litellm\.\w*(?:Error|Timeout|Exceeded)\b/.test(line);
}

function count(digits: string, thousands: string | undefined): number {
  return Number(digits.replaceAll(',', '')) * (thousands === 'k' ? 1000 : 1);
}
