import { CodedError } from '@caloron/noether/stage';
import type { DagState } from '@caloron/types';

import { exampleState } from '../../dag/example.ts';
import { commitTick } from '../../sprint/commit_tick.ts';
import { loadAgents } from '../../sprint/load_agents.ts';
import { loadSprint } from '../../sprint/load_sprint.ts';
import { fieldsIn, isNoId, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { memoryShell } from '../memory_shell.ts';
import { memoryStore } from '../memory_store.ts';
import { taskOf } from '../vectors.ts';
import type { Row } from '../vectors.ts';
import { isObject, NOW, standIn } from './sprint_values.ts';

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

/** What a tick loads and saves beside the original's state file. */
export const statePorts: readonly Port[] = [load, save];
