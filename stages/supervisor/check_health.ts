import { AgentsMap, entriesOf, Health, minutesBetween, Timestamp } from '@caloron/types';
import type { AgentInfo } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { roundHalfEven } from '../rounding.ts';

/** Minutes an agent has for its first heartbeat; its harness sends one at once. */
const FIRST_HEARTBEAT_M = 2;

/** Minutes without a sign of progress after which an agent counts as stalled. */
const STALL_THRESHOLD_M = 20;

/** How many times as long as it may an agent has to show nothing before it is lost: a harness has no reason to be late with its first heartbeat but a busy machine. */
const LOST_AFTER = { missing: 5, stalled: 2 } as const;

/** The newest of the given instants. */
function latest(...instants: readonly (Timestamp | null)[]): Timestamp | null {
  return instants.reduce<Timestamp | null>(
    (newest, at) => (at !== null && (newest === null || at > newest) ? at : newest),
    null,
  );
}

/**
 * A beating heart is no progress: the harness beats by itself. Only progress resets the stall clock, and an agent that said when it will
 * show some is not stalled before. Between doubt and certainty lies time: an agent that shows nothing for longer than it may is suspect, and
 * lost when that goes on as long again; a silent build ends in between.
 */
function statusOf(
  info: AgentInfo,
  now: Timestamp,
  threshold_m: number,
): Pick<Health, 'status' | 'minutes_since' | 'liveness'> {
  if (!info.alive)
    return {
      status: 'dead',
      minutes_since: whole(info.exit?.at ?? info.last_heartbeat_at ?? info.task_started_at, now),
      liveness: 'lost',
    };
  if (info.last_heartbeat_at === null) {
    const waited = minutesBetween(info.task_started_at, now);
    return {
      status: waited > FIRST_HEARTBEAT_M ? 'missing' : 'healthy',
      minutes_since: whole(info.task_started_at, now),
      liveness: livenessOf(waited, FIRST_HEARTBEAT_M, LOST_AFTER.missing),
    };
  }
  const since = latest(info.last_progress_at, info.task_started_at) ?? info.task_started_at;
  const idle = minutesBetween(since, now);
  const promised = info.next_by !== null && info.next_by >= now;
  return {
    status: idle > threshold_m && !promised ? 'stalled' : 'healthy',
    minutes_since: whole(since, now),
    liveness: promised ? 'live' : livenessOf(idle, threshold_m, LOST_AFTER.stalled),
  };
}

/** How alive an agent is that showed nothing for `idle` minutes and may for `threshold_m`. */
function livenessOf(idle: number, threshold_m: number, lost_after: number): Health['liveness'] {
  if (idle > threshold_m * lost_after) return 'lost';
  if (idle > threshold_m) return 'suspect';
  return idle > threshold_m / 2 ? 'quiet' : 'live';
}

/** Whole minutes from `from` to `now`, half to even; 0 when `from` is later. */
function whole(from: Timestamp, now: Timestamp): number {
  const minutes = minutesBetween(from, now);
  return Number.isNaN(minutes) ? 0 : Math.max(0, roundHalfEven(minutes, 0));
}

/** An agent whose harness beats and which has not got on for a while. */
const exampleAgent: AgentInfo = {
  sprint_id: 'login-20260414',
  task_id: 'form',
  role: 'author',
  process_id: 'p-1',
  pid: 4711,
  alive: true,
  status: 'working',
  task_started_at: '2026-04-14T08:00:00.000Z',
  last_heartbeat_at: '2026-04-14T08:29:30.000Z',
  last_progress_at: '2026-04-14T08:05:00.000Z',
  next_by: null,
  tokens_used: 1200,
  exit: null,
};

/** Judges the agents of a sprint: alive, and getting on with it. Finished ones are left out. */
export const checkAgentHealth = defineStage({
  name: 'check_agent_health',
  description: 'Tells which agents are healthy, missing, stalled or dead.',
  effects: ['Pure'],
  input: z.object({
    agents: AgentsMap.nullish(),
    now: Timestamp,
    stall_threshold_m: z.number().positive().nullish(),
  }),
  output: z.strictObject({ results: z.array(Health) }),
  examples: [
    {
      input: {
        agents: {
          'agent-1': exampleAgent,
        },
        now: '2026-04-14T08:30:00.000Z',
        stall_threshold_m: 20,
      },
      output: {
        results: [
          {
            agent_id: 'agent-1',
            task_id: 'form',
            status: 'stalled',
            minutes_since: 25,
            liveness: 'suspect',
            last_progress_at: '2026-04-14T08:05:00.000Z',
          },
        ],
      },
    },
    {
      input: {
        agents: {
          'agent-1': { ...exampleAgent, last_progress_at: '2026-04-14T08:29:00.000Z' },
          'agent-2': { ...exampleAgent, status: 'finished' },
        },
        now: '2026-04-14T08:30:00.000Z',
      },
      output: {
        results: [
          {
            agent_id: 'agent-1',
            task_id: 'form',
            status: 'healthy',
            minutes_since: 1,
            liveness: 'live',
            last_progress_at: '2026-04-14T08:29:00.000Z',
          },
        ],
      },
    },
    {
      input: {
        agents: { 'agent-1': { ...exampleAgent, alive: false, last_progress_at: null } },
        now: '2026-04-14T08:32:30.000Z',
      },
      output: {
        results: [
          {
            agent_id: 'agent-1',
            task_id: 'form',
            status: 'dead',
            minutes_since: 3,
            liveness: 'lost',
            last_progress_at: null,
          },
        ],
      },
    },
  ],
  run: ({ agents, now, stall_threshold_m }) => ({
    results: entriesOf(agents ?? {})
      .filter(([, info]) => info.status !== 'finished')
      .map(([agent_id, info]) => ({
        agent_id,
        task_id: info.task_id,
        ...statusOf(info, now, stall_threshold_m ?? STALL_THRESHOLD_M),
        last_progress_at: info.last_progress_at,
      }))
      .toSorted((a, b) => (a.agent_id < b.agent_id ? -1 : 1)),
  }),
});
