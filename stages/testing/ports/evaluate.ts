import { Task } from '@caloron/types';
import type { Action } from '@caloron/types';
import { z } from 'zod';

import { dagEvaluate } from '../../dag/evaluate.ts';
import { REJECTS, fieldsIn, isNoId, itemsIn, refuses } from '../conformance.ts';
import type { Port, Rule } from '../conformance.ts';
import { evaluateInput, isInstant, timestamp } from '../vectors.ts';
import type { Row } from '../vectors.ts';

const Fields = z.record(z.string(), z.unknown());
type Fields = Readonly<z.infer<typeof Fields>>;

const Evaluated = z.object({ tasks: z.record(z.string(), Fields), actions: z.array(Fields) });
type Evaluated = z.infer<typeof Evaluated>;

/** What of each action both have: the words for people are our own. */
const ACTION_FIELDS: Readonly<Record<string, readonly string[]>> = {
  spawn_agent: ['type', 'task_id', 'agent_id', 'issue_number'],
  submit_pr_for_review: ['type', 'task_id', 'pr_number', 'reviewer_id'],
  merge_pr: ['type', 'task_id', 'pr_number'],
  mark_done: ['type', 'task_id', 'issue_number', 'pr_number'],
  notify_agent: ['type', 'task_id', 'agent_id'],
  escalate: ['type', 'task_id', 'agent_id'],
};

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name]]] : [])));
}

function actionOf(fields: Fields): readonly Fields[] {
  const names = ACTION_FIELDS[String(fields['type'])];
  return names === undefined ? [] : [pick(fields, names)];
}

/** The fields of a task both have; its id is its key, its times are as we write them. */
function taskFields(task: Fields): Fields {
  const known = Object.entries(task).filter(([key]) => key in Task.shape && key !== 'id');
  return Object.fromEntries(
    known.map(([key, value]) => [key, key.endsWith('_at') ? timestamp(value) : value]),
  );
}

function tasksIn(row: Row): Readonly<Record<string, unknown>> {
  return fieldsIn(fieldsIn(row.input['state'])['tasks']);
}

function evaluatedOf(output: unknown): Evaluated {
  const { state, actions } = fieldsIn(output);
  const tasks = Object.entries(fieldsIn(fieldsIn(state)['tasks']));
  return {
    tasks: Object.fromEntries(tasks.map(([id, task]) => [id, taskFields(fieldsIn(task))])),
    actions: itemsIn(actions).map(fieldsIn).flatMap(actionOf),
  };
}

/** A reviewer's start is an action the original does not have. */
function isReviewers(action: Action): boolean {
  return action.type === 'spawn_agent' && action.role === 'reviewer';
}

function run(row: Row): Evaluated {
  const { state, actions } = dagEvaluate.call(dagEvaluate.input.parse(evaluateInput(row)), {});
  const tasks = Object.entries(tasksIn(row)).map(([id, given]) => {
    const ours = Fields.parse(state.tasks[id]);
    return [id, pick(ours, Object.keys(taskFields(fieldsIn(given))))] as const;
  });
  return {
    tasks: Object.fromEntries(tasks),
    actions: actions.filter((action) => !isReviewers(action)).flatMap((action) => actionOf({ ...action })),
  };
}

function change(why: string, ours: (golden: Evaluated, row: Row) => Evaluated): Rule {
  return {
    why,
    ours: (golden, row) => {
      const evaluated = Evaluated.safeParse(golden);
      return evaluated.success ? ours(evaluated.data, row) : golden;
    },
  };
}

/** Gives the tasks `which` picks back as they were, and takes the actions of `types` on them away. */
function undone(
  { tasks, actions }: Evaluated,
  row: Row,
  types: readonly string[],
  which: (after: Fields, before: Fields) => boolean,
): Evaluated {
  const before = tasksIn(row);
  const picked = Object.keys(tasks).filter((id) => which(tasks[id] ?? {}, fieldsIn(before[id])));
  return {
    tasks: Object.fromEntries(
      Object.entries(tasks).map(([id, task]) => [
        id,
        picked.includes(id) ? taskFields(fieldsIn(before[id])) : task,
      ]),
    ),
    actions: actions.filter(
      ({ type, task_id }) => !(types.includes(String(type)) && picked.includes(String(task_id))),
    ),
  };
}

/** What an evaluation without an event that counts comes to: Pending tasks whose dependencies are Done are Ready. */
function onlyUnblocked(row: Row): Evaluated {
  const before = tasksIn(row);
  const isDone = (id: unknown): boolean => fieldsIn(before[String(id)])['status'] === 'Done';
  const tasks = Object.entries(before).map(([id, given]) => {
    const task = taskFields(fieldsIn(given));
    const ready = task['status'] === 'Pending' && itemsIn(task['depends_on']).every(isDone);
    return [id, ready ? { ...task, status: 'Ready' } : task] as const;
  });
  return { tasks: Object.fromEntries(tasks), actions: [] };
}

const STATUSES: readonly unknown[] = Task.shape.status.options;

function given(row: Row): readonly Fields[] {
  return Object.values(tasksIn(row)).map(fieldsIn);
}

/** Whether a task starts: it is Ready and has an issue, and its agent has no other task in progress. */
function starts(task: Fields, tasks: Readonly<Record<string, Fields>>): boolean {
  const busy = Object.values(tasks).some(
    (other) => other['status'] === 'InProgress' && other['agent_id'] === task['agent_id'],
  );
  return task['status'] === 'Ready' && typeof task['issue_number'] === 'number' && !busy;
}

