import type { AgentInfo, Id, ProgressKind, Receipt, Task, Timestamp } from '@caloron/types';

import type { AgentAccount, AgentDetails } from './agent-account.ts';
import { type Attempt, type Known, reportsOf } from './task-attempts.ts';

/** The last sign that work came on: `activity` is output or a change in the worktree, where nobody said which. */
export interface Progress {
  readonly at: Timestamp;
  readonly kind: 'activity' | 'report' | 'review' | ProgressKind;
}

/** What is known of the process that has a task now, or had it last. */
export interface Evidence {
  readonly process_id: string;
  readonly agent_id: Id;
  readonly pid: number | null;
  /** Whether its end is known. */
  readonly ended: boolean;
  /** Whether the very process runs on this machine. */
  readonly alive: boolean;
  /** Null before its first heartbeat, and once its agent has another process. */
  readonly last_heartbeat_at: Timestamp | null;
  /** Null when it showed none. */
  readonly last_progress: Progress | null;
  /** When the agent itself says it will show progress next. */
  readonly next_by: Timestamp | null;
  /** What else is known of it; absent once its agent has another process. */
  readonly details?: AgentDetails;
}

/** The receipts of the last report on a task that has any, the first command first. */
export function receiptsOf(task_id: Id, { log }: Known): readonly Receipt[] {
  const reports = [...reportsOf(log).values()].filter((report) => report.task_id === task_id);
  const all = reports.map(({ receipts, receipt }) => receipts ?? (receipt === null ? [] : [receipt]));
  return all.findLast((receipts) => receipts.length > 0) ?? [];
}

/** What an agent's heartbeats told of its work since its start, the latest sign first. */
export function signsOf(agent: AgentInfo, started_at: Timestamp | null): readonly Progress[] {
  const { last_progress_at, progress_kind, last_cpu_at } = agent;
  const signs: readonly Progress[] = [
    ...(last_progress_at === null
      ? []
      : [{ at: last_progress_at, kind: progress_kind ?? ('activity' as const) }]),
    ...(last_cpu_at ? [{ at: last_cpu_at, kind: 'cpu' as const }] : []),
  ];
  return signs
    .filter(({ at }) => started_at === null || at >= started_at)
    .toSorted((a, b) => (a.at < b.at ? 1 : -1));
}

/** The signs of life of each process that has a task; of its last one when none has. */
export function evidenceOf(
  task: Task,
  attempts: readonly Attempt[],
  known: Known,
  isAlive: (process_id: string) => boolean,
  accounts: readonly AgentAccount[] = [],
): readonly Evidence[] {
  const open = attempts.filter(({ state }) => state === 'running' || state === 'spawning');
  const last = attempts.at(-1);
  const reports = reportsOf(known.log);
  return (open.length === 0 && last !== undefined ? [last] : open).map((attempt) => {
    const { process_id, agent_id, pid, role } = attempt;
    const agent = known.agents.find((each) => each.process_id === process_id);
    const reported = reports.get(process_id);
    const reviews = role === 'reviewer' ? Object.values(task.reviews) : [];
    const signs: readonly Progress[] = [
      ...(agent === undefined ? [] : signsOf(agent, attempt.started_at)),
      ...(reported === undefined ? [] : [{ at: reported.told_at, kind: 'report' as const }]),
      ...reviews.map(({ at }) => ({ at, kind: 'review' as const })),
    ].filter(({ at }) => attempt.started_at === null || at >= attempt.started_at);
    const latest = signs.toSorted((a, b) => (a.at < b.at ? 1 : -1))[0];
    const account = accounts.find((each) => each.process_id === process_id);
    return {
      process_id,
      agent_id,
      pid,
      ended: attempt.ended_at !== null,
      alive: isAlive(process_id),
      last_heartbeat_at: agent?.last_heartbeat_at ?? null,
      last_progress: latest ?? null,
      next_by: agent?.next_by ?? null,
      ...(account === undefined ? {} : { details: detailsOf(account) }),
    };
  });
}

function detailsOf(account: AgentAccount): AgentDetails {
  const { runs, liveness, evidence, ports, cache_dir, session, sandboxed, spending } = account;
  const confined = sandboxed === undefined ? {} : { sandboxed };
  return { runs, liveness, evidence, ports, cache_dir, session, ...confined, spending };
}
