import { Task } from '@caloron/types';
import { z } from 'zod';

import { dagEvaluate } from '../../dag/evaluate.ts';
import { dagIsComplete } from '../../dag/is_complete.ts';
import { dagValidate } from '../../dag/validate.ts';
import { fieldsIn, isNoId, itemsIn, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { evaluateInput } from '../vectors.ts';
import type { Row } from '../vectors.ts';
import { evaluatePort } from './evaluate.ts';

function tasksOf(of: unknown): readonly (readonly [string, Readonly<Record<string, unknown>>])[] {
  return Object.entries(fieldsIn(fieldsIn(of)['tasks'])).map(([id, task]) => [id, fieldsIn(task)]);
}

const complete: Port = {
  file: 'dag_is_complete',
  counterparts: ['dag_is_complete'],
  run: ({ input }) => dagIsComplete.call(dagIsComplete.input.parse(input), {}),
  rules: [
    {
      why: 'The DAG is complete when every task is Done or Cancelled.',
      ours: (golden, { input }) => {
        const statuses = tasksOf(input['state']).map(([, { status }]) => status);
        const open = statuses.some((status) => status !== 'Done' && status !== 'Cancelled');
        const { complete: was, ...counts } = fieldsIn(golden);
        return was === true && open ? { complete: false, ...counts } : golden;
      },
    },
    {
      why: 'A status is one of the eight: Escalated is none, and counts as open.',
      ours: (golden, { input }) => {
        const escalated = tasksOf(input['state']).filter(([, { status }]) => status === 'Escalated').length;
        const { blocked } = fieldsIn(golden);
        return escalated === 0 ? golden : { ...fieldsIn(golden), blocked: Number(blocked) - escalated };
      },
    },
  ],
};

/** A message about a cycle names its tasks in the order of a set. */
function asSets(output: unknown): unknown {
  return JSON.parse(JSON.stringify(output), (_, text: unknown) => {
    const [head, ids] = typeof text === 'string' ? text.split('cycle involving: ') : [];
    return ids === undefined
      ? text
      : `${head ?? ''}cycle involving: ${ids.split(', ').toSorted().join(', ')}`;
  });
}

/** What is wrong with the ids of a task and its people, in our words. */
function idMessages(id: string, task: Readonly<Record<string, unknown>>): readonly string[] {
  const people = [
    ['agent', task['agent_id']],
    ['reviewer', task['reviewer_id']],
  ] as const;
  const wrong = (what: string, one: unknown): string =>
    `${what} '${String(one)}' is no id: a-z, 0-9, _ and -, at most 64 characters`;
  return [
    ...(isNoId(id) ? [wrong('Task', id)] : []),
    ...people.flatMap(([who, one]) =>
      typeof one === 'string' && one !== '' && isNoId(one) ? [wrong(`Task '${id}': ${who}`, one)] : [],
    ),
  ];
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function extraMessages(
  id: string,
  { depends_on, agent_id, reviewer_id }: Readonly<Record<string, unknown>>,
): readonly string[] {
  const on = itemsIn(depends_on).filter((one) => typeof one === 'string');
  const twice = on.filter((one, at) => on.indexOf(one) !== at);
  const own = typeof agent_id === 'string' && agent_id !== '' && agent_id === reviewer_id;
  return [
    ...twice.map((one) => `Task '${id}' names dependency '${one}' twice`),
    ...(own ? [`Task '${id}' is reviewed by its own agent '${agent_id}'`] : []),
  ];
}

/** Whether a row has faults the original does not see: our messages of them stand between its own. */
function hasMore({ input }: Row): boolean {
  return tasksOf(input['dag']).some(
    ([id, task]) => idMessages(id, task).length + extraMessages(id, task).length > 0,
  );
}

/** The messages of a row in their order; without it where ours stand between the original's. */
function messages(row: Row, output: unknown): unknown {
  const { valid, errors } = fieldsIn(asSets(output));
  const texts = itemsIn(errors).map(String);
  return { valid, errors: hasMore(row) ? texts.toSorted() : texts };
}

const validate: Port = {
  file: 'dag_validate',
  counterparts: ['dag_validate'],
  run: (row) => messages(row, dagValidate.call(dagValidate.input.parse(row.input), {})),
  shared: (output, row) => messages(row, output),
  rules: [
    refuses('depends_on is a list: a text is refused.', ({ input }) =>
      tasksOf(input['dag']).some(([, task]) => typeof task['depends_on'] === 'string'),
    ),
    {
      why: 'Absent is null on the wire.',
      ours: (golden, { input }) => {
        const tasks = tasksOf(input['dag']);
        const absent = tasks.filter(([, task]) => task['depends_on'] === null);
        const fine = tasks.every(
          ([, task]) => typeof task['agent_id'] === 'string' && !isNoId(task['agent_id']),
        );
        return absent.length === tasks.length && tasks.length > 0 && fine
          ? { valid: true, errors: [] }
          : golden;
      },
    },
    refuses('What enters is parsed: an id is a text.', ({ input }) =>
      tasksOf(input['dag']).some(([, task]) =>
        ['agent_id', 'reviewer_id'].some(
          (name) => !['string', 'undefined'].includes(typeof (task[name] ?? undefined)),
        ),
      ),
    ),
    {
      why: 'Absent is null on the wire: no tasks are none.',
      ours: (golden, { input }) =>
        isObject(input['dag']) && fieldsIn(input['dag'])['tasks'] === null
          ? { valid: false, errors: ['DAG has no tasks'] }
          : golden,
    },
    {
      why: 'Everything wrong is a message: a dependency named twice, and a task reviewed by its own agent.',
      ours: (golden, row) => {
        const more = tasksOf(row.input['dag']).flatMap(([id, task]) => extraMessages(id, task));
        const { errors } = fieldsIn(golden);
        return more.length === 0 || errors === undefined
          ? golden
          : messages(row, { valid: false, errors: [...itemsIn(errors), ...more] });
      },
    },
    {
      why: 'Ids match ^[a-z0-9_-]{1,64}$ everywhere.',
      ours: (golden, row) => {
        const wrong = tasksOf(row.input['dag']).flatMap(([id, task]) => idMessages(id, task));
        const { errors } = fieldsIn(golden);
        return wrong.length === 0 || errors === undefined
          ? golden
          : messages(row, { valid: false, errors: [...wrong, ...itemsIn(errors)] });
      },
    },
  ],
};

const Listed = z.object({ ready_tasks: z.array(z.looseObject({ task_id: z.string() })) });

/** What of a listed task the row itself gives: where it is silent the original lists defaults of its own. */
function given({ task_id, ...fields }: Readonly<Record<string, unknown>>, { input }: Row): unknown {
  const task = fieldsIn(fieldsIn(fieldsIn(input['state'])['tasks'])[String(task_id)]);
  return { task_id, ...Object.fromEntries(Object.entries(fields).filter(([key]) => key in task)) };
}

const unblocked: Port = {
  file: 'dag_unblocked_tasks',
  // The original's list is read by nobody; the tick's evaluation makes tasks Ready and starts them in one.
  counterparts: ['dag_evaluate'],
  run: (row) => {
    const evaluation = evaluateInput({ ...row, now: '2026-04-14T08:30:00.000Z' });
    const { state } = dagEvaluate.call(dagEvaluate.input.parse(evaluation), {});
    const tasks = state.order.flatMap((id) => state.tasks[id] ?? []);
    return {
      ready_tasks: tasks.flatMap(({ id, status, title, agent_id, issue_number }) =>
        status === 'Ready' ? [given({ task_id: id, title, agent_id, issue_number }, row)] : [],
      ),
    };
  },
  shared: (output, row) => ({
    ready_tasks: Listed.parse(output).ready_tasks.map((listed) => given(listed, row)),
  }),
  rules: [
    {
      why: 'Objects have no order of their own when their keys look like integers: the state keeps its order beside them.',
      ours: (golden, row) => {
        const listed = Listed.safeParse(golden);
        if (!listed.success) return golden;
        const order = tasksOf(row.input['state']).map(([id]) => id);
        const at = ({ task_id }: { readonly task_id: string }): number => order.indexOf(task_id);
        return { ready_tasks: listed.data.ready_tasks.toSorted((a, b) => at(a) - at(b)) };
      },
    },
    {
      why: 'A task is Ready in the same evaluation in which its last dependency is Done.',
      ours: (golden, row) => {
        const listed = Listed.safeParse(golden);
        if (!listed.success) return golden;
        const tasks = tasksOf(row.input['state']);
        const done = tasks.filter(([, { status }]) => status === 'Done').map(([id]) => id);
        const ready = tasks.filter(
          ([, { status, depends_on }]) =>
            status === 'Ready' ||
            (status === 'Pending' && itemsIn(depends_on).every((on) => done.includes(String(on)))),
        );
        return { ready_tasks: ready.map(([task_id, task]) => given({ task_id, ...picked(task) }, row)) };
      },
    },
    refuses('A status is one of the eight; a damaged or unknown value is an error.', ({ input }) =>
      tasksOf(input['state']).some(([, { status }]) => !STATUSES.includes(status)),
    ),
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', ({ input }) =>
      tasksOf(input['state']).some(([id, task]) =>
        [id, task['agent_id'] ?? 'absent', task['reviewer_id'] ?? 'absent'].some(isNoId),
      ),
    ),
  ],
};

const STATUSES: readonly unknown[] = Task.shape.status.options;

function picked(task: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { title, agent_id, issue_number } = task;
  return { title, agent_id, issue_number };
}

/** The stages of the original's `dag/`. */
export const dagPorts: readonly Port[] = [evaluatePort, unblocked, complete, validate];
