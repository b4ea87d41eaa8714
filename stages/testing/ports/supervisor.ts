import { minutesBetween } from '@caloron/types';
import { z } from 'zod';

import { exampleState, exampleTask } from '../../dag/example.ts';
import { inline } from '../../markdown.ts';
import { roundHalfEven } from '../../rounding.ts';
import { commitSupervision } from '../../sprint/commit_supervision.ts';
import { checkAgentHealth } from '../../supervisor/check_health.ts';
import { composeInterventionMessage } from '../../supervisor/compose_message.ts';
import { decideIntervention } from '../../supervisor/decide_intervention.ts';

import { fieldsIn, isNoId, itemsIn, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { memoryStore } from '../memory_store.ts';
import { isInstant, timestamp } from '../vectors.ts';
import type { Row } from '../vectors.ts';

/** An agent in our shape. All its sign of life the original knows is its heartbeat, so that is its progress too. */
function agentOf(id: string, info: unknown): unknown {
  if (typeof info !== 'object' || info === null) return info;
  const { last_heartbeat_at, task_started_at } = fieldsIn(info);
  const beat = timestamp(last_heartbeat_at ?? null);
  return {
    sprint_id: 'sprint-1',
    task_id: id,
    role: 'author',
    process_id: 'p-1',
    pid: 4711,
    alive: true,
    status: 'working',
    // Every agent of ours was started; one the original knows no start of began with its first heartbeat.
    task_started_at: timestamp(task_started_at ?? null) ?? beat,
    last_heartbeat_at: beat,
    last_progress_at: beat,
    next_by: null,
    tokens_used: 0,
    exit: null,
  };
}

function agentsIn(row: Row): readonly (readonly [string, Readonly<Record<string, unknown>>])[] {
  return Object.entries(fieldsIn(row.input['agents'])).map(([id, info]) => [id, fieldsIn(info)]);
}

const Judged = z.object({
  results: z.array(z.object({ agent_id: z.string(), status: z.string(), minutes_since: z.number() })),
});

/** An agent nobody saw: no heartbeat and no start. */
function isUnseen(info: Readonly<Record<string, unknown>>): boolean {
  return (info['last_heartbeat_at'] ?? null) === null && !info['task_started_at'];
}

/** The times an agent is judged by, as they are given. */
function timesOf(info: Readonly<Record<string, unknown>>): readonly unknown[] {
  return [info['last_heartbeat_at'], info['task_started_at']].filter((at) => (at ?? null) !== null);
}

type Judgement = z.infer<typeof Judged>['results'][number];

/** What is said of an agent by the newest of its times. */
function sinceStart(one: Judgement, row: Row): Judgement {
  const info = agentsIn(row).find(([id]) => id === one.agent_id)?.[1] ?? {};
  const newest = timesOf(info)
    .map((at) => String(timestamp(at)))
    .toSorted()
    .at(-1);
  if (newest === undefined) return one;
  const minutes = minutesBetween(newest, String(timestamp(row.now)));
  const threshold = row.input['stall_threshold_m'] ?? 20;
  const beats = (info['last_heartbeat_at'] ?? null) !== null;
  return {
    ...one,
    status: !beats ? one.status : minutes > Number(threshold) ? 'stalled' : 'healthy',
    minutes_since: Math.max(0, roundHalfEven(minutes, 0)),
  };
}

const health: Port = {
  file: 'supervisor_check_health',
  counterparts: ['check_agent_health'],
  run: ({ input, now = '' }) => {
    const given = input['agents'];
    const agents =
      typeof given === 'object' && given !== null && !Array.isArray(given)
        ? Object.fromEntries(Object.entries(given).map(([id, info]) => [id, agentOf(id, info)]))
        : given;
    const { results } = checkAgentHealth.call(
      checkAgentHealth.input.parse({ ...input, agents, now: timestamp(now) }),
      {},
    );
    return {
      results: results.map(({ agent_id, status, minutes_since }) => ({ agent_id, status, minutes_since })),
    };
  },
  rules: [
    {
      why: 'Objects have no order of their own when their keys look like integers: results come by agent_id.',
      ours: (golden) => {
        const judged = Judged.safeParse(golden);
        if (!judged.success) return golden;
        return { results: judged.data.results.toSorted((a, b) => (a.agent_id < b.agent_id ? -1 : 1)) };
      },
    },
    {
      why: 'Only progress resets the stall clock, and before any it runs from the start: the minutes since are said, never fewer than none.',
      ours: (golden, row) => {
        const judged = Judged.safeParse(golden);
        return judged.success ? { results: judged.data.results.map((one) => sinceStart(one, row)) } : golden;
      },
    },
    {
      why: 'Absent is null on the wire: the default of 20 minutes holds, and no agents are none.',
      ours: (golden, row) => {
        if (row.input['agents'] === null) return { results: [] };
        if (row.input['stall_threshold_m'] !== null) return golden;
        const results = agentsIn(row).map(([agent_id]) => ({
          agent_id,
          status: 'healthy',
          minutes_since: 0,
        }));
        return { results: results.map((one) => sinceStart(one, row)) };
      },
    },
    refuses(
      'A stall threshold is a positive number of minutes.',
      ({ input: { stall_threshold_m: given = 20 } }) =>
        given !== null && !(typeof given === 'number' && given > 0),
    ),
    refuses('Every agent of a sprint was started by the shell: one without any time is damaged.', (row) =>
      agentsIn(row).some(([, info]) => isUnseen(info)),
    ),
    refuses('An instant has a date, a time and a zone.', (row) =>
      agentsIn(row).some(([, info]) => timesOf(info).some((at) => !isInstant(at))),
    ),
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', (row) => agentsIn(row).some(([id]) => isNoId(id))),
  ],
};

const Results = z.array(
  z.looseObject({ agent_id: z.unknown(), status: z.unknown(), minutes_since: z.unknown().optional() }),
);
const Decided = z.object({
  actions: z.array(z.object({ agent_id: z.string(), action: z.string() })),
  updated_interventions: z.record(z.string(), z.unknown()),
});

/** The rungs the original counts for an agent. Our count is the task's, and an agent without one has none. */
function countOf(row: Row, agent_id: string): unknown {
  const given = row.input['interventions'];
  if (given === null) return null;
  return fieldsIn(given)[agent_id] ?? 0;
}

async function decide(row: Row): Promise<unknown> {
  const results = Results.parse(row.input['results']);
  const ids = results.map(({ agent_id }) => String(agent_id));
  const known = [...new Set([...ids, ...Object.keys(fieldsIn(row.input['interventions']))])];
  const now = '2026-04-14T08:30:00.000Z';
  const tasks = known.map((id) => ({
    ...exampleTask(id, { status: 'InProgress', agent_id: id, attempt: 1, process_id: 'p-1' }),
    intervention_count: countOf(row, id),
  }));
  const { state, results: parsed } = decideIntervention.input.parse({
    results: results.map((one) => ({ ...one, task_id: one.agent_id })),
    state: {
      ...exampleState([]),
      order: known,
      tasks: Object.fromEntries(tasks.map((task) => [task.id, task])),
    },
    now,
  });
  const { decisions } = decideIntervention.call({ state, results: parsed, now }, {});
  const store = memoryStore([state]);
  const { sprint_id } = state;
  await commitSupervision.run(
    { sprint_id, decisions, messages: decisions.map(({ reason }) => ({ message: reason })), now },
    store,
  );
  const after = Object.values(store.sprints.get(sprint_id)?.state.tasks ?? {});
  return {
    actions: decisions.map(({ agent_id, action }) => ({ agent_id, action })),
    updated_interventions: Object.fromEntries(
      after.flatMap(({ agent_id, intervention_count }) =>
        intervention_count > 0 ? [[agent_id, intervention_count]] : [],
      ),
    ),
  };
}

const STATUSES: readonly unknown[] = ['healthy', 'missing', 'stalled', 'unknown', 'dead'];

const decision: Port = {
  file: 'supervisor_decide_intervention',
  counterparts: ['decide_intervention', 'commit_supervision'],
  run: decide,
  // Why is said in our own words.
  shared: (output) => {
    const { actions, updated_interventions } = Decided.parse(output);
    const counted = Object.entries(updated_interventions).filter(([, count]) => count !== 0);
    return { actions, updated_interventions: Object.fromEntries(counted) };
  },
  rules: [
    {
      why: 'One ladder per task: probe → restart → reassign or escalate. A silent process answers no probe: it is restarted first.',
      ours: (golden, row) => {
        const decided = Decided.safeParse(golden);
        if (!decided.success) return golden;
        const missing = itemsIn(row.input['results'])
          .map(fieldsIn)
          .filter(({ status }) => status === 'missing')
          .map(({ agent_id }) => agent_id);
        const actions = decided.data.actions.map((one) =>
          missing.includes(one.agent_id) && Number(countOf(row, one.agent_id)) < 2
            ? { ...one, action: 'restart' }
            : one,
        );
        return { ...decided.data, actions };
      },
    },
    refuses('What enters is parsed: a health has its minutes and one of five statuses.', ({ input }) => {
      const results = itemsIn(input['results']).map(fieldsIn);
      return (
        !Array.isArray(input['results']) ||
        results.some(({ minutes_since }) => typeof minutes_since !== 'number') ||
        results.some(({ status }) => !STATUSES.includes(status))
      );
    }),
    refuses('Interventions are counted in whole numbers.', ({ input }) =>
      Object.values(fieldsIn(input['interventions'])).some(
        (count) => !Number.isInteger(count) || Number(count) < 0,
      ),
    ),
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', ({ input }) =>
      [
        ...itemsIn(input['results']).map((one) => fieldsIn(one)['agent_id']),
        ...Object.keys(fieldsIn(input['interventions'])),
      ].some(isNoId),
    ),
  ],
};

