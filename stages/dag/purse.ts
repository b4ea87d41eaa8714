import { entriesOf, epochMs, joinUsage, spentOf, sumSpent } from '@caloron/types';
import type {
  AgentInfo,
  Budget,
  DagState,
  Event,
  Id,
  Prices,
  RunSpending,
  Spent,
  SprintBudget,
  TaskBudget,
  Timestamp,
  Usage,
} from '@caloron/types';

/** What a running agent has used as far as its heartbeats told. */
export interface LiveRun {
  readonly task_id: Id;
  readonly role: RunSpending['role'];
  readonly usage: Usage;
  readonly ms: number;
}

/** The money of a sprint in one evaluation; written into the state at its end, so that no other change of a task loses it. */
export interface Purse {
  readonly budget: Budget | undefined;
  readonly prices: Prices;
  /** Running agents by process. */
  readonly live: ReadonlyMap<string, LiveRun>;
  readonly runs: Map<Id, readonly RunSpending[]>;
  readonly tasks: Map<Id, TaskBudget>;
  sprint: SprintBudget | undefined;
}

/** A task's budget as it begins. */
export const freshBudget: TaskBudget = {
  breaches: 0,
  breach: null,
  approved: null,
  agent: {},
  task: {},
  pausing: [],
  from: null,
};

/** Opens the purse of a state. */
export function openPurse(state: DagState, now: Timestamp, agents: readonly AgentInfo[]): Purse {
  const live = agents
    .filter(({ alive, sprint_id }) => alive && sprint_id === state.sprint_id)
    .map(({ process_id, task_id, role, usage, tokens_used, task_started_at }): [string, LiveRun] => [
      process_id,
      {
        task_id,
        role,
        usage: usage ?? untold(tokens_used),
        ms: Math.max(0, epochMs(now) - epochMs(task_started_at)),
      },
    ]);
  const tasks = entriesOf(state.tasks);
  return {
    budget: state.sprint.budget,
    prices: state.sprint.prices ?? {},
    live: new Map(live),
    runs: new Map(tasks.flatMap(([id, { runs }]) => (runs === undefined ? [] : [[id, runs]]))),
    tasks: new Map(tasks.flatMap(([id, { budget }]) => (budget === undefined ? [] : [[id, budget]]))),
    sprint: state.budget,
  };
}

/** The runs of a task so far. */
export function runsOf(purse: Purse, task_id: Id): readonly RunSpending[] {
  return purse.runs.get(task_id) ?? [];
}

/** The budget of a task. */
export function budgetOf(purse: Purse, task_id: Id): TaskBudget {
  return purse.tasks.get(task_id) ?? freshBudget;
}

/** What one run has used, with what is known of it while it runs. */
export function usedBy({ live, prices }: Purse, run: RunSpending): Spent {
  const now = run.over || run.process_id === null ? undefined : live.get(run.process_id);
  return now === undefined
    ? spentOf(run.usage, run.ms, prices)
    : spentOf(joinUsage(run.usage, now.usage), Math.max(run.ms, now.ms), prices);
}

/** What runs have used in all. */
export function usedByAll(purse: Purse, runs: readonly RunSpending[]): Spent {
  return sumSpent(runs.map((run) => usedBy(purse, run)));
}

/** Every run of the sprint. */
export function allRuns({ runs }: Purse): readonly RunSpending[] {
  return [...runs.values()].flat();
}

