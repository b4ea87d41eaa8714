import { readFileSync } from 'node:fs';

import { buildCatalog, parseGraph, runGraph } from '@caloron/noether';
import type { Json } from '@caloron/noether';
import { CodedError } from '@caloron/noether/stage';
import type { DagState } from '@caloron/types';
import { z } from 'zod';

import { dagEvaluate } from '../../dag/evaluate.ts';
import { exampleState } from '../../dag/example.ts';
import { buildTickOutput } from '../../sprint/build_tick_output.ts';
import { commitTick } from '../../sprint/commit_tick.ts';
import { executeActions } from '../../sprint/execute_actions.ts';
import { loadAgents } from '../../sprint/load_agents.ts';
import { loadSprint } from '../../sprint/load_sprint.ts';
import { decideIntervention } from '../../supervisor/decide_intervention.ts';
import { REJECTS, fieldsIn, isNoId, itemsIn, refuses } from '../conformance.ts';
import type { Port, Rule } from '../conformance.ts';
import { memoryShell } from '../memory_shell.ts';
import { memoryStore } from '../memory_store.ts';
import { isInstant, taskOf, timestamp } from '../vectors.ts';
import type { Row } from '../vectors.ts';

const NOW = '2026-04-14T08:30:00.000Z';

/** An instant like no other, for a golden text that stands for one without being one. */
function standIn(text: unknown): unknown {
  return isInstant(text)
    ? timestamp(text)
    : typeof text === 'string' && text !== ''
      ? '2026-05-01T00:00:00.000Z'
      : text;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const build: Port = {
  file: 'sprint_build_tick_output',
  counterparts: ['build_tick_output'],
  run: ({ input }) => {
    const { execute_result, poll } = input;
    const executed = isObject(execute_result) ? fieldsIn(execute_result) : {};
    const given = isObject(poll) ? fieldsIn(poll)['polled_at'] : poll;
    const first = { ...executed, stuck: {}, complete: false, last_seq: 0 };
    const output = buildTickOutput.call(
      buildTickOutput.input.parse({ now: standIn(given), first, rounds: [] }),
      {},
    );
    return { actions_taken: output.actions_taken, errors: output.errors, polled_at: output.polled_at };
  },
  // The state and the interventions are made true by commit_tick and commit_supervision, before anything is done.
  shared: (output) => {
    const { actions_taken, errors, polled_at } = fieldsIn(output);
    return { actions_taken, errors, polled_at: standIn(polled_at) };
  },
  rules: [
    refuses(
      'A damaged value is an error that names its place; it is never replaced by an empty default.',
      (row) => {
        const { execute_result, poll } = row.input;
        const { actions_taken, errors } = fieldsIn(execute_result);
        return !Array.isArray(actions_taken) || !Array.isArray(errors) || !fieldsIn(poll)['polled_at'];
      },
    ),
  ],
};

const Node = z.looseObject({ op: z.string() });

/** Every node below a value of graph JSON. */
function nodesIn(value: unknown): readonly z.infer<typeof Node>[] {
  const below = (typeof value === 'object' && value !== null ? Object.values(value) : []).flatMap(nodesIn);
  const node = Node.safeParse(value);
  return node.success ? [node.data, ...below] : below;
}

const tick: unknown = JSON.parse(
  readFileSync(new URL('../../../compositions/sprint_tick.json', import.meta.url), 'utf8'),
);

/** The tick's first Project in front of a stage. */
function projectBefore(stage: string): unknown {
  const chains = nodesIn(fieldsIn(tick)['root']).filter(({ op }) => op === 'Sequential');
  const found = chains.flatMap((chain) => {
    const stages = itemsIn(chain['stages']).map(fieldsIn);
    const at = stages.findIndex(({ op, id }) => op === 'Stage' && id === stage);
    return stages[at - 1]?.['op'] === 'Project' ? [stages[at - 1]] : [];
  });
  if (found[0] === undefined) throw new Error(`no Project in front of ${stage}`);
  return found[0];
}

/** What the tick hands to a stage when its bindings are these. */
async function projected(stage: string, bindings: object): Promise<Readonly<Record<string, unknown>>> {
  const graph = parseGraph(
    JSON.stringify({ description: stage, version: '0.1.0', root: projectBefore(stage) }),
    'sprint_tick.json',
  );
  const result = await runGraph({
    graph,
    graph_name: stage,
    input: JSON.parse(JSON.stringify(bindings)) as Json,
    catalog: buildCatalog([]),
    capabilities: () => ({}),
    clock: { now: () => NOW },
    uuid: () => 'run-1',
  });
  if (!result.ok) throw new CodedError<Record<string, object>>(result.error.code, {}, result.error.message);
  return fieldsIn(result.output);
}

/** The threshold of a tick as load_sprint takes it: the one given, else the sprint's. */
function thresholdOf(input: Row['input']): unknown {
  const { stall_threshold_m } = loadSprint.input.parse({
    sprint_id: 'sprint-1',
    repo: 'acme/shop',
    stall_threshold_m: input['stall_threshold_m'],
  });
  return stall_threshold_m ?? exampleState([]).sprint.stall_threshold_m;
}

/** A reshaping stage of the original makes up what is not there; a Project hands on null, and the stage behind it refuses that. */
function absent(part: string, of: (input: Row['input']) => unknown): Rule {
  return refuses(
    `op Project replaces hand-written reshape stages: it makes nothing up, and null is no ${part}.`,
    ({ input }) => of(input) === undefined,
  );
}

const poll: Port = {
  file: 'sprint_project_poll_to_eval',
  counterparts: ['Project before dag_evaluate', 'load_sprint'],
  run: async ({ input }) => {
    const { state, events, stall_threshold_m } = await projected('dag_evaluate', {
      sprint: { state: input['state'], stall_threshold_m: thresholdOf(input) },
      poll: input['poll'],
      log: { events: [] },
      clock: { now: NOW },
      agents: { busy: [] },
    });
    // What dag_evaluate says of both when they are null: a state has to be there, events need not.
    if (state === null) dagEvaluate.input.shape.state.parse(state);
    return { state, events: events ?? [], stall_threshold_m };
  },
  rules: [
    {
      why: 'A stall threshold is a number of minutes: fractions count, and absent or null is the sprint’s own.',
      ours: (golden, { input }) => {
        const { stall_threshold_m = null, state, poll: polled } = input;
        if (golden === REJECTS && stall_threshold_m !== null) return golden;
        const minutes = stall_threshold_m ?? 20;
        return { state, events: fieldsIn(polled)['events'] ?? [], stall_threshold_m: minutes };
      },
    },
    refuses(
      'A stall threshold is a positive number of minutes.',
      ({ input: { stall_threshold_m: given = null } }) =>
        given !== null && !(typeof given === 'number' && given > 0),
    ),
    absent('state', ({ state }) => state),
    refuses(
      'op Project replaces hand-written reshape stages: a path through what is no object is an error.',
      ({ input }) => !isObject(input['poll']),
    ),
  ],
};

const health: Port = {
  file: 'sprint_project_health_to_intervention',
  counterparts: ['Project before decide_intervention'],
  run: async ({ input }) => {
    const { results } = await projected('decide_intervention', {
      health: input['health'],
      evaluated: { state: exampleState([]) },
      clock: { now: NOW },
    });
    if (results === null) decideIntervention.input.shape.results.parse(results);
    return { results };
  },
  // Interventions are counted in the state's tasks.
  shared: (output) => ({ results: fieldsIn(output)['results'] }),
  rules: [absent('health.results', ({ health: judged }) => fieldsIn(judged)['results'])],
};

const execute: Port = {
  file: 'sprint_project_all_to_execute',
  counterparts: ['Project before execute_actions', 'execute_actions'],
  run: async ({ input: { sprint_id, shell_url } }) => {
    const handed = await projected('execute_actions', { sprint_id, shell_url });
    const parsed = executeActions.input.parse(handed);
    return { sprint_id: parsed.sprint_id, shell_url: parsed.shell_url };
  },
  // Repository, host and token are the sprint's; the actions wait in the outbox, where both commits put them.
  shared: (output) => {
    const { sprint_id, shell_url } = fieldsIn(output);
    return { sprint_id, shell_url };
  },
  rules: [
    {
      why: 'Repository and token are what the sprint was kicked off with: nothing that acts is handed them.',
      ours: (golden, { input: { repo, token_env, sprint_id, shell_url } }) =>
        repo === undefined || token_env === undefined || shell_url === undefined
          ? { sprint_id, shell_url: shell_url ?? null }
          : golden,
    },
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', ({ input }) => isNoId(input['sprint_id'])),
  ],
};

type Tasks = Readonly<Record<string, unknown>>;

function stateOf(sprint_id: string, state: unknown, interventions: unknown): unknown {
  if (!isObject(state) || !isObject(fieldsIn(state)['tasks'])) return state;
  const tasks = Object.entries(fieldsIn(fieldsIn(state)['tasks']));
  const counts = fieldsIn(interventions);
  const ours = tasks.map(([id, task]) => {
    const { agent_id = id } = fieldsIn(task);
    const counted = { intervention_count: counts[String(agent_id)] ?? 0, ...fieldsIn(task) };
    return [id, taskOf(id, counted)] as const;
  });
  const empty = exampleState([]);
  return {
    ...empty,
    sprint_id,
    sprint: { ...empty.sprint, sprint_id, repo: 'o/r' },
    order: tasks.map(([id]) => id),
    tasks: Object.fromEntries(ours),
  };
}

/** What the original keeps of a sprint, in its own shape. */
function keptOf(state: DagState, since: string | null): unknown {
  const tasks: Tasks = Object.fromEntries(
    Object.entries(state.tasks).map(([id, { status }]) => [id, { status }]),
  );
  const counts = Object.values(state.tasks).flatMap(({ agent_id, intervention_count }) =>
    intervention_count > 0 ? [[agent_id, intervention_count] as const] : [],
  );
  return { tasks, interventions: Object.fromEntries(counts), since };
}

/** A golden sprint reduced to what both keep: tasks by their status, counts, the newest time heard of. */
function kept(given: unknown): unknown {
  const { state, interventions, since } = fieldsIn(given);
  const tasks = Object.entries(fieldsIn(fieldsIn(state)['tasks'])).map(([id, task]) => {
    const { status } = fieldsIn(task);
    return [id, { status }] as const;
  });
  return {
    tasks: Object.fromEntries(tasks),
    interventions: fieldsIn(interventions),
    since: since === undefined || since === '' ? null : standIn(since),
  };
}

function fileOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CodedError<Record<string, object>>('STORE_VALUE_INVALID', {}, 'the value is no JSON', {
      cause,
    });
  }
}

