import { ID_PATTERN } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';

const Node = z.object({
  depends_on: z.array(z.unknown()).nullish(),
  agent_id: z.string().nullish(),
  reviewer_id: z.string().nullish(),
});
type Node = z.infer<typeof Node>;

/** What a DAG's author may get wrong, so as lenient as a check can be: a wrong field is a message, not a refusal. */
const Dag = z.object({ order: z.array(z.string()).nullish(), tasks: z.record(z.string(), Node).nullish() });

type Tasks = ReadonlyMap<string, Node>;

/** The tasks a node names; what is no text names none. */
function dependencies(node: Node): readonly string[] {
  return (node.depends_on ?? []).filter((on) => typeof on === 'string');
}

/** What a node waits for that is no task. */
function unknownDependencies(node: Node, tasks: Tasks): readonly unknown[] {
  return (node.depends_on ?? []).filter((on) => typeof on !== 'string' || !tasks.has(on));
}

/** Ids that no order of work can ever reach: those on a cycle and those behind one. */
function unreachable(tasks: Tasks): readonly string[] {
  const left = new Map(
    [...tasks].map(([id, node]) => [id, new Set(dependencies(node).filter((on) => tasks.has(on)))]),
  );
  for (;;) {
    const free = [...left].filter(([, on]) => on.size === 0).map(([id]) => id);
    if (free.length === 0) return [...left.keys()].toSorted();
    for (const id of free) left.delete(id);
    for (const on of left.values()) for (const id of free) on.delete(id);
  }
}

function idProblem(what: string, id: string): readonly string[] {
  return ID_PATTERN.test(id) ? [] : [`${what} '${id}' is no id: a-z, 0-9, _ and -, at most 64 characters`];
}

function taskProblems(id: string, node: Node, tasks: Tasks): readonly string[] {
  const on = dependencies(node);
  const { agent_id, reviewer_id } = node;
  return [
    ...idProblem('Task', id),
    ...unknownDependencies(node, tasks).map(
      (other) => `Task '${id}' depends on unknown task '${String(other)}'`,
    ),
    ...on
      .filter((other, at) => on.indexOf(other) !== at)
      .map((other) => `Task '${id}' names dependency '${other}' twice`),
    ...(agent_id === undefined || agent_id === null || agent_id === ''
      ? [`Task '${id}' has no agent_id`]
      : idProblem(`Task '${id}': agent`, agent_id)),
    ...(reviewer_id === undefined || reviewer_id === null
      ? []
      : idProblem(`Task '${id}': reviewer`, reviewer_id)),
    ...(reviewer_id !== undefined && reviewer_id !== null && reviewer_id === agent_id
      ? [`Task '${id}' is reviewed by its own agent '${reviewer_id}'`]
      : []),
  ];
}

function orderProblems(order: readonly string[] | null | undefined, tasks: Tasks): readonly string[] {
  if (order === null || order === undefined) return [];
  return [
    ...order.filter((id) => !tasks.has(id)).map((id) => `The order names unknown task '${id}'`),
    ...order.filter((id, at) => order.indexOf(id) !== at).map((id) => `The order names task '${id}' twice`),
    ...[...tasks.keys()].filter((id) => !order.includes(id)).map((id) => `The order leaves out task '${id}'`),
  ];
}

/** Checks a DAG before a sprint is begun with it and gives every problem, not only the first. */
export const dagValidate = defineStage({
  name: 'dag_validate',
  description: 'Checks a DAG and lists every problem: ids, agents, reviewers, dependencies, order, cycles.',
  effects: ['Pure'],
  input: z.object({ dag: Dag }),
  output: z.strictObject({ valid: z.boolean(), errors: z.array(z.string()) }),
  examples: [
    {
      input: {
        dag: {
          tasks: {
            form: { agent_id: 'agent-1', depends_on: [] },
            mail: { agent_id: 'agent-2', depends_on: ['form'] },
          },
        },
      },
      output: { valid: true, errors: [] },
    },
    {
      input: { dag: { tasks: { form: { agent_id: 'agent-1', depends_on: ['ghost', 'form'] } } } },
      output: {
        valid: false,
        errors: ["Task 'form' depends on unknown task 'ghost'", 'DAG contains a cycle involving: form'],
      },
    },
    { input: { dag: { tasks: {} } }, output: { valid: false, errors: ['DAG has no tasks'] } },
  ],
  run: ({ dag }) => {
    const tasks: Tasks = new Map(Object.entries(dag.tasks ?? {}));
    const cycle = unreachable(tasks);
    const errors = [
      ...(tasks.size === 0 ? ['DAG has no tasks'] : []),
      ...[...tasks].flatMap(([id, node]) => taskProblems(id, node, tasks)),
      ...orderProblems(dag.order, tasks),
      ...(cycle.length === 0 ? [] : [`DAG contains a cycle involving: ${cycle.join(', ')}`]),
    ];
    return { valid: errors.length === 0, errors };
  },
});
