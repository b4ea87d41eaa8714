import {
  type AgentInfo,
  AmountKind,
  type Amounts,
  amountWords,
  epochMs,
  joinUsage,
  limitsOf,
  type DagState,
  ownOf,
  type RunSpending,
  type Spent,
  spentOf,
  sumSpent,
  type Timestamp,
} from '@caloron/types';

/** What was used, and of how much. */
export interface Spending {
  readonly used: Spent;
  /** Kept for runs at work beyond what they have used. */
  readonly reserved: Amounts;
  readonly limit: Amounts;
}

/** A sprint's spending and that of its tasks. */
export interface SprintSpending {
  readonly sprint: Spending;
  readonly tasks: Readonly<Record<string, Spending>>;
}

function spendingOf(runs: readonly [RunSpending, Spent][], limit: Amounts): Spending {
  const reserved: Amounts = {};
  for (const kind of AmountKind.options) {
    const kept = runs.reduce(
      (sum, [run, used]) => sum + (run.over ? 0 : Math.max(0, (run.reserved[kind] ?? 0) - used[kind])),
      0,
    );
    if (kept > 0) reserved[kind] = kept;
  }
  return { used: sumSpent(runs.map(([, used]) => used)), reserved, limit };
}

/** What each task and the sprint have used, agents at work included as far as their heartbeats told. */
export function spendingOfSprint(
  state: DagState,
  agents: readonly AgentInfo[],
  now: Timestamp,
): SprintSpending {
  const prices = state.sprint.prices ?? {};
  const heard = new Map(agents.map((agent) => [agent.process_id, agent]));
  const live = agents.filter(({ alive }) => alive);
  const used = (run: RunSpending): [RunSpending, Spent] => {
    const agent = run.over || run.process_id === null ? undefined : heard.get(run.process_id);
    const ms = agent === undefined ? 0 : epochMs(agent.exit?.at ?? now) - epochMs(agent.task_started_at);
    return [run, spentOf(joinUsage(run.usage, agent?.usage ?? []), Math.max(run.ms, ms), prices)];
  };
  const tasks = state.order.flatMap((id) => ownOf(state.tasks, id) ?? []);
  const unknown = (task_id: string): RunSpending[] =>
    live
      .filter(
        (agent) =>
          agent.task_id === task_id &&
          !tasks.some(({ runs }) => runs?.some((run) => run.process_id === agent.process_id)),
      )
      .map(({ process_id, role }) => ({
        process_id,
        role,
        attempt: null,
        action_id: null,
        reserved: {},
        usage: [],
        ms: 0,
        over: false,
      }));
  const runs = tasks.map(({ id, runs: known = [] }) => [...known, ...unknown(id)].map(used));
  const { budget } = state.sprint;
  return {
    sprint: spendingOf(runs.flat(), limitsOf(budget, 'sprint', state.budget?.sprint)),
    tasks: Object.fromEntries(
      tasks.map((task, at) => [
        task.id,
        spendingOf(runs[at] ?? [], limitsOf(budget, 'task', task.budget?.task)),
      ]),
    ),
  };
}

/** Spending in words: `used 12 000 of 50 000 tokens, $0.42, 3 min`. */
export function spendingWords({ used, limit, reserved }: Spending): string {
  const parts = AmountKind.options.flatMap((kind) => {
    const most = limit[kind];
    const unknown = kind === 'micro_usd' ? (used.unpriced ?? 0) : 0;
    // Where nothing has a price and money is not limited there is nothing to tell of it.
    if (used[kind] === 0 && most === undefined) return [];
    const of = most === undefined ? '' : ` of ${amountWords(kind, most)}`;
    const kept =
      reserved[kind] === undefined || most === undefined
        ? ''
        : ` (${amountWords(kind, reserved[kind])} more kept for agents at work)`;
    const untold = unknown === 0 ? '' : ` and the unknown cost of ${amountWords('tokens', unknown)}`;
    return [`${amountWords(kind, used[kind])}${untold}${of}${kept}`];
  });
  return parts.length === 0 ? '' : `used ${parts.join(', ')}`;
}

/** The same for a column of a table: `12 000/50 000 tokens, $0.42`. Time is told only where it is limited. */
export function spendingCell({ used, limit }: Pick<Spending, 'used' | 'limit'>): string {
  const parts = AmountKind.options.flatMap((kind) => {
    const most = limit[kind];
    if (most === undefined) return used[kind] === 0 || kind === 'ms' ? [] : [amountWords(kind, used[kind])];
    return [`${amountWords(kind, used[kind]).replace(/ (?:tokens|min)$/, '')}/${amountWords(kind, most)}`];
  });
  return parts.length === 0 ? '-' : parts.join(', ');
}
