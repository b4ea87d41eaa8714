import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { isAlive } from '@caloron/capabilities/process-identity';
import { createShells } from '@caloron/capabilities/shell';
import { checkAgentHealth } from '@caloron/stages/agent-health';
import type { Processes, WorktreeLeases } from '@caloron/store';
import {
  type AgentInfo,
  type Amounts,
  type DagState,
  epochMs,
  type Health,
  type Id,
  limitsOf,
  ownOf,
  type ProcessRow,
  type Spent,
  spentOf,
  type StatusReply,
  type Task,
  type Timestamp,
} from '@caloron/types';
import { z } from 'zod';

import type { Context } from './context.ts';
import { type Progress, signsOf } from './task-evidence.ts';

/** An agent's latest process, and all that is known of how it is. */
export type AgentAccount = AgentInfo & AgentDetails & { readonly agent_id: Id };

/** What is known of an agent's process beside what the shell writes down. */
export interface AgentDetails {
  /** Whether the very process runs on this machine. */
  readonly runs: boolean;
  /** How alive it is by the evidence of this instant; null once it has ended, and where no shell says since when it has listened. */
  readonly liveness: NonNullable<Health['liveness']> | null;
  /** Its last sign that work comes on; null when it showed none. */
  readonly evidence: Progress | null;
  /** The block of ports its worktree holds; null without one. */
  readonly ports: { readonly first: number; readonly count: number } | null;
  readonly cache_dir: string | null;
  /** `resumed`: it went on with the session of an earlier run. `kept`: its own session is kept for the next one. Null: neither is known. */
  readonly session: 'resumed' | 'kept' | null;
  /** The sandbox of its program; null: it runs without one. Absent where nobody wrote it down. */
  readonly sandboxed?: AgentInfo['sandboxed'];
  /** What this run has used, and of how much. */
  readonly spending: { readonly used: Spent; readonly limit: Amounts };
}

/** What accounts of agents are made from. */
export interface AgentSources {
  readonly now: Timestamp;
  /** The `.caloron` directory. */
  readonly root: string;
  /** Null where no shell answers. */
  readonly shell: StatusReply | null;
  readonly store: {
    readonly processes: Pick<Processes, 'get' | 'agents'>;
    readonly worktreeLeases: Pick<WorktreeLeases, 'get'>;
  };
}

/** The shell has this long to say what it has heard, in milliseconds: who only looks does not wait for one that hangs. */
const LOOK_MS = 2000;

/** What accounts are made from, asked for at this instant; the shell is asked where some agent may be at work. */
export async function agentSources(context: Context, now: Timestamp): Promise<AgentSources> {
  const { store } = context.runtime();
  const { shell_url: url, shell_token: token } = context.environment;
  const ask = async (): Promise<StatusReply | null> => {
    try {
      return await createShells({ url, token, db_id: store.db_id, timeout_ms: LOOK_MS }).open(null).status();
    } catch {
      // Without one nothing is said of how alive an agent is; all else is known without it.
      return null;
    }
  };
  const shell = store.processes.open().length === 0 ? null : await ask();
  return { now, root: join(context.home.dir, '.caloron'), shell, store };
}

/** The latest process of each agent of a sprint, by the sprint's own thresholds and limits. */
export function agentAccounts(state: DagState, sources: AgentSources): readonly AgentAccount[] {
  const { store, now, shell } = sources;
  const agents = store.processes.agents(state.sprint_id);
  const health =
    shell === null
      ? []
      : checkAgentHealth.call(
          {
            agents: Object.fromEntries(agents.map(({ agent_id, ...agent }) => [agent_id, agent])),
            now,
            listening_since: shell.listening_since ?? null,
            stall_threshold_m: state.sprint.stall_threshold_m,
          },
          {},
        ).results;
  return agents.map((agent) => {
    const row = store.processes.get(agent.process_id);
    const lease = row === undefined ? undefined : store.worktreeLeases.get(row.worktree);
    const { port_first = null, port_count = null } = lease ?? {};
    const judged = health.find(({ agent_id }) => agent_id === agent.agent_id)?.liveness ?? null;
    return {
      ...agent,
      runs: row !== undefined && agent.exit === null && isAlive(row),
      liveness: agent.alive ? judged : null,
      evidence: signsOf(agent, agent.task_started_at)[0] ?? null,
      ports: port_first === null || port_count === null ? null : { first: port_first, count: port_count },
      cache_dir: lease?.cache_dir ?? null,
      session: row === undefined ? null : sessionOf(sources.root, row, agent.task_started_at),
      spending: {
        used: usedBy(agent, state, now),
        limit: limitsOf(state.sprint.budget, 'agent', ownOf(state.tasks, agent.task_id)?.budget?.agent),
      },
    };
  });
}

function usedBy(agent: AgentInfo, { sprint }: DagState, now: Timestamp): Spent {
  const ms = Math.max(0, epochMs(agent.exit?.at ?? now) - epochMs(agent.task_started_at));
  const used = spentOf(agent.usage ?? [], ms, sprint.prices ?? {});
  return { ...used, tokens: Math.max(used.tokens, agent.tokens_used) };
}

/** Of a kept session's file only whose it is matters here. */
const Kept = z.object({ agent_id: z.string(), worktree: z.string() });

/** Whether a run had a session to go on with, by the file that is kept: one from before the run, of its own agent and worktree. */
function sessionOf(root: string, row: ProcessRow, started_at: Timestamp): AgentDetails['session'] {
  const file = join(root, 'tasks', row.sprint_id, `${row.task_id}.${row.role}.session.json`);
  try {
    const kept = Kept.parse(JSON.parse(readFileSync(file, 'utf8')));
    if (kept.agent_id !== row.agent_id || kept.worktree !== row.worktree) return null;
    const before = statSync(file).mtimeMs < epochMs(started_at);
    const again = row.role === 'author' && (row.mode !== 'start' || row.attempt > 1);
    return before && again ? 'resumed' : 'kept';
  } catch {
    // No session, or a file that is none: the harness begins anew then too.
    return null;
  }
}

/** The account of the agent that has a task now, or had it last. */
export function accountOfTask(task: Task, accounts: readonly AgentAccount[]): AgentAccount | undefined {
  const of_task = accounts.filter(({ task_id }) => task_id === task.id);
  return of_task.find(({ alive }) => alive) ?? of_task.at(-1);
}
