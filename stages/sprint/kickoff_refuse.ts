import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { SprintError } from './errors.ts';

/** The gate between generating a DAG and storing it: throws KICKOFF_DAG_INVALID with every problem, passes when there is none. */
export const kickoffRefuse = defineStage({
  name: 'kickoff_refuse',
  description: 'Stops a kickoff whose DAG has errors and lists them all.',
  effects: ['Fallible'],
  input: z.object({ errors: z.array(z.string()) }),
  output: z.strictObject({ passed: z.boolean() }),
  examples: [{ input: { errors: [] }, output: { passed: true } }],
  run: ({ errors }) => {
    if (errors.length === 0) return { passed: true };
    const hint = 'write the tasks as a list: - [id] title (after: a, b)';
    throw new SprintError('KICKOFF_DAG_INVALID', { problems: errors }, { hint });
  },
});
