import type { Id } from './ids.ts';

/** The KV keys, each in one place. Namespace "" throughout. */
export const keys = {
  activeSprint: 'caloron:active_sprint',
  learnings: 'caloron:learnings',
  config: 'caloron:config',
  state: (sprint: Id) => `caloron:${sprint}:state`,
  cursors: (sprint: Id) => `caloron:${sprint}:cursors`,
  lastPoll: (sprint: Id) => `caloron:${sprint}:last_poll`,
  startedAt: (sprint: Id) => `caloron:${sprint}:started_at`,
  endedAt: (sprint: Id) => `caloron:${sprint}:ended_at`,
  paused: (sprint: Id) => `caloron:${sprint}:paused`,
  claim: (sprint: Id, task: Id) => `caloron:${sprint}:claim:${task}`,
  agents: (sprint: Id) => `caloron:${sprint}:agents`,
  agentPid: (sprint: Id, agent: Id) => `caloron:${sprint}:agent:${agent}:pid`,
  agentHeartbeat: (sprint: Id, agent: Id) => `caloron:${sprint}:agent:${agent}:last_heartbeat`,
  interventions: (sprint: Id, agent: Id) => `caloron:${sprint}:interventions:${agent}`,
  feedback: (sprint: Id) => `caloron:${sprint}:feedback`,
  kpis: (sprint: Id) => `caloron:${sprint}:kpis`,
  report: (sprint: Id) => `caloron:${sprint}:report`,
} as const;
