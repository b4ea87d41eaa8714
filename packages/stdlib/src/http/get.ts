import { defineStage, original } from '../kit.ts';
import { ANSWER, Answer, exchange, REQUEST, Request } from './exchange.ts';

/** `http_get`: redirects are followed, never to a host the policy of the run does not name. */
export const httpGet = original(
  defineStage({
    name: 'http_get',
    description: 'Fetches an address; any status is an answer.',
    effects: ['Fallible', 'Network'],
    capabilities: ['http'],
    input: Request,
    output: Answer,
    examples: [
      {
        input: { url: 'http://api.example.org/items/1' },
        output: {
          status: 200,
          headers: { 'content-type': 'application/json', 'content-length': '8' },
          body: '{"id":1}',
        },
      },
      {
        input: { url: 'http://api.example.org/none', headers: null },
        output: {
          status: 404,
          headers: { 'content-type': 'text/plain', 'content-length': '12' },
          body: 'nothing here',
        },
      },
      {
        input: { url: 'http://api.example.org/header', headers: { 'x-one': '1' }, timeout_ms: 5000 },
        output: { status: 200, headers: { 'content-type': 'text/plain', 'content-length': '1' }, body: '1' },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, 'GET', input, signal),
  }),
  { input: REQUEST, output: ANSWER },
);