/** The store that holds what the original's file holds; a file that is damaged is refused when it is read, as ours refuses. */
function storeOf(row: Row): ReturnType<typeof memoryStore> {
  const store = memoryStore();
  const { sprint_id } = row.input;
  const text = row.kv_files_before?.[`${String(sprint_id)}.json`];
  if (text === undefined) return store;
  const { state, interventions, since = null } = fieldsIn(fileOf(text));
  const parsed = commitTick.input.shape.state.parse(stateOf(String(sprint_id), state, interventions));
  const last_poll = since === null || since === '' ? null : String(standIn(since));
  store.sprints.set(String(sprint_id), {
    state: parsed,
    rev: 1,
    cursors: { v: 1, log_seq: 0, forge: {} },
    last_poll,
  });
  return store;
}

const load: Port = {
  file: 'sprint_load_tick_state',
  counterparts: ['load_sprint', 'load_agents'],
  run: async (row) => {
    const input = loadSprint.input.parse({ ...row.input });
    const { state: store } = storeOf(row);
    const loaded = loadSprint.output.parse(await loadSprint.run(input, { state: store }));
    const { sprint_id } = input;
    const { agents } = loadAgents.output.parse(
      await loadAgents.run({ sprint_id }, { shell: { open: () => memoryShell().shell } }),
    );
    const { target, stall_threshold_m, last_poll } = loaded;
    const { repo, token_env } = target;
    return {
      sprint_id,
      repo,
      token_env,
      stall_threshold_m,
      agents,
      ...fieldsIn(keptOf(loaded.state, last_poll)),
    };
  },
  // The forge's address is the sprint's too; the original's empty text for github.com is our null.
  shared: (output) => {
    const { sprint_id, repo, token_env, stall_threshold_m, agents } = fieldsIn(output);
    return { sprint_id, repo, token_env, stall_threshold_m, agents, ...fieldsIn(kept(output)) };
  },
  rules: [
    {
      why: 'The sprint as the store has it, the agents as the shell sees them: a caller brings neither.',
      ours: (golden, row) => {
        const text = row.kv_files_before?.[`${String(row.input['sprint_id'])}.json`];
        const brings = ['state', 'since', 'interventions', 'agents'].some((name) => name in row.input);
        if (!brings || text === undefined) return golden;
        return { ...fieldsIn(golden), agents: {}, ...fieldsIn(kept(JSON.parse(text))) };
      },
    },
    {
      why: 'A stall threshold is a number of minutes: fractions count.',
      ours: (golden, { input: { stall_threshold_m: given } }) =>
        typeof given === 'number' && isObject(golden)
          ? { ...fieldsIn(golden), stall_threshold_m: given }
          : golden,
    },
    refuses('A damaged or unknown value is an error; it is never replaced by an empty default.', (row) => {
      const text = row.kv_files_before?.[`${String(row.input['sprint_id'])}.json`];
      if (text === undefined) return true;
      try {
        return !isObject(fieldsIn(fieldsIn(JSON.parse(text))['state'])['tasks']);
      } catch {
        return true;
      }
    }),
    refuses(
      'A tick is for one repository and one forge, and null is absent.',
      ({ input }) =>
        typeof input['repo'] !== 'string' || (typeof input['host'] === 'string' && input['host'] !== ''),
    ),
    refuses(
      'A stall threshold is a positive number of minutes.',
      ({ input: { stall_threshold_m: given = null } }) =>
        given !== null && !(typeof given === 'number' && given > 0),
    ),
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', ({ input, kv_files_before }) => {
      const files = Object.values(kv_files_before ?? {}).flatMap((text) => {
        const ids = /"tasks": \{"([^"]+)"/.exec(text)?.[1];
        return ids === undefined ? [] : [ids];
      });
      return [input['sprint_id'], ...files].some(isNoId);
    }),
  ],
};

