import { TEXT } from '@caloron/noether/stage';

import { defineStage, typed } from '../kit.ts';
import { ANSWER, Answer, exchange, OPTIONAL_BODY, requestType, Upload } from './exchange.ts';

/** `http_patch`: the body is a text. */
export const httpPatch = typed(
  defineStage({
    name: 'http_patch',
    description: 'Changes what is at an address by a text; any status is an answer.',
    effects: ['Fallible', 'Network'],
    capabilities: ['http'],
    input: Upload,
    output: Answer,
    examples: [
      {
        input: { url: 'http://api.example.org/echo', body: '{"a":1}' },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '30' },
          body: 'PATCH application/json {"a":1}',
        },
      },
      {
        input: {
          url: 'http://api.example.org/echo',
          body: '[]',
          content_type: 'application/merge-patch+json',
        },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '37' },
          body: 'PATCH application/merge-patch+json []',
        },
      },
      {
        input: { url: 'http://api.example.org/none', body: '' },
        output: {
          status: 404,
          headers: { 'content-type': 'text/plain', 'content-length': '12' },
          body: 'nothing here',
        },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, 'PATCH', input, signal),
  }),
  { input: requestType({ ...OPTIONAL_BODY, body: TEXT }), output: ANSWER },
);
