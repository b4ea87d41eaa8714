import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** `env_get`: of the variables an operator allows; every other name is refused, set or not. Traces and errors show no value. */
export const envGet = original(
  defineStage({
    name: 'env_get',
    description: 'Gives the value of an allowed environment variable; null when it is not set.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['environment'],
    input: z.object({ name: z.string() }),
    output: z.string().meta({ secret: true }).nullable(),
    examples: [
      { input: { name: 'LANG' }, output: 'C.UTF-8' },
      { input: { name: 'EMPTY' }, output: '' },
      { input: { name: 'NOT_SET' }, output: null },
    ],
    tags: ['environment'],
    run: ({ name }, { environment }) => environment.get(name),
  }),
);
