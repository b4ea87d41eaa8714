import { type Hold, holdReason, providerHold } from '@caloron/stages/provider-hold';
import { type DagState, ownOf, type Spent, type Task, type Timestamp } from '@caloron/types';

import { accountOfTask, type AgentAccount, agentAccounts, agentSources } from './agent-account.ts';
import type { Context } from './context.ts';
import { spendingCell, spendingOfSprint, type SprintSpending } from './spending-account.ts';
import { orderedTasks } from './status-table.ts';
import type { Progress } from './task-evidence.ts';
import { signWords } from './time-words.ts';

/** What is known of a task beside its state. */
export interface TaskFacts {
  /** How alive its agent is and its last sign, in words; `-` where none is at work. */
  readonly evidence: string;
  /** What it has used, in words; `-` for nothing. */
  readonly used: string;
  /** How alive its agent counts as, or `gone` where its process is; null where none is at work or no shell tells. */
  readonly liveness: AgentAccount['liveness'] | 'gone';
  /** The last sign that work comes on; null when its agent showed none, and where none is at work. */
  readonly sign: Progress | null;
  /** What its next start waits for, in words; null when nothing is known to stand in its way. */
  readonly waits: string | null;
  /** What all its runs have used; null when nothing is known of it. */
  readonly spent: Spent | null;
}

/** What is known of a sprint beside its state. */
export interface SprintFacts {
  readonly agents: readonly AgentAccount[];
  readonly spending: SprintSpending;
  /** By task. */
  readonly facts: ReadonlyMap<string, TaskFacts>;
}

/** What is known of a sprint at this instant; its shell is asked where some agent may be at work. */
export async function accountOfSprint(
  context: Context,
  state: DagState,
  now: Timestamp,
): Promise<SprintFacts> {
  const agents = agentAccounts(state, await agentSources(context, now));
  const spending = spendingOfSprint(state, agents, now);
  const hold = providerHold(orderedTasks(state), state.sprint, now);
  const facts = orderedTasks(state).map((task): [string, TaskFacts] => {
    const agent = accountOfTask(task, agents);
    const own = ownOf(spending.tasks, task.id);
    const used = own === undefined ? '-' : spendingCell(own);
    return [
      task.id,
      { ...aliveness(agent, now), used, waits: waitOf(task, hold, now), spent: own?.used ?? null },
    ];
  });
  return { agents, spending, facts: new Map(facts) };
}

/** What the next start of a task waits for that has lost its agent; a provider's limit holds all. */
export function waitOf(
  { status, process_id, retry_at }: Task,
  hold: Hold | undefined,
  now: Timestamp,
): string | null {
  if (process_id !== null || (status !== 'InProgress' && status !== 'InReview')) return null;
  if (status === 'InProgress' && hold !== undefined) return holdReason(hold);
  return typeof retry_at === 'string' && retry_at > now ? `again from ${retry_at}` : null;
}

/** How alive the agent of a task is, and its last sign: `quiet, output 12 min`. */
function aliveness(
  agent: AgentAccount | undefined,
  now: Timestamp,
): Pick<TaskFacts, 'evidence' | 'liveness' | 'sign'> {
  if (agent?.alive !== true) return { evidence: '-', liveness: null, sign: null };
  const { evidence: sign, liveness } = agent;
  if (!agent.runs && agent.pid !== null) return { evidence: 'process gone', liveness: 'gone', sign };
  const words = sign === null ? 'no sign yet' : signWords(sign, now);
  return { evidence: liveness === null ? words : `${liveness}, ${words}`, liveness, sign };
}
