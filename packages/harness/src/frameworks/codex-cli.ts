import { cliFramework, modelFlag } from './cli-framework.ts';
import type { Heard } from './framework.ts';
import { at, jsonLine, sumAt, textAt } from './json-lines.ts';

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
    '-',
  ],
  prompt_on_stdin: true,
  hear: hearCodex,
});

function hearCodex(line: string): Heard {
  const event = jsonLine(line);
  if (event === undefined) return {};
  if (event['type'] === 'turn.completed') {
    return { tokens: sumAt(event['usage'], ['input_tokens', 'output_tokens']), well: true };
  }
  // An `error` before the end is one Codex may still get over: it connects anew five times.
  if (event['type'] === 'error') return troubleOf(textAt(event, 'message'));
  if (event['type'] === 'turn.failed') return troubleOf(textAt(event, 'error', 'message'));
  if (event['type'] !== 'item.completed' || at(event, 'item', 'type') !== 'agent_message') return {};
  const text = textAt(event, 'item', 'text');
  return text === undefined ? {} : { text: `${text}\n`, well: true };
}

function troubleOf(message: string | undefined): Heard {
  return { trouble: { message: message ?? 'the turn failed' } };
}