const save: Port = {
  file: 'sprint_save_tick_state',
  counterparts: ['commit_tick'],
  run: async (row) => {
    const { sprint_id, tick_result } = row.input;
    const store = storeOf(row);
    const before = store.sprints.get(String(sprint_id));
    const { state, interventions, polled_at } = fieldsIn(tick_result);
    const after = stateOf(String(sprint_id), state, interventions);
    const input = commitTick.input.parse({
      sprint_id,
      rev: before?.rev ?? 0,
      cursors: { v: 1, log_seq: 0, forge: {} },
      state: before?.state ?? after,
      evaluated: { state: after, actions: [], announce: [] },
      poll: { events: [], last_poll: standIn(polled_at) },
      now: NOW,
    });
    await commitTick.run(input, { state: store.state, kv: store.kv });
    const saved = store.sprints.get(String(sprint_id));
    if (saved === undefined)
      throw new CodedError<Record<string, object>>('STORE_NOTHING_SAVED', {}, 'nothing saved');
    return keptOf(saved.state, saved.last_poll);
  },
  // What was done and what failed is in the outbox and the log; where it is kept is one database.
  shared: (_output, row) => {
    const text = row.kv_files_after?.[`${String(row.input['sprint_id'])}.json`] ?? 'null';
    return kept(JSON.parse(text));
  },
  rules: [
    refuses(
      'A damaged value is an error; it is never replaced by an empty default, and writes nothing.',
      (row) => {
        const { state } = fieldsIn(row.input['tick_result']);
        return !isObject(fieldsIn(state)['tasks']) || !fieldsIn(row.input['tick_result'])['polled_at'];
      },
    ),
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', ({ input }) => {
      const { state } = fieldsIn(input['tick_result']);
      return [input['sprint_id'], ...Object.keys(fieldsIn(fieldsIn(state)['tasks']))].some(isNoId);
    }),
  ],
};

/** The stages of the original's `sprint/`. */
export const sprintPorts: readonly Port[] = [build, poll, health, execute, load, save];
