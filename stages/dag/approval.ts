import { AmountKind } from '@caloron/types';
import type { Amounts, Breach, Event, OverLimit, Task } from '@caloron/types';

import { changeBudget, limitsFor } from './budget.ts';
import { unlabel } from './budget_question.ts';
import { tasksInOrder, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { BUDGET_EXCEEDED } from './pausing.ts';
import { allRuns, budgetOf, runsOf, usedByAll } from './purse.ts';

type Commented = Extract<Event, { type: 'issue_comment' }>;
type Commanded = Extract<Event, { type: 'human_command' }>;

/** The comment that asks is written: what was said before it is no answer to it. */
export function onAsked(draft: Draft, task_id: string, cause: string, comment_id: number): void {
  const { purse } = draft;
  const { breach } = budgetOf(purse, task_id);
  if (breach !== null && cause === `budget:${breach.n}`)
    changeBudget(draft, task_id, { breach: { ...breach, comment_id } });
  const { sprint } = purse;
  if (sprint?.breach && cause === `sprint_budget:${sprint.breach.n}`)
    purse.sprint = { ...sprint, breach: { ...sprint.breach, comment_id } };
}

/** A person's `approve`. It counts for the breach it answers and for no other. */
export function onApprove(draft: Draft, task: Task, event: Commented | Commanded): void {
  const said = event.type === 'human_command' ? event.approval : undefined;
  const of_task = budgetOf(draft.purse, task.id).breach;
  const scope = said?.scope ?? (of_task === null ? 'sprint' : 'task');
  const breach = scope === 'task' ? of_task : (draft.purse.sprint?.breach ?? null);
  if (breach === null || !answers(event, breach, said?.n)) return;
  const by = { n: breach.n, by: event.actor ?? 'somebody', at: event.created_at };
  const more = said?.more ?? {};
  if (scope === 'task') approveTask(draft, task, breach, more, by);
  else approveSprint(draft, breach, more, by);
}

function answers(event: Commented | Commanded, breach: Breach, n: number | undefined): boolean {
  if (n !== undefined) return n === breach.n;
  if (event.type === 'issue_comment' && breach.comment_id !== undefined)
    return event.comment_id > breach.comment_id;
  return event.created_at >= breach.at;
}

/** What may be used in all: what was used, and so much more; as much as at first where nobody says. */
function raised(
  limits: Amounts,
  first: Amounts,
  used: Amounts,
  over: readonly OverLimit[],
  more: Amounts,
): Amounts {
  const next: Amounts = {};
  for (const kind of AmountKind.options) {
    const is_over = over.some((one) => one.kind === kind);
    const add = more[kind] ?? (is_over ? (first[kind] ?? limits[kind]) : undefined);
    if (add !== undefined && limits[kind] !== undefined)
      next[kind] = Math.max(limits[kind], (used[kind] ?? 0) + add);
  }
  return next;
}

function approveTask(
  draft: Draft,
  task: Task,
  breach: Breach,
  more: Amounts,
  approved: NonNullable<ReturnType<typeof budgetOf>['approved']>,
): void {
  const { purse } = draft;
  const before = budgetOf(purse, task.id);
  const of = (scope: 'agent' | 'task'): readonly OverLimit[] =>
    breach.over.filter((one) => one.scope === scope);
  // A run that goes on counts from nothing: its limit is as it was, or what the person says.
  const agent =
    of('agent').length === 0 ? {} : raised({ ...limitsFor(purse, 'agent', task.id) }, {}, {}, [], more);
  const of_task = of('task');
  const used = usedByAll(purse, runsOf(purse, task.id));
  const limits = limitsFor(purse, 'task', task.id);
  const first = limitsFor({ ...purse, tasks: new Map() }, 'task', task.id);
  const wider = of_task.length === 0 ? {} : raised(limits, first, used, of_task, more);
  changeBudget(draft, task.id, {
    breach: null,
    approved,
    agent: { ...before.agent, ...agent },
    task: { ...before.task, ...wider },
  });
  unlabel(draft, task, `approved:${breach.n}`);
  goOn(draft, task);
}

function approveSprint(
  draft: Draft,
  breach: Breach,
  more: Amounts,
  approved: NonNullable<ReturnType<typeof budgetOf>['approved']>,
): void {
  const { purse } = draft;
  if (purse.sprint === undefined) return;
  const limits = limitsFor(purse, 'sprint', '');
  const first = limitsFor({ ...purse, sprint: undefined }, 'sprint', '');
  const used = usedByAll(purse, allRuns(purse));
  const wider = raised(limits, first, used, breach.over, more);
  purse.sprint = { ...purse.sprint, breach: null, approved, sprint: { ...purse.sprint.sprint, ...wider } };
  const asked = draft.tasks.get(breach.task_id);
  if (asked !== undefined && budgetOf(purse, asked.id).breach === null)
    unlabel(draft, asked, `sprint_approved:${breach.n}`);
  for (const task of tasksInOrder(draft)) goOn(draft, task);
}

/** A task that waits for no approval of its own any more stands where it was stopped. */
function goOn(draft: Draft, task: Task): void {
  const { breach, from } = budgetOf(draft.purse, task.id);
  if (breach !== null || from === null) return;
  if (task.status !== 'Blocked' || task.status_reason?.startsWith(BUDGET_EXCEEDED) !== true) return;
  changeBudget(draft, task.id, { from: null });
  update(draft, task, { status: from.status, status_reason: from.status_reason });
}
