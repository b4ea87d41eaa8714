import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { ANSWER, Answer } from './exchange.ts';

/** `http_status`. */
export const httpStatus = original(
  defineStage({
    name: 'http_status',
    description: 'Gives the status of an answer.',
    effects: ['Pure'],
    input: Answer,
    output: z.number(),
    examples: [
      {
        input: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"id":1}' },
        output: 200,
      },
      { input: { status: 204, headers: {}, body: '' }, output: 204 },
      { input: { status: 404, headers: {}, body: 'nothing here' }, output: 404 },
    ],
    tags: ['http'],
    run: ({ status }) => status,
  }),
  { input: ANSWER },
);
