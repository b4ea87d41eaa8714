import { setTimeout as delay } from 'node:timers/promises';

import {
  type DagState,
  type ForgeAway,
  ownOf,
  type Paused,
  type Spent,
  type Status,
  type Task,
  type Timestamp,
} from '@caloron/types';
import { createColors } from 'picocolors';

import type { Io, Terminal } from './output.ts';
import { spendingCell } from './spending-account.ts';
import { type FittingTable, fittingTable, orderedTasks, pauseWords, sprintLine } from './status-table.ts';
import type { Progress } from './task-evidence.ts';
import type { TaskFacts } from './task-facts.ts';
import { cutTo, oneLine } from './width.ts';

/** How often the log and the terminal's size are looked at, in milliseconds. */
const POLL_MS = 200;
/** How often agents' signs of life and what they use are looked at, which change no status; in milliseconds. */
const FACTS_MS = 2000;
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
  /** How alive the agent at work on it counts as, or `gone`; null where none is, and for the sprint. */
  readonly liveness: TaskFacts['liveness'];
  /** Its last sign that work comes on. */
  readonly evidence: Progress | null;
  /** What the task's runs have used; null for the sprint. */
  readonly used: Spent | null;
}

/** A sprint as it is watched. */
export interface Watched {
  readonly state: DagState;
  /** Null while nobody has paused it. */
  readonly paused: Paused | null;
  /** What is known of its tasks beside their state, by task. */
  readonly facts?: ReadonlyMap<string, TaskFacts>;
  /** What it has used, in words. */
  readonly used?: string;
  /** Lines that tell that its forge is away, or why and until when it is asked nothing. */
  readonly forge?: readonly string[];
  /** Since when and until when its forge is away, as its last tick found it; null or absent while it answers. */
  readonly away?: ForgeAway | null;
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

function taskChange(
  sprint_id: string,
  before: Task | undefined,
  task: Task,
  facts: TaskFacts | undefined,
): StatusChange {
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
    liveness: facts?.liveness ?? null,
    evidence: facts?.sign ?? null,
    used: facts?.spent ?? null,
  };
}

const livenessOf = (watched: Watched | undefined, id: string): TaskFacts['liveness'] =>
  watched?.facts?.get(id)?.liveness ?? null;

/** What of a sprint stands elsewhere than before, and whose agent counts as alive otherwise; all of it when nothing was told before. */
export function changesOf(before: Watched | undefined, after: Watched): readonly StatusChange[] {
  const { sprint_id } = after.state;
  const tasks = orderedTasks(after.state).flatMap((task) => {
    const old = before === undefined ? undefined : ownOf(before.state.tasks, task.id);
    const lives = livenessOf(after, task.id);
    const same = old !== undefined && TOLD.every((field) => old[field] === task[field]);
    // That an agent's end takes its liveness away is told by where its task then stands.
    const alike = lives === null || lives === livenessOf(before, task.id);
    return same && alike ? [] : [taskChange(sprint_id, old, task, after.facts?.get(task.id))];
  });
  const status = standing(after);
  const from = before === undefined ? null : standing(before);
  const forge = forgeReason(before?.away ?? null, after.away ?? null);
  if (from === status && forge === null) return tasks;
  const pause = after.paused === null ? [] : [pauseWords(after.paused)];
  const reason = [...pause, ...(forge === null ? [] : [forge])].join(', ') || null;
  const none = { at: null, agent_id: null, issue_number: null, pr_number: null };
  const unknown = { attempt: 0, review_cycles: 0, liveness: null, evidence: null, used: null };
  return [...tasks, { sprint_id, task_id: null, from, status, reason, ...none, ...unknown }];
}

/** What became of the way to the forge; null when nothing did. */
function forgeReason(before: ForgeAway | null, after: ForgeAway | null): string | null {
  if (after === null) return before === null ? null : 'the forge is back';
  const { since, until, code, message } = after;
  if (before !== null && before.code === code && before.until === until) return null;
  return `forge away since ${since}${until === null ? '' : ` until ${until}`}: ${code}: ${message}`;
}

function standing({ state, paused }: Watched): string {
  return paused === null ? state.status : 'paused';
}

