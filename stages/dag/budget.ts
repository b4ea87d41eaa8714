import { AmountKind, amountWords, limitsOf, overOf, overWords } from '@caloron/types';
import type {
  ActionOf,
  Amounts,
  BudgetScope,
  OverLimit,
  RunSpending,
  Task,
  TaskBudget,
} from '@caloron/types';

import { dueStart } from './causes.ts';
import { isTerminal, tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';
import { allRuns, budgetOf, runsOf, usedBy, usedByAll } from './purse.ts';
import type { Purse } from './purse.ts';

const KINDS = AmountKind.options;

/** What can be kept for a start: the amounts, or why it waits, or the limits that leave nothing. */
type Room =
  | { readonly kind: 'fits'; readonly reserved: Amounts }
  | { readonly kind: 'waits'; readonly reason: string }
  | { readonly kind: 'used_up'; readonly over: readonly OverLimit[] };

/** The limits of a scope for a task, with what approvals raised. */
export function limitsFor({ budget, tasks, sprint }: Purse, scope: BudgetScope, task_id: string): Amounts {
  if (scope === 'sprint') return limitsOf(budget, scope, sprint?.sprint);
  const raised = tasks.get(task_id);
  return limitsOf(budget, scope, scope === 'agent' ? raised?.agent : raised?.task);
}

/** The limits of the sprint that are used up. */
export function sprintOver(purse: Purse): readonly OverLimit[] {
  return overOf('sprint', limitsFor(purse, 'sprint', ''), usedByAll(purse, allRuns(purse)));
}

/** The limits of a task over all its runs that are used up. */
export function taskOver(purse: Purse, task_id: string): readonly OverLimit[] {
  return overOf('task', limitsFor(purse, 'task', task_id), usedByAll(purse, runsOf(purse, task_id)));
}

/** The limits of one run that are used up. */
export function runOver(purse: Purse, task_id: string, run: RunSpending): readonly OverLimit[] {
  return overOf('agent', limitsFor(purse, 'agent', task_id), usedBy(purse, run));
}

/** What runs have used, and for those that go on what is kept for them where that is more. */
function spoken(purse: Purse, runs: readonly RunSpending[], kind: AmountKind): number {
  return runs.reduce((sum, run) => {
    const used = usedBy(purse, run)[kind];
    return sum + (run.over ? used : Math.max(used, run.reserved[kind] ?? 0));
  }, 0);
}

/** The most that a run of the sprint has used so far, else an equal share of what is left for the tasks that are open. */
function estimate(draft: Draft, kind: AmountKind, left: number): number {
  const past = allRuns(draft.purse)
    .filter(({ over }) => over)
    .map((run) => usedBy(draft.purse, run)[kind]);
  const most = Math.max(0, ...past);
  const open = tasksInOrder(draft).filter((task) => !isTerminal(task)).length;
  return most > 0 ? most : Math.max(1, Math.floor(left / Math.max(1, open)));
}

/** What one limit of the task or the sprint leaves beside what is used and kept. */
interface Left {
  readonly scope: 'task' | 'sprint';
  readonly limit: number;
  readonly left: number;
  /** Whether no run of it goes on: what it leaves is all there will be. */
  readonly alone: boolean;
}

function leftOf(purse: Purse, task_id: string, kind: AmountKind): readonly Left[] {
  const scopes = [
    ['task', runsOf(purse, task_id)],
    ['sprint', allRuns(purse)],
  ] as const;
  return scopes.flatMap(([scope, runs]) => {
    const limit = limitsFor(purse, scope, task_id)[kind];
    if (limit === undefined) return [];
    return [{ scope, limit, left: limit - spoken(purse, runs, kind), alone: runs.every(({ over }) => over) }];
  });
}

/** What a start can have: its run's limit, else what is left of its task, else as much as runs have used so far; less only where nobody else can give any back. */
function roomFor(draft: Draft, task: Task): Room {
  const { purse } = draft;
  const over = [...taskOver(purse, task.id), ...sprintOver(purse)];
  if (over.length > 0) return { kind: 'used_up', over };
  const own = limitsFor(purse, 'agent', task.id);
  const reserved: Amounts = {};
  for (const kind of KINDS) {
    const lefts = leftOf(purse, task.id, kind);
    const [tightest] = lefts.toSorted((a, b) => a.left - b.left);
    if (tightest === undefined) {
      if (own[kind] !== undefined) reserved[kind] = own[kind];
      continue;
    }
    const { left } = tightest;
    const of_task = lefts.find(({ scope }) => scope === 'task')?.left;
    const wanted = own[kind] ?? of_task ?? estimate(draft, kind, left);
    const short = lefts.find((one) => one.left < wanted && !one.alone) ?? (left <= 0 ? tightest : undefined);
    if (short !== undefined) {
      const whose = short.scope === 'task' ? 'the task' : 'the sprint';
      const amounts = `${amountWords(kind, wanted)} of ${amountWords(kind, Math.max(0, short.left))} that runs at work leave`;
      return { kind: 'waits', reason: `budget: needs ${amounts} of the limit of ${whose}` };
    }
    reserved[kind] = Math.min(wanted, left);
  }
  return { kind: 'fits', reserved };
}

/** Whether what the start that the task is due needs is kept already; what is kept for another one, of a head or a round before, pays for none. */
function isReserved(draft: Draft, task: Task): boolean {
  const due = dueStart(draft, task);
  return runsOf(draft.purse, task.id).some((run) => run.action_id === due && due !== null && !run.over);
}

/** What a start of the task waits for in the budget; null when it can be paid. */
export function budgetReason(draft: Draft, task: Task): string | null {
  if (draft.purse.budget === undefined || isReserved(draft, task)) return null;
  const room = roomFor(draft, task);
  if (room.kind === 'fits') return null;
  return room.kind === 'waits' ? room.reason : `budget: ${room.over.map(overWords).join(', ')}`;
}

/** Keeps for an intended start what it needs; once, however often it is intended. */
export function reserve(draft: Draft, task: Task, start: ActionOf<'spawn_agent'>): void {
  const { purse } = draft;
  if (purse.budget === undefined) return;
  const runs = runsOf(purse, task.id);
  if (runs.some(({ action_id }) => action_id === start.action_id)) return;
  const room = roomFor(draft, task);
  const run: RunSpending = {
    role: start.role,
    attempt: start.attempt,
    action_id: start.action_id,
    process_id: null,
    reserved: room.kind === 'fits' ? room.reserved : {},
    usage: [],
    ms: 0,
    over: false,
  };
  purse.runs.set(task.id, [...runs, run]);
}

/** Writes what became of the money into the tasks. */
export function closePurse(draft: Draft): void {
  const { purse, tasks } = draft;
  for (const [id, task] of tasks) {
    const runs = purse.runs.get(id);
    const budget = purse.tasks.get(id);
    if (runs === task.runs && budget === task.budget) continue;
    tasks.set(id, {
      ...task,
      ...(runs === undefined ? {} : { runs: [...runs] }),
      ...(budget === undefined ? {} : { budget }),
    });
  }
}

/** Changes the budget of a task. */
export function changeBudget({ purse }: Draft, task_id: string, change: Partial<TaskBudget>): void {
  purse.tasks.set(task_id, { ...budgetOf(purse, task_id), ...change });
}
