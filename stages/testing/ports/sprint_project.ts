import { readFileSync } from 'node:fs';

import { buildCatalog, parseGraph, runGraph } from '@caloron/noether';
import type { Json } from '@caloron/noether';
import { CodedError } from '@caloron/noether/stage';
import { z } from 'zod';

import { dagEvaluate } from '../../dag/evaluate.ts';
import { exampleState } from '../../dag/example.ts';
import { executeActions } from '../../sprint/execute_actions.ts';
import { loadSprint } from '../../sprint/load_sprint.ts';
import { decideIntervention } from '../../supervisor/decide_intervention.ts';
import { REJECTS, fieldsIn, isNoId, itemsIn, refuses } from '../conformance.ts';
import type { Port, Rule } from '../conformance.ts';
import type { Row } from '../vectors.ts';
import { isObject, NOW } from './sprint_values.ts';

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

/** The original's `project_*` stages beside the Project nodes of the tick. */
export const projectPorts: readonly Port[] = [poll, health, execute];
