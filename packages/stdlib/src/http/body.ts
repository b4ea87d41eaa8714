import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { ANSWER, Answer } from './exchange.ts';

/** `http_body`. */
export const httpBody = original(
  defineStage({
    name: 'http_body',
    description: 'Gives the body of an answer.',
    effects: ['Pure'],
    input: Answer,
    output: z.string(),
    examples: [
      {
        input: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"id":1}' },
        output: '{"id":1}',
      },
      { input: { status: 204, headers: {}, body: '' }, output: '' },
      { input: { status: 404, headers: {}, body: 'nothing here' }, output: 'nothing here' },
    ],
    tags: ['http'],
    run: ({ body }) => body,
  }),
  { input: ANSWER },
);
