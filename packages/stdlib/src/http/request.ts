import { type NType, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, typed } from '../kit.ts';
import { ANSWER, Answer, exchange, OPTIONAL_BODY, Request, requestType } from './exchange.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const METHOD: NType = {
  kind: 'Refined',
  value: { base: TEXT, refinement: { kind: 'OneOf', options: METHODS } },
};

/** `http_request`: one stage for every method. GET and HEAD carry no body. */
export const httpRequest = typed(
  defineStage({
    name: 'http_request',
    description: 'Sends a request of any method; any status is an answer.',
    effects: ['Fallible', 'Network'],
    capabilities: ['http'],
    input: Request.extend({
      method: z.enum(METHODS),
      body: z.string().nullish(),
      content_type: z.string().nullish(),
    }),
    output: Answer,
    examples: [
      {
        input: { method: 'GET', url: 'http://api.example.org/items/1' },
        output: {
          status: 200,
          headers: { 'content-type': 'application/json', 'content-length': '8' },
          body: '{"id":1}',
        },
      },
      {
        input: { method: 'OPTIONS', url: 'http://api.example.org/echo' },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '9' },
          body: 'OPTIONS  ',
        },
      },
      {
        input: { method: 'PATCH', url: 'http://api.example.org/echo', body: '{}' },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '25' },
          body: 'PATCH application/json {}',
        },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, input.method, input, signal),
  }),
  { input: requestType({ method: METHOD, ...OPTIONAL_BODY }), output: ANSWER },
);
