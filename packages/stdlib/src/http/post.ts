import { defineStage, original } from '../kit.ts';
import { ANSWER, Answer, exchange, UPLOAD, Upload } from './exchange.ts';

/** `http_post`: the body is a text. */
export const httpPost = original(
  defineStage({
    name: 'http_post',
    description: 'Sends a text to an address; any status is an answer.',
    effects: ['Fallible', 'Network'],
    capabilities: ['http'],
    input: Upload,
    output: Answer,
    examples: [
      {
        input: { url: 'http://api.example.org/echo', body: '{"a":1}' },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '29' },
          body: 'POST application/json {"a":1}',
        },
      },
      {
        input: { url: 'http://api.example.org/echo', body: 'a', content_type: 'text/plain', headers: null },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '17' },
          body: 'POST text/plain a',
        },
      },
      {
        input: { url: 'http://api.example.org/echo', body: '', headers: { 'Content-Type': 'text/csv' } },
        output: {
          status: 200,
          headers: { 'content-type': 'text/plain', 'content-length': '14' },
          body: 'POST text/csv ',
        },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, 'POST', input, signal),
  }),
  { input: UPLOAD, output: ANSWER },
);