/** A change as a line of text. */
export function changeLine(change: StatusChange): string {
  const { task_id, sprint_id, from, status, reason, at, agent_id, pr_number, attempt, used } = change;
  const moved = from === null || from === status ? status : `${from} → ${status}`;
  if (task_id === null)
    return oneLine(`sprint    ${sprint_id}  ${moved}${reason === null ? '' : `  (${reason})`}`);
  const facts = [
    ...(reason === null ? [] : [reason]),
    ...(agent_id === null ? [] : [agent_id]),
    ...(attempt === 0 ? [] : [`attempt ${attempt}`]),
    ...(pr_number === null ? [] : [`PR #${pr_number}`]),
    ...(change.liveness === null ? [] : [change.liveness]),
    ...(used === null ? [] : usedWords(used)),
  ];
  return oneLine(`${at?.slice(11, 19) ?? ''}  ${task_id}  ${moved}  (${facts.join(', ')})`);
}

/** What a task has used, where it is something. */
function usedWords(used: Spent): readonly string[] {
  const words = spendingCell({ used, limit: {} });
  return words === '-' ? [] : [words];
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
  { state, paused, facts, used = '', forge = [] }: Watched,
  { columns, rows, colours }: Terminal,
): readonly string[] {
  const paint = createColors(colours);
  const room = Math.max(2, (rows ?? ROWS) - 1);
  const { head, tasks } = fittingTable(state, columns, facts);
  const top = [
    paint.bold(cutTo(oneLine(sprintLine(state, paused)), columns)),
    ...forge.map((line) => paint.yellow(cutTo(oneLine(line), columns))),
    ...(used === '' ? [] : [cutTo(oneLine(used), columns)]),
    '',
    cutTo(head, columns),
  ];
  const shown = fittingTasks(tasks, room - top.length);
  const lines = shown.flatMap(({ task, lines: of_task }) => {
    const colour = COLOURS[task.status];
    return of_task.map((line, at) => {
      const cut = cutTo(line, columns);
      return colour === undefined || at > 0 ? cut : paint[colour](cut);
    });
  });
  const hidden = tasks.length - shown.length;
  const more = hidden === 0 ? [] : [cutTo(`… and ${hidden} more`, columns)];
  return [...top, ...lines, ...more].slice(0, room);
}

/** Who gives way first where not all tasks can be shown. */
const GIVES_WAY: readonly Status[] = ['Cancelled', 'Done', 'Pending', 'Ready'];

/** The tasks that have room in so many lines, with one line for how many have not: what is over gives way to what is not. */
function fittingTasks(tasks: FittingTable['tasks'], room: number): FittingTable['tasks'] {
  const size = tasks.reduce((sum, { lines }) => sum + lines.length, 0);
  if (size <= room) return tasks;
  let left = Math.max(0, room - 1);
  const rank = ({ task }: { readonly task: Task }): number => {
    const at = GIVES_WAY.indexOf(task.status);
    return at === -1 ? GIVES_WAY.length : at;
  };
  const ranked = tasks.toSorted((a, b) => rank(b) - rank(a));
  const kept = new Set<Task>();
  for (const { task, lines } of ranked) {
    if (lines.length > left) break;
    left -= lines.length;
    kept.add(task);
  }
  return tasks.filter(({ task }) => kept.has(task));
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
  /** Milliseconds after which it is loaded again where nothing was written; 2000 when absent. */
  readonly facts_ms?: number;
}

/** Tells every change of a sprint until it is over or the signal is aborted; gives its last state. */
export async function watchStatus(deps: WatchDeps): Promise<Watched> {
  const { io, signal, lastSeq, load, facts_ms = FACTS_MS } = deps;
  let seq: number | undefined;
  let state: Watched | undefined;
  let loaded = 0;
  let [screen, size] = ['', ''];
  for (;;) {
    const last = lastSeq();
    const due = state === undefined || last !== seq || performance.now() - loaded >= facts_ms;
    const now: Watched = due || state === undefined ? await load() : state;
    if (due) loaded = performance.now();
    const { terminal } = io;
    if (deps.redraws && !deps.json && terminal !== undefined) {
      const has = `${terminal.columns}x${terminal.rows ?? ROWS}`;
      const lines = due || has !== size ? statusScreen(now, terminal) : [];
      const shown = lines.join('\n');
      if (lines.length > 0 && (shown !== screen || has !== size)) io.out(drawn(lines, size === ''));
      if (lines.length > 0) [screen, size] = [shown, has];
    } else {
      const changes = now === state ? [] : changesOf(state, now);
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
