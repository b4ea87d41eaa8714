import { z } from 'zod';

import { defineStage } from '../kit.ts';

/** Tasks as far as completion looks at them; an unknown status counts as open. */
const Countable = z.object({ tasks: z.record(z.string(), z.object({ status: z.unknown() })) });

/** Whether every task of a DAG is Done or Cancelled. Blocked and HumanAssigned tasks are open: a person still has to answer. */
export const dagIsComplete = defineStage({
  name: 'dag_is_complete',
  description: 'Tells whether every task of the DAG is Done or Cancelled.',
  effects: ['Pure'],
  input: z.object({ state: Countable }),
  output: z.strictObject({
    complete: z.boolean(),
    total: z.number().int().min(0),
    done: z.number().int().min(0),
    blocked: z.number().int().min(0),
    cancelled: z.number().int().min(0),
  }),
  examples: [
    {
      input: { state: { tasks: { form: { status: 'Done' }, mail: { status: 'Cancelled' } } } },
      output: { complete: true, total: 2, done: 1, blocked: 0, cancelled: 1 },
    },
    {
      input: { state: { tasks: { form: { status: 'Done' }, mail: { status: 'Blocked' } } } },
      output: { complete: false, total: 2, done: 1, blocked: 1, cancelled: 0 },
    },
    {
      input: { state: { tasks: {} } },
      output: { complete: false, total: 0, done: 0, blocked: 0, cancelled: 0 },
    },
  ],
  run: ({ state }) => {
    const statuses = Object.values(state.tasks).map((task) => task.status);
    const count = (status: string) => statuses.filter((one) => one === status).length;
    const [total, done, cancelled] = [statuses.length, count('Done'), count('Cancelled')];
    return {
      complete: total > 0 && done + cancelled === total,
      total,
      done,
      blocked: count('Blocked'),
      cancelled,
    };
  },
});
