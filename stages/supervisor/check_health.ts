import { addMs, AgentsMap, entriesOf, Health, minutesBetween, Timestamp } from '@caloron/types';
import type { AgentInfo, Id, ProgressKind } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { roundHalfEven } from '../rounding.ts';

/** Minutes an agent has for its first heartbeat; its harness sends one at once. */
const FIRST_HEARTBEAT_M = 2;

/** Minutes without a sign of progress after which an agent counts as stalled. */
const STALL_THRESHOLD_M = 20;

/** How many times as long as it may an agent has to show nothing before it is lost: a harness has no reason to be late with its first heartbeat but a busy machine. */
const LOST_AFTER = { missing: 5, stalled: 2 } as const;

/** Minutes ahead up to which a promise is believed; the shell lets none further in, so one that is was made before the clock was set back. */
const LONGEST_PROMISE_M = 120;

/** Minutes for which the work of its processes alone keeps an agent alive that shows nothing else: a silent build may take an hour, a loop goes on for ever. */
const CPU_CARRIES_M = 60;

/** Minutes without a heartbeat after which a harness, which beats once a minute by default, is not just late. */
const HEARD_M = 5;

/** The latest sign of progress there is. */
interface Sign {
  readonly at: Timestamp | null;
  readonly kind: ProgressKind | null;
}

/** The later of two instants. */
function later(a: Timestamp, b: Timestamp | null): Timestamp {
  return b !== null && b > a ? b : a;
}

/** Signs that a person could see count; that its processes compute counts too, for a while after the last of those. */
function signOf({ last_progress_at, progress_kind, last_cpu_at, task_started_at }: AgentInfo): Sign {
  const seen = { at: last_progress_at, kind: progress_kind ?? null };
  if (!last_cpu_at || (last_progress_at !== null && last_cpu_at <= last_progress_at)) return seen;
  const carried = addMs(later(task_started_at, last_progress_at), CPU_CARRIES_M * 60_000);
  return { at: last_cpu_at < carried ? last_cpu_at : carried, kind: 'cpu' };
}

/** Minutes from `since` to `now` in which the agent could be heard: what lies between its last heartbeat and the time the shell came to listen does not count. An instant ahead of `now` was written before the clock was set back. */
function watchedMinutes(since: Timestamp, heard: Timestamp | null, { now, listening_since }: Watch): number {
  const passed = Math.max(0, minutesBetween(since, now));
  if (listening_since === null) return passed;
  const unheard = minutesBetween(later(since, heard), listening_since < now ? listening_since : now);
  return Math.max(0, passed - Math.max(0, unheard));
}

/** What silence is measured by. */
interface Watch {
  readonly now: Timestamp;
  readonly threshold_m: number;
  readonly listening_since: Timestamp | null;
}

type Judged = Pick<Health, 'status' | 'minutes_since' | 'liveness' | 'silent_since'>;

/**
 * A beating heart is no progress: the harness beats by itself. Only progress resets the stall clock, and an agent that said when it will
 * show some is not stalled before. Between doubt and certainty lies time: an agent that shows nothing for longer than it may is suspect, and
 * lost when that goes on as long again; a silent build ends in between.
 */
function statusOf(info: AgentInfo, { at }: Sign, watch: Watch): Judged {
  const { now, threshold_m } = watch;
  const { last_heartbeat_at: heard, task_started_at: started, next_by } = info;
  if (!info.alive)
    return {
      status: 'dead',
      minutes_since: whole(info.exit?.at ?? heard ?? started, now),
      liveness: 'lost',
    };
  if (heard === null) {
    const waited = watchedMinutes(started, null, watch);
    return {
      status: waited > FIRST_HEARTBEAT_M ? 'missing' : 'healthy',
      minutes_since: whole(started, now),
      liveness: livenessOf(waited, FIRST_HEARTBEAT_M, LOST_AFTER.missing),
    };
  }
  const since = later(started, at);
  const idle = watchedMinutes(since, heard, watch);
  const promised = next_by !== null && next_by >= now && minutesBetween(now, next_by) <= LONGEST_PROMISE_M;
  return {
    status: idle > threshold_m && !promised ? 'stalled' : 'healthy',
    minutes_since: whole(since, now),
    liveness: promised ? 'live' : livenessOf(idle, threshold_m, LOST_AFTER.stalled),
    ...(watchedMinutes(heard, heard, watch) > HEARD_M ? { silent_since: heard } : {}),
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
    /** Since when the shell has heard its agents without a gap: their silence before says nothing. */
    listening_since: Timestamp.nullish(),
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
  run: ({ agents, now, listening_since, stall_threshold_m }) => {
    const threshold_m = stall_threshold_m ?? STALL_THRESHOLD_M;
    const watch = { now, threshold_m, listening_since: listening_since ?? null };
    return {
      results: entriesOf(agents ?? {})
        .filter(([, info]) => info.status !== 'finished')
        .map(([agent_id, info]) => healthOf(agent_id, info, watch))
        .toSorted((a, b) => (a.agent_id < b.agent_id ? -1 : 1)),
    };
  },
});

function healthOf(agent_id: Id, info: AgentInfo, watch: Watch): Health {
  const sign = signOf(info);
  return {
    agent_id,
    task_id: info.task_id,
    ...statusOf(info, sign, watch),
    last_progress_at: sign.at,
    ...(sign.kind === null ? {} : { progress_kind: sign.kind }),
  };
}
