import type { LogRow } from '@caloron/store';
import {
  addMs,
  type AgentInfo,
  type EndCause,
  Event,
  type Exit,
  type Id,
  type Mode,
  type ProcessRow,
  type Report,
  type Role,
  type Timestamp,
} from '@caloron/types';

import { whyOf } from './story.ts';

/** One process that was started for a task. */
export interface Attempt {
  readonly process_id: string;
  readonly agent_id: Id;
  readonly role: Role;
  readonly mode: Mode;
  readonly attempt: number;
  readonly pid: number | null;
  readonly state: ProcessRow['state'];
  readonly started_at: Timestamp | null;
  readonly ended_at: Timestamp | null;
  readonly exit: Exit | null;
  /** What its harness reported; null while it has not. */
  readonly outcome: Report['outcome'] | null;
  /** Why it ended without work, as its harness understood it; null after work and where nobody could say. */
  readonly cause: EndCause | null;
  /** The same in one line of its report, and why a reviewer wants changes; null after work and where nothing was said. */
  readonly why: string | null;
  readonly tokens_used: number | null;
  readonly base_sha: string;
  readonly head_sha: string | null;
  readonly log_file: string;
}

/** What is known of the processes of a sprint. */
export interface Known {
  readonly processes: readonly ProcessRow[];
  readonly agents: readonly (AgentInfo & { readonly agent_id: Id })[];
  readonly log: readonly LogRow[];
}

/** The last report of each process, by its id. */
export function reportsOf(
  log: readonly LogRow[],
): ReadonlyMap<string, Report & { readonly told_at: Timestamp }> {
  const reports = new Map<string, Report & { readonly told_at: Timestamp }>();
  for (const { kind, payload, at } of log) {
    if (kind !== 'agent_reported') continue;
    const { data } = Event.safeParse(payload);
    if (data?.type === 'agent_reported') reports.set(data.report.process_id, { ...data.report, told_at: at });
  }
  return reports;
}

/** When the outbox last began each action, by its id. */
function begunOf(log: readonly LogRow[]): ReadonlyMap<string, Timestamp> {
  const begun = new Map<string, Timestamp>();
  for (const { kind, target, at } of log)
    if (kind === 'outbox.started' && target !== null) begun.set(target, at);
  return begun;
}

function earlier(at: Timestamp | undefined, end: Timestamp | null): Timestamp | null {
  if (at === undefined) return null;
  return end !== null && end < at ? end : at;
}

/** Every process that was started for a task, the first one first. */
export function attemptsOf(task_id: Id, { processes, agents, log }: Known): readonly Attempt[] {
  const reports = reportsOf(log);
  const begun = begunOf(log);
  const attempts = processes
    .filter((row) => row.task_id === task_id)
    .map((row) => {
      const { process_id, agent_id, role, mode, attempt, pid, state, exit, base_sha, log_file } = row;
      const agent = agents.find((each) => each.process_id === process_id);
      const report = reports.get(process_id);
      // The shell knows it of an agent's latest process; of others the harness told how long they took, else the action tells.
      const told = report === undefined ? undefined : addMs(report.exit.at, -report.duration_ms);
      const started = agent?.task_started_at ?? told ?? begun.get(row.action_id);
      const ended_at = exit?.at ?? null;
      const known = { process_id, agent_id, role, mode, attempt, pid, state, exit, base_sha, log_file };
      return {
        ...known,
        started_at: earlier(started, ended_at),
        ended_at,
        outcome: report?.outcome ?? null,
        cause: report?.exit.cause ?? exit?.cause ?? null,
        why: report === undefined ? null : whyOf(report),
        tokens_used: report?.tokens_used ?? agent?.tokens_used ?? null,
        head_sha: report?.head_sha ?? null,
      };
    });
  return attempts.map((attempt, n) => ({
    ...attempt,
    why: attempt.why ?? whyNothing(attempt, attempts.slice(0, n)),
  }));
}

/** What counts against work that an author says is done: its head is one that was there before, which had to change. */
function whyNothing(
  { role, outcome, head_sha }: Pick<Attempt, 'role' | 'outcome' | 'head_sha'>,
  before: readonly Pick<Attempt, 'role' | 'head_sha'>[],
): string | null {
  if (role !== 'author' || outcome !== 'completed' || head_sha === null) return null;
  const same = before.some((each) => each.role === 'author' && each.head_sha === head_sha);
  return same ? `no change: its head is still ${head_sha.slice(0, 8)}` : null;
}

/** How a process ended, in a few words. */
export function exitWords({ state, exit, cause }: Pick<Attempt, 'state' | 'exit' | 'cause'>): string {
  if (exit === null) return state;
  if (!exit.known) return 'lost: nobody saw it end';
  const how = exit.signal === null ? `exit ${exit.code ?? '?'}` : exit.signal;
  return cause === null ? how : `${how} (${cause.class})`;
}
