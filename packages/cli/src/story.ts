import type { LogRow } from '@caloron/store';
import { type Action, type ActionResult, Event, type Report } from '@caloron/types';
import { z } from 'zod';

/** One line of what happened. */
export interface StoryLine {
  readonly at: string;
  readonly what: string;
  readonly task: string;
  readonly text: string;
}

/** What a row of kind `forge.ignored` holds; one that is damaged names nothing. */
const Ignored = z
  .object({ reason: z.string(), task_id: z.string().nullable() })
  .catch({ reason: 'something that cannot be read', task_id: null });

/** Tells a log row as a person would; undefined for rows that are no news. */
export function tell(row: LogRow): StoryLine | undefined {
  const line = (what: string, task: string | null, text: string): StoryLine => ({
    at: row.at,
    what,
    task: task ?? '',
    text,
  });
  if (row.kind === 'sprint.started') return line('sprint', null, `${row.sprint_id ?? ''} started`);
  if (row.kind === 'sprint.completed') return line('sprint', null, `${row.sprint_id ?? ''} completed`);
  if (row.kind === 'sprint.paused') return line('sprint', null, `paused by ${row.actor ?? 'somebody'}`);
  if (row.kind === 'sprint.resumed') return line('sprint', null, `resumed by ${row.actor ?? 'somebody'}`);
  if (row.kind === 'sprint.stuck') return line('sprint', null, 'nothing can move without a person');
  if (row.kind === 'forge.ignored') {
    const { reason, task_id } = Ignored.parse(row.payload);
    return line('ignored', task_id, reason);
  }

  const parsed = Event.safeParse(row.payload);
  if (!parsed.success) return undefined;
  const event = parsed.data;
  switch (event.type) {
    case 'action_succeeded':
      return tellAction(event.action, event.result, line);
    case 'action_failed':
      return line(
        event.final ? 'failed' : 'again',
        event.action.task_id,
        `${event.action.type}: ${event.error.message}`,
      );
    case 'agent_reported':
      return tellReport(event.report, line);
    case 'agent_exited': {
      const { exit, task_id, role, wip_ref } = event;
      // One that ended by itself has told how in its report.
      if (exit.known && exit.signal === null) return undefined;
      const how = exit.signal === null ? 'is gone and left no exit code' : `ended by ${exit.signal}`;
      const saved = wip_ref ? `; its work is saved as ${wip_ref}` : '';
      return line('failed', task_id, `the process of the ${role} ${how}${saved}`);
    }
    case 'human_command':
      return line('person', event.task_id, event.word);
    default:
      return undefined;
  }
}

type Line = (what: string, task: string | null, text: string) => StoryLine;

function tellAction(action: Action, result: ActionResult, line: Line): StoryLine | undefined {
  switch (action.type) {
    case 'create_issue':
      return line('issue', action.task_id, `#${result.issue_number ?? '?'} ${action.title}`);
    case 'spawn_agent': {
      const doing = {
        start: 'starts',
        resume: action.pr_number === null ? 'goes on' : `goes on with PR #${action.pr_number}`,
        review: `reviews PR #${action.pr_number ?? '?'}`,
        rebase: 'rebases',
        verify: `runs the verify commands on PR #${action.pr_number ?? '?'}`,
      }[action.mode];
      return line(
        'agent',
        action.task_id,
        `${action.agent_id ?? ''} ${doing} (pid ${result.pid ?? '?'}, attempt ${action.attempt})`,
      );
    }
    case 'merge_pr':
      return line(
        'merge',
        action.task_id,
        `PR #${action.pr_number} merged as ${(result.merge_sha ?? '').slice(0, 8)}`,
      );
    case 'mark_done':
      return line(
        'done',
        action.task_id,
        `issue #${action.issue_number} closed: Completed via PR #${action.pr_number}`,
      );
    case 'escalate':
      return line('escalate', action.task_id, `${action.reason} (issue #${result.issue_number ?? '?'})`);
    case 'supervisor':
      return line(action.action, action.task_id, action.reason);
    default:
      return undefined;
  }
}

function tellReport(report: Report, line: Line): StoryLine {
  const pr = report.pr_number === null ? '' : ` PR #${report.pr_number}`;
  const { cause } = report.exit;
  if (cause?.class === 'budget')
    return line('paused', report.task_id, `${report.agent_id} pauses: ${firstLine(cause.sentence)}`);
  if (report.role === 'author') {
    const text =
      report.outcome === 'completed'
        ? `${report.agent_id} delivers${pr} at ${(report.head_sha ?? '').slice(0, 8)}`
        : `${report.agent_id}: ${report.outcome}. ${firstLine(report.body)}`;
    return line(report.outcome === 'completed' ? 'PR' : 'failed', report.task_id, text);
  }
  if (report.outcome === 'changes_requested')
    return line(
      'review',
      report.task_id,
      `${report.agent_id} requests changes:${pr} ${whyOf(report) ?? ''}`.trimEnd(),
    );
  const why = whyOf(report);
  return line(
    'review',
    report.task_id,
    `${report.agent_id} ${report.outcome === 'approved' ? 'approves' : report.outcome}${pr}${why === null ? '' : `: ${why}`}`,
  );
}

/** Why a run ended as it did, in one line: what the verify commands said, or its report; null after work and an approval, and where it says nothing. */
export function whyOf({
  outcome,
  receipt,
  body,
}: Pick<Report, 'outcome' | 'receipt' | 'body'>): string | null {
  if (outcome === 'completed' || outcome === 'approved') return null;
  const failed = outcome === 'changes_requested' ? receipt : null;
  const why =
    failed === null
      ? firstLine(body)
      : `${failed.command.join(' ')} exits ${failed.exit_code}${failure(failed.tail)}`;
  return why === '' ? null : why;
}

/** The line of a test run's output that says what is wrong, or the last one. */
function failure(tail: string): string {
  const lines = tail.split('\n').filter((text) => text.trim() !== '');
  const found = lines.find((text) => /^\s*(✖|not ok|FAIL|error:|AssertionError)/.test(text)) ?? lines.at(-1);
  return found === undefined ? '' : `: ${found.trim()}`;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

/** A story line as it stands on a terminal. */
export function showLine({ at, what, task, text }: StoryLine): string {
  return `${at.slice(11, 19)}  ${what.padEnd(9)} ${task.padEnd(14)} ${text}`;
}
