import { type DagState, ownOf, type Paused, type Task } from '@caloron/types';

import { renderFitting } from './table.ts';
import type { TaskFacts } from './task-facts.ts';

/** What `caloron status` tells of a task. */
export const STATUS_HEAD = [
  'task',
  'status',
  'agent',
  'issue',
  'PR',
  'attempts',
  'reviews',
  'evidence',
  'used',
  'why',
] as const;

/** Columns that are left out where a terminal is too narrow for all, the first one first. */
const LEFT_OUT: readonly (typeof STATUS_HEAD)[number][] = [
  'reviews',
  'attempts',
  'issue',
  'used',
  'agent',
  'PR',
  'evidence',
];

/** The tasks in the order they were authored in. */
export function orderedTasks(state: DagState): readonly Task[] {
  return state.order.flatMap((id) => ownOf(state.tasks, id) ?? []);
}

/** A task as a row below STATUS_HEAD. */
export function statusRow(task: Task, facts?: TaskFacts): readonly string[] {
  const number = (value: number | null): string => (value === null ? '-' : `#${value}`);
  const { id, status, agent_id, issue_number, pr_number, attempt, review_cycles } = task;
  return [
    id,
    status,
    agent_id,
    number(issue_number),
    number(pr_number),
    String(attempt),
    String(review_cycles),
    facts?.evidence ?? '-',
    facts?.used ?? '-',
    whyOf(task, facts?.waits ?? null),
  ];
}

/** Why a task stands as it does, what it waits for to be tried again, and that a person could take work which came late. */
function whyOf({ status_reason, offers = [] }: Task, waits: string | null): string {
  const again = waits === null || waits === status_reason ? [] : [waits];
  const late = offers.at(-1);
  const offered = late === undefined ? [] : [`late work of ${late.agent_id} offered: adopt`];
  return [...(status_reason === null ? [] : [status_reason]), ...again, ...offered].join('; ');
}

/** Who paused a sprint and when, in words. */
export function pauseWords({ by, at, stopped }: Paused): string {
  return `paused by ${by} since ${at}${stopped ? ', its agents stopped' : ''}`;
}

/** Where a sprint stands, in one line. */
export function sprintLine(state: DagState, paused: Paused | null): string {
  const counts = new Map<string, number>();
  for (const { status } of Object.values(state.tasks)) counts.set(status, (counts.get(status) ?? 0) + 1);
  const told = [...counts].map(([status, tasks]) => `${tasks} ${status}`).join(', ');
  const stands = paused === null ? endingOr(state) : pauseWords(paused);
  return `sprint ${state.sprint_id} on ${state.sprint.repo}: ${stands} (${told})`;
}

/** The status of a sprint; one whose tasks are all over, and that is not closed yet, is ending. */
function endingOr({ status, tasks }: DagState): string {
  const all = Object.values(tasks);
  const over = all.length > 0 && all.every((task) => task.status === 'Done' || task.status === 'Cancelled');
  return over && status === 'active' ? 'ending with its next tick' : status;
}

/** Columns of a terminal that are enough to begin a reason: the rest of it is cut before another column is left out. */
const REASON_COLUMNS = 20;

/** The table of tasks as a terminal shows it. */
export interface FittingTable {
  readonly head: string;
  /** A row of each task, and below that of one that is worked on what no column has room for. */
  readonly tasks: readonly { readonly task: Task; readonly lines: readonly string[] }[];
}

/** The table of tasks with as many columns as fit into so many columns of a terminal; its lines may still be wider. */
export function fittingTable(
  state: DagState,
  columns: number,
  facts?: ReadonlyMap<string, TaskFacts>,
): FittingTable {
  const tasks = orderedTasks(state);
  const rows = tasks.map((task) => statusRow(task, facts?.get(task.id)));
  const fit = { columns, left_out: LEFT_OUT, silent: ['evidence', 'used'], begins: REASON_COLUMNS };
  const { text, left_out } = renderFitting(STATUS_HEAD, rows, fit);
  const [head = '', ...lines] = text.split('\n');
  const below = (task: Task): readonly string[] => belowRow(facts?.get(task.id), left_out);
  return { head, tasks: tasks.map((task, at) => ({ task, lines: [lines[at] ?? '', ...below(task)] })) };
}

/** How alive an agent at work is and what it uses, where a terminal is too narrow for a column of it. */
function belowRow(facts: TaskFacts | undefined, left_out: readonly string[]): readonly string[] {
  if (facts === undefined || facts.evidence === '-') return [];
  const { evidence, used } = facts;
  const told = [
    ...(left_out.includes('evidence') ? [evidence] : []),
    ...(left_out.includes('used') && used !== '-' ? [used] : []),
  ];
  return told.length === 0 ? [] : [`  ${told.join(' · ')}`];
}
