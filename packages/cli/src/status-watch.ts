import { setTimeout as delay } from 'node:timers/promises';

import { type DagState, ownOf, type Paused, type Status, type Task, type Timestamp } from '@caloron/types';
import { createColors } from 'picocolors';

import type { Io, Terminal } from './output.ts';
import { fittingTable, orderedTasks, pauseWords, sprintLine } from './status-table.ts';
import { cutTo, oneLine } from './width.ts';

/** How often the log and the terminal's size are looked at, in milliseconds. */
const POLL_MS = 200;
/** Rows of a terminal that does not tell. */
const ROWS = 24;

/** One task, or the sprint itself where `task_id` is null, that stands elsewhere than before. */
export interface StatusChange {
  readonly sprint_id: string;
  readonly task_id: string | null;
  /** Null when it is told for the first time. */
  readonly from: string | null;
  readonly status: string;
  readonly reason: string | null;
  /** When the task came to its status; null for the sprint. */
  readonly at: Timestamp | null;
  readonly agent_id: string | null;
  readonly issue_number: number | null;
  readonly pr_number: number | null;
  readonly attempt: number;
  readonly review_cycles: number;
}

/** A sprint as it is watched. */
export interface Watched {
  readonly state: DagState;
  /** Null while nobody has paused it. */
  readonly paused: Paused | null;
}

const TOLD = [
  'status',
  'status_reason',
  'agent_id',
  'issue_number',
  'pr_number',
  'attempt',
  'review_cycles',
] as const satisfies readonly (keyof Task)[];

function taskChange(sprint_id: string, before: Task | undefined, task: Task): StatusChange {
  const { id, status, status_reason, status_at, agent_id, issue_number, pr_number, attempt, review_cycles } =
    task;
  return {
    sprint_id,
    task_id: id,
    from: before?.status ?? null,
    status,
    reason: status_reason,
    at: status_at,
    agent_id,
    issue_number,
    pr_number,
    attempt,
    review_cycles,
  };
}

/** What of a sprint stands elsewhere than before; all of it when nothing was told before. */
export function changesOf(before: Watched | undefined, after: Watched): readonly StatusChange[] {
  const { sprint_id } = after.state;
  const tasks = orderedTasks(after.state).flatMap((task) => {
    const old = before === undefined ? undefined : ownOf(before.state.tasks, task.id);
    const same = old !== undefined && TOLD.every((field) => old[field] === task[field]);
    return same ? [] : [taskChange(sprint_id, old, task)];
  });
  const status = standing(after);
  const from = before === undefined ? null : standing(before);
  if (from === status) return tasks;
  const reason = after.paused === null ? null : pauseWords(after.paused);
  const none = { reason, at: null, agent_id: null, issue_number: null, pr_number: null };
  const sprint = { sprint_id, task_id: null, from, status, ...none };
  return [...tasks, { ...sprint, attempt: 0, review_cycles: 0 }];
}

function standing({ state, paused }: Watched): string {
  return paused === null ? state.status : 'paused';
}

/** A change as a line of text. */
export function changeLine(change: StatusChange): string {
  const { task_id, sprint_id, from, status, reason, at, agent_id, pr_number, attempt } = change;
  const moved = from === null || from === status ? status : `${from} → ${status}`;
  if (task_id === null)
    return oneLine(`sprint    ${sprint_id}  ${moved}${reason === null ? '' : `  (${reason})`}`);
  const facts = [
    ...(reason === null ? [] : [reason]),
    ...(agent_id === null ? [] : [agent_id]),
    ...(attempt === 0 ? [] : [`attempt ${attempt}`]),
    ...(pr_number === null ? [] : [`PR #${pr_number}`]),
  ];
  return oneLine(`${at?.slice(11, 19) ?? ''}  ${task_id}  ${moved}  (${facts.join(', ')})`);
}

type Colour = 'green' | 'red' | 'yellow' | 'cyan' | 'dim';
const COLOURS: Readonly<Partial<Record<Status, Colour>>> = {
  Done: 'green',
  Blocked: 'red',
  HumanAssigned: 'yellow',
  InProgress: 'cyan',
  InReview: 'cyan',
  Cancelled: 'dim',
};

/** A sprint as it fills a terminal: no line wider, and no more lines, than it shows. */
export function statusScreen(
  { state, paused }: Watched,
  { columns, rows, colours }: Terminal,
): readonly string[] {
  const paint = createColors(colours);
  const tasks = orderedTasks(state);
  const room = Math.max(2, (rows ?? ROWS) - 1);
  const [head = '', ...body] = fittingTable(state, columns);
  const fits = body.length + 3 <= room ? body.length : Math.max(0, room - 4);
  const lines = body.slice(0, fits).map((line, at) => {
    const colour = COLOURS[tasks[at]?.status ?? 'Pending'];
    const cut = cutTo(line, columns);
    return colour === undefined ? cut : paint[colour](cut);
  });
  const more = fits === body.length ? [] : [cutTo(`… and ${body.length - fits} more`, columns)];
  return [
    paint.bold(cutTo(oneLine(sprintLine(state, paused)), columns)),
    '',
    cutTo(head, columns),
    ...lines,
    ...more,
  ].slice(0, room);
}

/** What watching a sprint needs. */
export interface WatchDeps {
  readonly io: Io;
  /** One JSON object per change in place of a screen or lines. */
  readonly json: boolean;
  /** The terminal can move its cursor: the screen is drawn anew at each change. */
  readonly redraws: boolean;
  readonly signal: AbortSignal;
  /** Grows with every change of anything. */
  readonly lastSeq: () => number;
  readonly load: () => Promise<Watched>;
}

/** Tells every change of a sprint until it is over or the signal is aborted; gives its last state. */
export async function watchStatus(deps: WatchDeps): Promise<Watched> {
  const { io, signal, lastSeq, load } = deps;
  let seq: number | undefined;
  let state: Watched | undefined;
  let size = '';
  for (;;) {
    const last = lastSeq();
    const now: Watched = state === undefined || last !== seq ? await load() : state;
    const changes = now === state ? [] : changesOf(state, now);
    const { terminal } = io;
    if (deps.redraws && !deps.json && terminal !== undefined) {
      const shown = `${terminal.columns}x${terminal.rows ?? ROWS}`;
      if (changes.length > 0 || shown !== size) io.out(drawn(statusScreen(now, terminal), size === ''));
      size = shown;
    } else {
      for (const change of changes) io.out(`${deps.json ? JSON.stringify(change) : changeLine(change)}\n`);
    }
    [seq, state] = [last, now];
    const over = now.state.status === 'completed' || now.state.status === 'cancelled';
    if (signal.aborted || over) return now;
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Lines over what stood there: each ends what was behind it, and the last one what was below. */
function drawn(lines: readonly string[], first: boolean): string {
  const home = first ? '\u001b[2J\u001b[H' : '\u001b[H';
  return `${home}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`;
}
