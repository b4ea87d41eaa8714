import { cliFramework } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, countsAt, jsonLine, textAt } from './json-lines.ts';
import { modelFlag } from './options.ts';

/** Codex, prompt on stdin (`-`). Its sandbox may write the worktree alone, so the commits are the harness's. */
export const codexCli = cliFramework({
  name: 'codex-cli',
  model: true,
  argv: (call) => [
    'codex',
    'exec',
    '--json',
    '--skip-git-repo-check',
    ...(call.dangerous ? ['--dangerously-bypass-approvals-and-sandbox'] : ['--sandbox', 'workspace-write']),
    ...modelFlag(call),
    ...(call.session == null ? [] : ['resume', call.session.id]),
    '-',
  ],
  prompt_on_stdin: true,
  hear: hearCodex,
});

function hearCodex(line: string): Heard {
  const event = jsonLine(line);
  switch (event?.['type']) {
    case 'thread.started': {
      const session = textAt(event, 'thread_id');
      return session === undefined ? {} : { session };
    }
    case 'turn.completed':
      return { ...usageOf(event['usage']), well: true };
    // An `error` before the end is one Codex may still get over: it connects anew five times.
    case 'error':
      return troubleOf(textAt(event, 'message'));
    case 'turn.failed':
      return troubleOf(textAt(event, 'error', 'message'));
    case 'item.completed':
      return itemOf(at(event, 'item'));
    default:
      return {};
  }
}

/** An item of type `error` is a warning: what ends a turn comes as an event of its own. */
function itemOf(item: unknown): Heard {
  if (at(item, 'type') === 'error' || at(item, 'type') === undefined) return {};
  const text = at(item, 'type') === 'agent_message' ? textAt(item, 'text') : undefined;
  // A command or a tool is through, and the model has not answered to it yet.
  const through = at(item, 'type') === 'command_execution' || at(item, 'type') === 'mcp_tool_call';
  if (through) return { well: true, between: true };
  return text === undefined ? { well: true } : { text: `${text}\n`, well: true };
}

/** Codex counts the whole thread, and cached tokens as input too. It does not name its model. */
function usageOf(usage: unknown): Heard {
  const counts = countsAt(usage, {
    input: 'input_tokens',
    output: 'output_tokens',
    cache_read: 'cached_input_tokens',
    cache_write: 'cache_write_input_tokens',
  });
  if (counts === undefined) return {};
  const input = Math.max(0, counts.input - counts.cache_read - counts.cache_write);
  return { session_totals: [{ model: null, ...counts, input }] };
}

function troubleOf(message: string | undefined): Heard {
  return { trouble: { message: message ?? 'the turn failed' } };
}