const rules: readonly Rule[] = [
  {
    why: 'One bad record must not kill the tick: events are parsed one by one where they enter, and null is absent.',
    ours: (golden, row) => {
      const events = itemsIn(row.input['events']);
      const strange =
        events.length > 0 && events.every((event) => typeof event !== 'object' || event === null);
      const absent =
        events.length === 0 && ['stall_threshold_m', 'events'].some((name) => row.input[name] === null);
      return golden === REJECTS && (strange || absent) ? onlyUnblocked(row) : golden;
    },
  },
  change('An issue binds by its hidden marker, never by order of arrival.', (golden, row) =>
    undone(golden, row, ['spawn_agent'], (after, before) => {
      return after['status'] === 'InProgress' && before['status'] === 'Ready';
    }),
  ),
  change(
    'null never matches null: a pull request binds by marker and branch, else by the issue it closes.',
    (golden, row) =>
      undone(golden, row, ['submit_pr_for_review'], (after, before) => {
        return (
          after['status'] === 'InReview' &&
          before['status'] === 'InProgress' &&
          after['issue_number'] === null
        );
      }),
  ),
  change('Every transition checks its source status: Done and Cancelled are terminal.', (golden, row) =>
    undone(golden, row, ['mark_done'], (after, before) => {
      return after['status'] === 'Done' && (before['status'] === 'Cancelled' || before['status'] === 'Done');
    }),
  ),
  change(
    'The same cause gives the same action id: intending an action twice is intending it once.',
    (golden) => {
      const texts = golden.actions.map((action) => JSON.stringify(action));
      return { ...golden, actions: golden.actions.filter((_, at) => texts.indexOf(texts[at] ?? '') === at) };
    },
  ),
  change(
    'The label and the comment of mark_done go to an issue: without one there is nothing to mark.',
    (golden) => ({
      ...golden,
      actions: golden.actions.filter(
        ({ type, issue_number }) => type !== 'mark_done' || issue_number !== null,
      ),
    }),
  ),
  change(
    'One ladder per task, in check_agent_health and decide_intervention: only lack of progress releases work.',
    (golden, row) => {
      const before = tasksIn(row);
      const tasks = Object.entries(golden.tasks).map(([id, task]) => {
        return [id, { ...task, ...pick(fieldsIn(before[id]), ['intervention_count']) }] as const;
      });
      return {
        tasks: Object.fromEntries(tasks),
        actions: golden.actions.filter(({ type }) => type !== 'escalate'),
      };
    },
  ),
  change('A Cancelled dependency blocks its dependants with a reason.', ({ tasks, actions }) => ({
    actions,
    tasks: Object.fromEntries(
      Object.entries(tasks).map(([id, task]) => {
        const blocked =
          task['status'] === 'Pending' &&
          itemsIn(task['depends_on']).some((on) => tasks[String(on)]?.['status'] === 'Cancelled');
        return [id, blocked ? { ...task, status: 'Blocked' } : task];
      }),
    ),
  })),
  change(
    'A pull request of a Ready task is work delivered: it goes into review.',
    ({ tasks, actions }, row) => {
      const opened = itemsIn(row.input['events'])
        .map(fieldsIn)
        .filter(({ type }) => type === 'pr_opened');
      const delivered = Object.entries(tasks).flatMap(([id, task]) => {
        const pull = opened.find((event) => event['linked_issue'] === task['issue_number']);
        const ready = task['status'] === 'Ready' && (task['issue_number'] ?? null) !== null;
        return ready && pull !== undefined
          ? [[id, { ...task, status: 'InReview', ...pick(pull, ['pr_number']) }] as const]
          : [];
      });
      const submitted = delivered.map(([task_id, task]) => {
        return { type: 'submit_pr_for_review', task_id, ...pick(task, ['pr_number', 'reviewer_id']) };
      });
      return { tasks: { ...tasks, ...Object.fromEntries(delivered) }, actions: [...actions, ...submitted] };
    },
  ),
  change(
    'changes_requested → the author resumes in the same worktree with the text.',
    ({ tasks, actions }) => ({
      tasks,
      actions: actions.flatMap((action) => {
        if (action['type'] !== 'notify_agent') return [action];
        const { issue_number = null } = tasks[String(action['task_id'])] ?? {};
        return issue_number === null ? [] : [{ ...action, type: 'spawn_agent', issue_number }];
      }),
    }),
  ),
  change(
    'Ready with an issue → spawn_agent. At most one live process per agent_id.',
    ({ tasks, actions }) => {
      const taken = new Set<unknown>();
      const started = Object.entries(tasks).flatMap(([task_id, task]) => {
        if (!starts(task, tasks) || taken.has(task['agent_id'])) return [];
        taken.add(task['agent_id']);
        return [{ type: 'spawn_agent', task_id, ...pick(task, ['agent_id', 'issue_number']) }];
      });
      return { tasks, actions: [...actions, ...started] };
    },
  ),
  refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', (row) =>
    [
      ...Object.keys(tasksIn(row)),
      ...given(row).flatMap((task) =>
        [task['agent_id'], task['reviewer_id']].filter((id) => (id ?? null) !== null),
      ),
    ].some(isNoId),
  ),
  refuses(
    'A status is one of the eight; a damaged or unknown value is an error, never a task that waits for ever.',
    (row) => given(row).some(({ status }) => !STATUSES.includes(status)),
  ),
  refuses('An instant has a date, a time and a zone.', (row) =>
    given(row).some(({ started_at }) => (started_at ?? null) !== null && !isInstant(started_at)),
  ),
];

/** dag_evaluate beside the original's. */
export const evaluatePort: Port = {
  file: 'dag_evaluate',
  counterparts: ['dag_evaluate'],
  run,
  shared: evaluatedOf,
  rules,
};
