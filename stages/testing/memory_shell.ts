import { CodedError } from '@caloron/noether/stage';
import type {
  AgentInfo,
  CleanupRequest,
  NudgeRequest,
  Shell,
  SpawnRequest,
  StopRequest,
} from '@caloron/types';

/** A shell in memory: what it was asked, and the agents it has. */
export interface MemoryShell {
  readonly shell: Shell;
  readonly spawned: SpawnRequest[];
  readonly stopped: StopRequest[];
  readonly cleaned: CleanupRequest[];
  readonly nudged: NudgeRequest[];
  readonly agents: (AgentInfo & { agent_id: string; last_heartbeat: string | null })[];
  /** Thrown by the next calls of a method, oldest first. */
  readonly faults: Map<keyof Shell, Error[]>;
  /** Why worktrees are kept; null removes them. */
  kept: string | null;
}

const AT = '2026-04-14T08:00:00.000Z';

/** A shell that refuses, with its own code in the details, or that cannot be reached. */
export function shellError(code: string, retryable = true): CodedError<Record<string, object>> {
  const own = code === 'SHELL_UNREACHABLE' || code === 'SHELL_OTHER_DATABASE';
  return new CodedError(own ? code : 'SHELL_REFUSED', { code }, `the shell says ${code}`, { retryable });
}

/** One live agent. */
export function agentOf(agent_id: string, change: Partial<AgentInfo> = {}): MemoryShell['agents'][number] {
  return {
    agent_id,
    sprint_id: 'sprint-1',
    task_id: 'login-form',
    role: 'author',
    process_id: 'process-1',
    pid: 4711,
    alive: true,
    status: 'working',
    task_started_at: AT,
    last_heartbeat_at: AT,
    last_heartbeat: AT,
    last_progress_at: AT,
    next_by: null,
    tokens_used: 0,
    exit: null,
    ...change,
  };
}

/** A shell in memory: the same action_id starts one process. */
export function memoryShell(): MemoryShell {
  const memory: Omit<MemoryShell, 'shell'> = {
    spawned: [],
    stopped: [],
    cleaned: [],
    nudged: [],
    agents: [],
    faults: new Map(),
    kept: null,
  };
  const fault = (name: keyof Shell): void => {
    const error = memory.faults.get(name)?.shift();
    if (error !== undefined) throw error;
  };
  const shell: Shell = {
    spawn: async (request) => {
      fault('spawn');
      const before = memory.spawned.findIndex(
        ({ action_id }) => action_id !== undefined && action_id === request.action_id,
      );
      const at = before === -1 ? memory.spawned.push(request) : before + 1;
      return {
        ok: true,
        pid: 4710 + at,
        process_id: `process-${String(at)}`,
        worktree: `/home/ada/project/.caloron/worktrees/${request.sprint_id}/${request.task_id}`,
        branch: `caloron/${request.sprint_id}/${request.task_id}`,
        base_sha: 'b'.repeat(40),
        existing: before !== -1,
      };
    },
    stop: async (request) => {
      fault('stop');
      memory.stopped.push(request);
      const at = memory.agents.findIndex(({ process_id }) => process_id === request.process_id);
      const agent = memory.agents[at];
      if (agent !== undefined) memory.agents[at] = { ...agent, alive: false, status: 'finished' };
      return { ok: true, exit: null, wip_ref: null };
    },
    nudge: async (request) => {
      fault('nudge');
      memory.nudged.push(request);
      return { ok: true };
    },
    status: async () => {
      fault('status');
      return { agents: memory.agents };
    },
    cleanup: async (request) => {
      fault('cleanup');
      memory.cleaned.push(request);
      return { ok: true, removed: memory.kept === null, reason: memory.kept };
    },
    health: () => Promise.resolve({ ok: true, db_id: 'db', version: '0.1.0' }),
  };
  return Object.assign(memory, { shell });
}
