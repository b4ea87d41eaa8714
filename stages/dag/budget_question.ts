import { overWords } from '@caloron/types';
import type { Breach, OverLimit, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { intend } from './draft.ts';
import type { Draft } from './draft.ts';

/** The label of an issue on which an approval is asked for. */
const LABEL = 'caloron:needs-approval';

/** Asks on a task's issue, with a label. */
export function ask(draft: Draft, task: Task, cause: string, message: string): void {
  if (task.issue_number === null) return;
  intend(
    draft,
    action('notify_agent', {
      cause,
      sprint_id: draft.sprint.sprint_id,
      task_id: task.id,
      agent_id: null,
      issue_number: task.issue_number,
      message,
      add_labels: [LABEL],
    }),
  );
}

/** Takes the label away: nothing is asked any more. */
export function unlabel(draft: Draft, task: Task, cause: string): void {
  if (task.issue_number === null) return;
  intend(
    draft,
    action('notify_agent', {
      cause,
      sprint_id: draft.sprint.sprint_id,
      task_id: task.id,
      agent_id: null,
      issue_number: task.issue_number,
      message: '',
      remove_labels: [LABEL],
    }),
  );
}

function spentLines(over: readonly OverLimit[]): string {
  return over.map((one) => `- ${overWords(one)}`).join('\n');
}

/** What a task's breach is asked with. */
export function taskQuestion(task: Task, { over }: Breach): string {
  return [
    `Task \`${task.id}\` needs an approval to go on:`,
    '',
    spentLines(over),
    '',
    'Its agent does not run. What it made is in its worktree and saved (`./caloron wip list`); the same worktree is gone on with.',
    '',
    `Answer \`approve\` on the first line of a comment to allow the same again, or say how much more: \`./caloron approve ${task.id}\` with \`--tokens N\`, \`--usd X\` or \`--minutes M\`. \`assign-human\` or \`break-down\` are answers too.`,
  ].join('\n');
}

/** What a breach of the sprint is asked with. */
export function sprintQuestion({ over }: Breach): string {
  return [
    'The sprint needs an approval to go on:',
    '',
    spentLines(over),
    '',
    'No agent is started, and those at work were told to pause; their work is in their worktrees and saved.',
    '',
    'Answer `approve` on the first line of a comment here to allow the same again, or say how much more: `./caloron approve --sprint` with `--tokens N`, `--usd X` or `--minutes M`.',
  ].join('\n');
}
