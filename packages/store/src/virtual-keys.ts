import { keys, type Id } from '@caloron/types';
import { z } from 'zod';

import type { AgentRows } from './agents.ts';
import type { Database } from './sql.ts';

/** Keys that are computed from the agents of a sprint. */
export interface VirtualKeys {
  /** Undefined when neither the sprint nor the agent is known. */
  get(key: string): { readonly value: unknown; readonly rev: number } | undefined;
  /** All of them, in no order. */
  keys(): readonly string[];
}

const VIRTUAL = /^caloron:([a-z0-9_-]{1,64}):(?:agents|agent:([a-z0-9_-]{1,64}):(pid|last_heartbeat))$/;
const Sprint = z.strictObject({ sprint_id: z.string() });

/** True for `caloron:{sprint}:agents`, `caloron:{sprint}:agent:{id}:pid` and `:last_heartbeat`. */
export function isVirtualKey(key: string): boolean {
  return VIRTUAL.test(key);
}

/** The views `:agents`, `:agent:{id}:pid` and `:agent:{id}:last_heartbeat`; their rev counts the changes of the rows they show. */
export function createVirtualKeys(database: Database, agents: AgentRows): VirtualKeys {
  const sprints = database.db.prepare('SELECT sprint_id FROM sprints UNION SELECT sprint_id FROM agents');
  const known = (): readonly Id[] => sprints.all().map((row) => Sprint.parse(row).sprint_id);

  return {
    get: (key) => {
      const [, sprint_id, agent_id, field] = VIRTUAL.exec(key) ?? [];
      if (sprint_id === undefined) return undefined;
      const rows = agents.list(sprint_id);
      if (agent_id === undefined) {
        if (rows.length === 0 && !known().includes(sprint_id)) return undefined;
        // fromEntries also keeps an agent called __proto__.
        return {
          value: Object.fromEntries(rows.map((row) => [row.agent_id, row.info])),
          rev: rows.reduce((sum, row) => sum + row.rev, 1),
        };
      }
      const row = rows.find((candidate) => candidate.agent_id === agent_id);
      if (row === undefined) return undefined;
      return { value: field === 'pid' ? row.info.pid : row.info.last_heartbeat_at, rev: row.rev };
    },
    keys: () => [
      ...known().map(keys.agents),
      ...agents
        .ids()
        .flatMap(({ sprint_id, agent_id }) => [
          keys.agentPid(sprint_id, agent_id),
          keys.agentHeartbeat(sprint_id, agent_id),
        ]),
    ],
  };
}
