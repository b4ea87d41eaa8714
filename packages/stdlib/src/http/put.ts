import { defineStage, original } from '../kit.ts';
import { ANSWER, Answer, exchange, UPLOAD, Upload } from './exchange.ts';

/** `http_put`: the body is a text. */
export const httpPut = original(
  defineStage({
    name: 'http_put',
    description: 'Puts a text at an address; any status is an answer.',
    effects: ['Fallible', 'Network'],
    capabilities: ['http'],
    input: Upload,
    output: Answer,
    examples: [
      {
        input: { url: 'http://api.example.org/echo', body: '{"a":1}' },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '28' },
          body: 'PUT application/json {"a":1}',
        },
      },
      {
        input: { url: 'http://api.example.org/echo', body: 'a', content_type: 'text/plain', headers: null },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '16' },
          body: 'PUT text/plain a',
        },
      },
      {
        input: { url: 'http://api.example.org/echo', body: '', headers: { 'Content-Type': 'text/csv' } },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '13' },
          body: 'PUT text/csv ',
        },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, 'PUT', input, signal),
  }),
  { input: UPLOAD, output: ANSWER },
);
