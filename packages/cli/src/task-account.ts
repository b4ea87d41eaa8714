import { epochMs, type Receipt, type Task, type Timestamp } from '@caloron/types';

import { sandboxCell } from './sandbox-words.ts';
import { type Spending, spendingCell, spendingWords } from './spending-account.ts';
import { showLine, type StoryLine } from './story.ts';
import { type Attempt, exitWords } from './task-attempts.ts';
import { type Decision, decisionLine } from './task-decisions.ts';
import type { Evidence, Progress } from './task-evidence.ts';
import { renderTable } from './table.ts';
import { spanWords } from './time-words.ts';
import { oneLine } from './width.ts';

/** Everything that is known of a task. */
export interface TaskAccount {
  readonly task: Task;
  readonly attempts: readonly Attempt[];
  readonly evidence: readonly Evidence[];
  /** What the verify commands proved last, and of which commit. */
  readonly receipts?: readonly Receipt[];
  readonly decisions: readonly Decision[];
  /** What a person can do next, a sentence each. */
  readonly next: readonly string[];
  readonly story: readonly StoryLine[];
  /** What its agents have used, and of how much; null when nothing is known. */
  readonly spending?: Spending | null;
}

const HEAD = [
  'attempt',
  'agent',
  'started',
  'took',
  'ended',
  'outcome',
  'tokens',
  'head',
  'process',
  'why',
] as const;
const PROGRESS: Readonly<Record<Progress['kind'], string>> = {
  activity: 'output or a change in its worktree',
  output: 'output',
  files: 'a change in its worktree',
  commit: 'a commit',
  cpu: 'processor time of its processes',
  report: 'its report',
  review: 'its review',
};

function short(sha: string | null): string {
  return sha?.slice(0, 8) ?? '-';
}

function attemptRow(attempt: Attempt, now: Timestamp): readonly string[] {
  const { started_at, ended_at, outcome, tokens_used, head_sha, process_id } = attempt;
  return [
    `${attempt.role} ${attempt.attempt} ${attempt.mode}`,
    attempt.agent_id,
    started_at === null ? '-' : started_at.slice(0, 19).replace('T', ' '),
    started_at === null ? '-' : spanWords(started_at, ended_at ?? now),
    exitWords(attempt),
    outcome ?? '-',
    tokens_used === null ? '-' : String(tokens_used),
    short(head_sha),
    process_id.slice(0, 8),
    attempt.cause?.sentence ?? attempt.why ?? '',
  ];
}

function evidenceLine(evidence: Evidence, now: Timestamp): string {
  const { agent_id, pid, ended, alive, last_heartbeat_at: beat, last_progress: progress, next_by } = evidence;
  const ago = (at: Timestamp): string => `${spanWords(at, now)} ago`;
  const facts = [
    pid === null ? 'not started yet' : `pid ${pid} ${alive ? 'runs' : ended ? 'has ended' : 'is gone'}`,
    // Of a process that was replaced the heartbeats are not kept.
    ...(beat === null ? (ended ? [] : ['no heartbeat']) : [`last heartbeat ${ago(beat)}`]),
    progress === null ? 'no progress yet' : `last progress ${ago(progress.at)}: ${PROGRESS[progress.kind]}`,
    ...(next_by !== null && epochMs(next_by) > epochMs(now) ? [`it says the next is due by ${next_by}`] : []),
  ];
  return `${agent_id}: ${[...facts, ...detailFacts(evidence)].join(', ')}`;
}

const LIVENESS = {
  live: 'live',
  quiet: 'quiet',
  suspect: 'suspect: it is asked',
  lost: 'lost: its task is given on',
} as const;

function detailFacts({ details }: Evidence): readonly string[] {
  if (details === undefined) return [];
  const { liveness, ports, cache_dir, session, sandboxed, spending } = details;
  const used = spendingCell(spending);
  return [
    ...(liveness === null ? [] : [`counts as ${LIVENESS[liveness]}`]),
    ...(session === null ? [] : [session === 'resumed' ? 'went on with its session' : 'its session is kept']),
    ...(sandboxed === undefined ? [] : [sandboxed === null ? 'no sandbox' : `in ${sandboxCell(sandboxed)}`]),
    ...(ports === null ? [] : [`ports ${ports.first}-${ports.first + ports.count - 1}`]),
    ...(cache_dir === null ? [] : [`cache ${oneLine(cache_dir)}`]),
    ...(used === '-' ? [] : [`this run used ${used}`]),
  ];
}

function receiptLine(receipt: Receipt, head_sha: string | null): string {
  const { commit, command, exit_code, duration_ms, log_sha256, tree_sha, at, void: voided } = receipt;
  const tree = tree_sha === undefined ? '' : `, tree ${short(tree_sha)}`;
  const facts = [
    `exit ${exit_code} on ${short(commit)}${tree} in ${Math.round(duration_ms)} ms`,
    ...(at === undefined ? [] : [at]),
    `log ${log_sha256.slice(0, 8)}`,
    ...(voided === undefined ? [] : [`proves nothing: ${voided}`]),
    ...(commit === head_sha ? [] : ['of another head: does not count']),
  ];
  return `${command.join(' ')}: ${facts.join(', ')}`;
}

function driftText({ drift, head_sha }: Task): string {
  if (drift === null || drift === undefined || drift.head_sha !== head_sha || drift.behind === 0) return '';
  return `; its base branch is ${drift.behind} ${drift.behind === 1 ? 'commit' : 'commits'} ahead of the head`;
}

function factLines(task: Task): readonly string[] {
  const { id, title, status, status_reason, status_at, agent_id, reviewer_id, attempt, review_cycles } = task;
  const reviews = Object.entries(task.reviews).map(
    ([who, { state, head_sha }]) => `  ${who}: ${state} on ${short(head_sha)}`,
  );
  return [
    `${id}: ${title}`,
    `  ${status}${status_reason === null ? '' : ` (${status_reason})`} since ${status_at}`,
    `  agent ${agent_id}, reviewer ${reviewer_id ?? '-'}, attempts ${attempt}, review cycles ${review_cycles}`,
    `  issue ${task.issue_number ?? '-'}, PR ${task.pr_number ?? '-'}, branch ${task.branch}, head ${short(task.head_sha)}, base ${short(task.base_sha)}${driftText(task)}`,
    ...(task.depends_on.length === 0 ? [] : [`  after ${task.depends_on.join(', ')}`]),
    ...reviews,
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

/** A task's account as it stands on a terminal; sections with nothing in them are left out. */
export function accountText(account: TaskAccount, now: Timestamp): string {
  const { task, attempts, evidence, decisions, next, story, spending } = account;
  const table =
    attempts.length === 0
      ? []
      : renderTable(
          HEAD,
          attempts.map((attempt) => attemptRow(attempt, now)),
        ).split('\n');
  return [
    ...factLines(task).map(oneLine),
    ...(spending ? [spendingWords(spending)] : []).flatMap((words) => (words === '' ? [] : [`  ${words}`])),
    ...section('attempts', table),
    ...section(
      'evidence',
      evidence.map((each) => evidenceLine(each, now)),
    ),
    ...section(
      'receipts',
      (account.receipts ?? []).map((receipt) => oneLine(receiptLine(receipt, task.head_sha))),
    ),
    ...section(
      'decisions',
      decisions.map((decision) => oneLine(decisionLine(decision))),
    ),
    ...section('next', next.map(oneLine)),
    ...section(
      'what happened',
      story.map((line) => oneLine(showLine(line))),
    ),
  ].join('\n');
}
