import { z } from 'zod';

import { defineStage, typed } from '../kit.ts';
import { ANSWER, Answer, exchange, OPTIONAL_BODY, Request, requestType } from './exchange.ts';

/** `http_delete`: a body is sent where one is given. */
export const httpDelete = typed(
  defineStage({
    name: 'http_delete',
    description: 'Deletes what is at an address; any status is an answer.',
    effects: ['Fallible', 'Network'],
    capabilities: ['http'],
    input: Request.extend({ body: z.string().nullish(), content_type: z.string().nullish() }),
    output: Answer,
    examples: [
      {
        input: { url: 'http://api.example.org/echo' },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '8' },
          body: 'DELETE  ',
        },
      },
      {
        input: { url: 'http://api.example.org/echo', body: '{}', headers: null },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '26' },
          body: 'DELETE application/json {}',
        },
      },
      {
        input: { url: 'http://api.example.org/none' },
        output: {
          status: 404,
          headers: { 'content-type': 'text/plain', 'content-length': '12' },
          body: 'nothing here',
        },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, 'DELETE', input, signal),
  }),
  { input: requestType(OPTIONAL_BODY), output: ANSWER },
);
