import { ProcessRow, ProgressKind, Usage, type AgentInfo, type Id } from '@caloron/types';
import { z } from 'zod';

import { parseColumn, parseRow } from './json.ts';
import type { Database } from './sql.ts';

const Row = z.strictObject({
  sprint_id: z.string(),
  agent_id: z.string(),
  process_id: z.string(),
  task_started_at: z.string(),
  last_heartbeat_at: z.string().nullable(),
  last_progress_at: z.string().nullable(),
  progress_kind: ProgressKind.nullable(),
  last_cpu_at: z.string().nullable(),
  next_by: z.string().nullable(),
  said: z.string().nullable(),
  tokens_used: z.number(),
  usage: z.string().nullable(),
  rev: z.number(),
  process: z.string(),
});
const AgentKey = z.strictObject({ sprint_id: z.string(), agent_id: z.string() });

/** One agent and how often its row changed. */
export interface AgentRow {
  readonly agent_id: Id;
  readonly rev: number;
  readonly info: AgentInfo;
}

/** The latest process of each agent, read. */
export interface AgentRows {
  /** By sprint and agent id; all sprints without one. */
  list(sprint_id?: Id): readonly AgentRow[];
  ids(): readonly { readonly sprint_id: Id; readonly agent_id: Id }[];
}

function statusOf(state: ProcessRow['state'], said: string | null): AgentInfo['status'] {
  if (state === 'exited' || state === 'lost') return 'finished';
  if (state === 'spawning') return 'spawning';
  return said === 'blocked' ? 'blocked' : 'working';
}

function agentRow(row: unknown): AgentRow {
  const { process, rev, agent_id, said, usage, ...own } = parseRow(Row, row, 'agents', '');
  const { task_id, role, pid, state, exit, sandboxed } = parseColumn(
    ProcessRow,
    process,
    'processes',
    own.process_id,
  );
  const alive = state === 'spawning' || state === 'running';
  const used = usage === null ? {} : { usage: parseColumn(Usage, usage, 'agents', own.process_id) };
  const confined = sandboxed === undefined ? {} : { sandboxed };
  const info = {
    ...own,
    ...used,
    ...confined,
    task_id,
    role,
    pid,
    alive,
    status: statusOf(state, said),
    exit,
  };
  return { agent_id, rev, info };
}

/** Reads the `agents` table. */
export function createAgentRows({ db }: Database): AgentRows {
  const columns = 'SELECT agents.*, processes.row AS process FROM agents JOIN processes USING (process_id)';
  const ofSprint = db.prepare(`${columns} WHERE agents.sprint_id = ? ORDER BY agents.agent_id`);
  const all = db.prepare(`${columns} ORDER BY agents.sprint_id, agents.agent_id`);
  const ids = db.prepare('SELECT sprint_id, agent_id FROM agents');
  return {
    list: (sprint_id) => (sprint_id === undefined ? all.all() : ofSprint.all(sprint_id)).map(agentRow),
    ids: () => ids.all().map((row) => AgentKey.parse(row)),
  };
}