/** What an event tells of a run: that it was started, did not come to start, or is over and what it used. */
export function account(purse: Purse, event: Event, sprint_id: Id, known: ReadonlySet<Id>): void {
  if (event.type === 'action_succeeded' || event.type === 'action_failed') {
    const { action } = event;
    const { task_id } = action;
    if (action.type !== 'spawn_agent' || task_id === null || !known.has(task_id)) return;
    if (action.sprint_id !== sprint_id) return;
    if (event.type === 'action_succeeded') {
      if (event.result.process_id !== undefined)
        bind(purse, task_id, action.action_id, event.result.process_id);
      else if (event.result.taken_back !== undefined) giveBack(purse, task_id, action.action_id);
    } else if (event.final || event.error.code === 'ACTION_OVERTAKEN')
      giveBack(purse, task_id, action.action_id);
    return;
  }
  if (event.type === 'agent_reported') {
    const { task_id, process_id, role, attempt, tokens_used, usage, duration_ms } = event.report;
    if (!known.has(task_id) || event.report.sprint_id !== sprint_id) return;
    settle(purse, task_id, {
      process_id,
      role,
      attempt,
      usage: usage ?? untold(tokens_used),
      ms: duration_ms,
    });
  } else if (event.type === 'agent_exited' && known.has(event.task_id)) {
    const { task_id, process_id, role, usage = [], duration_ms = 0 } = event;
    settle(purse, task_id, { process_id, role, attempt: null, usage, ms: duration_ms });
  }
}

/** What was kept for a start that was not made is free again. */
function giveBack(purse: Purse, task_id: Id, action_id: string): void {
  const runs = runsOf(purse, task_id);
  const left = runs.filter((run) => run.action_id !== action_id || run.process_id !== null);
  if (left.length !== runs.length) purse.runs.set(task_id, left);
}

/** Tokens of which nothing else is known; they count as output, the dearest kind. */
function untold(output: number): Usage {
  return output === 0 ? [] : [{ model: 'unknown', input: 0, output, cache_read: 0, cache_write: 0 }];
}

/** Joins two records of one run. */
function joined(a: RunSpending, b: RunSpending): RunSpending {
  return {
    role: a.role,
    attempt: a.attempt ?? b.attempt,
    action_id: a.action_id ?? b.action_id,
    process_id: a.process_id ?? b.process_id,
    reserved: a.action_id === null ? b.reserved : a.reserved,
    usage: joinUsage(a.usage, b.usage),
    ms: Math.max(a.ms, b.ms),
    over: a.over || b.over,
  };
}

/** The process of an intended start is known. Its end may have been told before. */
export function bind(purse: Purse, task_id: Id, action_id: string, process_id: string): void {
  const runs = runsOf(purse, task_id);
  const reserved = runs.find((run) => run.action_id === action_id && run.process_id === null);
  if (reserved === undefined) return;
  const heard = runs.find((run) => run.process_id === process_id);
  const next = { ...reserved, process_id };
  purse.runs.set(
    task_id,
    runs.flatMap((run) => {
      if (run === heard) return [];
      return run === reserved ? [heard === undefined ? next : joined(next, heard)] : [run];
    }),
  );
}

/** A run is over. What is told of it again, in whatever order, counts once. */
function settle(
  purse: Purse,
  task_id: Id,
  end: Pick<RunSpending, 'role' | 'attempt' | 'usage'> & { readonly process_id: string; readonly ms: number },
): void {
  const runs = runsOf(purse, task_id);
  const told: RunSpending = {
    ...end,
    action_id: null,
    reserved: {},
    ms: Math.round(end.ms),
    over: true,
  };
  const known = runs.find(({ process_id }) => process_id === end.process_id);
  if (known === undefined) purse.runs.set(task_id, [...runs, told]);
  else {
    const next = joined(known, told);
    if (JSON.stringify(next) === JSON.stringify(known)) return;
    purse.runs.set(
      task_id,
      runs.map((run) => (run === known ? next : run)),
    );
  }
}

/** Keeps what a running agent has used so far: it is told to pause for that, whatever is heard of it afterwards. */
export function keepLive(purse: Purse, task_id: Id, process_id: string): void {
  const now = purse.live.get(process_id);
  if (now === undefined) return;
  const keep = (run: RunSpending): RunSpending => ({
    ...run,
    usage: joinUsage(run.usage, now.usage),
    ms: Math.max(run.ms, Math.round(now.ms)),
  });
  purse.runs.set(
    task_id,
    runsOf(purse, task_id).map((run) => (run.process_id === process_id ? keep(run) : run)),
  );
}