/** The words of an intervention other programs and people go by; the prose around them is free. */
function protocolOf(message: string, { input }: Row): unknown {
  const { agent_id, task_title, health_status, action } = input;
  const title = typeof task_title === 'string' ? task_title : 'unknown task';
  const says = (text: unknown): boolean => message.includes(String(text));
  return {
    mentions: /@caloron-agent-\S*/.exec(message)?.[0] ?? null,
    agent: says(agent_id),
    title: says(title) || says(inline(title)),
    status: action === 'escalate_human' ? says(health_status) : null,
    heading: message.startsWith('#') ? message.split('\n')[0] : null,
    words: ['resolved', 'caloron:take-over'].filter(says),
    preserved: says('preserved'),
  };
}

const Message = z.object({ message: z.string() });
const ACTIONS: readonly unknown[] = ['probe', 'restart', 'reassign', 'escalate_human'];

const message: Port = {
  file: 'supervisor_compose_message',
  counterparts: ['compose_intervention_message'],
  run: (row) =>
    protocolOf(
      composeInterventionMessage.call(composeInterventionMessage.input.parse(row.input), {}).message,
      row,
    ),
  shared: (output, row) => protocolOf(Message.parse(output).message, row),
  rules: [
    {
      why: 'Absent is null on the wire.',
      ours: (golden, { input }) =>
        input['task_title'] === null ? { ...fieldsIn(golden), title: true } : golden,
    },
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', ({ input }) => isNoId(input['agent_id'])),
    refuses(
      'The rungs are probe, restart, reassign and escalate_human; another word is an error.',
      ({ input }) => !ACTIONS.includes(input['action']),
    ),
    refuses('What enters is parsed: a number is no text.', ({ input }) =>
      ['task_title', 'health_status'].some((key) => typeof input[key] === 'number'),
    ),
  ],
};

/** The stages of the original's `supervisor/`. */
export const supervisorPorts: readonly Port[] = [health, decision, message];
