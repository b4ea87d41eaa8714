import { addMs, overWords } from '@caloron/types';
import type { OverLimit, RunSpending, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { changeBudget, runOver, sprintOver, taskOver } from './budget.ts';
import { ask, sprintQuestion, taskQuestion, unlabel } from './budget_question.ts';
import { intend, tasksInOrder, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { release, stopProcess } from './escalation.ts';
import { budgetOf, keepLive, runsOf } from './purse.ts';

/** The code of a task that was stopped because a limit is used up. */
export const BUDGET_EXCEEDED = 'budget_exceeded';

/** How long an agent that was told to pause may take to end, heartbeats included, before it is stopped: its work is saved first. */
const PAUSE_MS = 15 * 60_000;

/** Tells agents whose run, task or sprint has nothing left to pause; one that does not end is stopped. */
export function watchBudget(draft: Draft): void {
  const { purse } = draft;
  if (purse.budget === undefined) return;
  bindLive(draft);
  const sprint = sprintOver(purse);
  for (const task of tasksInOrder(draft)) {
    const of_task = taskOver(purse, task.id);
    for (const run of runsOf(purse, task.id)) {
      const { process_id } = run;
      if (run.over || process_id === null || !purse.live.has(process_id)) continue;
      const over = [...runOver(purse, task.id, run), ...of_task, ...sprint];
      if (over.length > 0) pause(draft, task, { ...run, process_id }, over);
    }
  }
}

/** A process the shell knows before its start was told is the one that was intended. */
function bindLive({ purse }: Draft): void {
  for (const [process_id, { task_id, role }] of purse.live) {
    const runs = runsOf(purse, task_id);
    if (runs.some((run) => run.process_id === process_id)) continue;
    const intended = runs.filter((run) => run.role === role && run.process_id === null && !run.over);
    const [only] = intended;
    if (only === undefined || intended.length > 1) continue;
    purse.runs.set(
      task_id,
      runs.map((run) => (run === only ? { ...run, process_id } : run)),
    );
  }
}

function pause(
  draft: Draft,
  task: Task,
  run: RunSpending & { readonly process_id: string },
  over: readonly OverLimit[],
): void {
  const { process_id, role } = run;
  const { pausing } = budgetOf(draft.purse, task.id);
  const told = pausing.find((one) => one.process_id === process_id);
  if (told === undefined) {
    changeBudget(draft, task.id, { pausing: [...pausing, { process_id, at: draft.now }] });
    keepLive(draft.purse, task.id, process_id);
  }
  if (told !== undefined && addMs(told.at, PAUSE_MS) <= draft.now)
    return stopProcess(draft, task, role, process_id);
  intend(
    draft,
    action('stop_agent', {
      cause: `pause:${process_id}`,
      sprint_id: draft.sprint.sprint_id,
      task_id: task.id,
      agent_id: role === 'author' ? task.agent_id : task.reviewer_id,
      process_id,
      grace_ms: 0,
      pause: `budget: ${over.map(overWords).join(', ')}`,
    }),
  );
}

/** Whether a process was told to pause: that it ended is no failure. */
export function isPausing({ purse }: Draft, task_id: string, process_id: string): boolean {
  return budgetOf(purse, task_id).pausing.some((one) => one.process_id === process_id);
}

/**
 * A run says it ended because it was to pause: the task waits for an approval, or goes on where one was given meanwhile. False when
 * nobody told it and it has used up no limit either: a harness keeps those of its own run without being told.
 */
export function onPaused(draft: Draft, task: Task, from: 'InProgress' | 'InReview'): boolean {
  const { purse } = draft;
  const ended = runsOf(purse, task.id).filter(({ over, process_id }) => over && process_id !== null);
  const told = ended.findLast(
    ({ process_id }) => process_id !== null && isPausing(draft, task.id, process_id),
  );
  const last = told ?? ended.at(-1);
  const over = [...(last === undefined ? [] : runOver(purse, task.id, last)), ...taskOver(purse, task.id)];
  const sprint = sprintOver(purse);
  if (over.length + sprint.length > 0) stopTask(draft, task, from, over, sprint);
  else if (told === undefined) return false;
  else update(draft, task, {});
  return true;
}

/** Blocks a task until somebody approves, and asks. */
function stopTask(
  draft: Draft,
  task: Task,
  status: 'Ready' | 'InProgress' | 'InReview',
  over: readonly OverLimit[],
  sprint: readonly OverLimit[],
): void {
  // A reason that speaks of the budget alone goes with it; any other says what the author is to do next.
  const status_reason = task.status_reason?.startsWith('budget: ') === true ? null : task.status_reason;
  changeBudget(draft, task.id, { from: { status, status_reason } });
  const why = [...over, ...sprint].map(overWords).join(', ');
  const blocked = update(draft, task, {
    ...release(draft, task),
    status: 'Blocked',
    status_reason: `${BUDGET_EXCEEDED}: ${why}`,
  });
  if (over.length > 0) {
    const { breaches } = budgetOf(draft.purse, task.id);
    const breach = { n: breaches + 1, at: draft.now, task_id: task.id, over: [...over] };
    changeBudget(draft, task.id, { breaches: breach.n, breach });
    ask(draft, blocked, `budget:${breach.n}`, taskQuestion(task, breach));
  }
  askForSprint(draft, blocked, sprint);
}

/** Asks for the sprint once per breach, on the issue of the task that met it. */
function askForSprint(draft: Draft, task: Task, over: readonly OverLimit[]): void {
  const { purse } = draft;
  const before = purse.sprint ?? { breaches: 0, breach: null, approved: null, sprint: {} };
  if (over.length === 0 || before.breach !== null) return;
  const breach = { n: before.breaches + 1, at: draft.now, task_id: task.id, over: [...over] };
  purse.sprint = { ...before, breaches: breach.n, breach };
  ask(draft, task, `sprint_budget:${breach.n}`, sprintQuestion(breach));
}

/** Asks where what is left pays no start at all. */
export function askForBudget(draft: Draft): void {
  const { purse } = draft;
  if (purse.budget === undefined) return;
  const sprint = sprintOver(purse);
  for (const task of tasksInOrder(draft)) {
    const { status, issue_number } = task;
    if (issue_number === null || !isStartable(task)) continue;
    if (runsOf(purse, task.id).some(({ over }) => !over)) continue;
    const over = taskOver(purse, task.id);
    if (over.length > 0 && (status === 'Ready' || status === 'InProgress' || status === 'InReview'))
      stopTask(draft, task, status, over, sprint);
    else askForSprint(draft, task, sprint);
  }
}

function isStartable({ status, process_id, status_reason }: Task): boolean {
  if (status === 'Ready') return true;
  if (status === 'InProgress') return process_id === null;
  return status === 'InReview' && status_reason?.startsWith('budget: ') === true;
}

/** Whether the sprint itself has nothing left, so that only a person can let any agent start. */
export function waitsForSprint({ purse }: Draft): boolean {
  return purse.budget !== undefined && sprintOver(purse).length > 0;
}

/** A breach of a task that was moved on otherwise asks no more; runs that ended are not told to pause any more. */
export function tidyBudgets(draft: Draft): void {
  for (const [id, { breach, from, pausing }] of draft.purse.tasks) {
    const task = draft.tasks.get(id);
    const ended = new Set(runsOf(draft.purse, id).flatMap((run) => (run.over ? [run.process_id] : [])));
    const going = pausing.filter(({ process_id }) => !ended.has(process_id));
    if (going.length < pausing.length) changeBudget(draft, id, { pausing: going });
    const stopped = task?.status === 'Blocked' && task.status_reason?.startsWith(BUDGET_EXCEEDED) === true;
    if ((breach === null && from === null) || stopped || task === undefined) continue;
    changeBudget(draft, id, { breach: null, from: null });
    if (breach !== null) unlabel(draft, task, `approved:${breach.n}`);
  }
}
