import { defineStage, typed } from '../kit.ts';
import { ANSWER, Answer, exchange, Request, requestType } from './exchange.ts';

/** `http_head`: its answer has no body. */
export const httpHead = typed(
  defineStage({
    name: 'http_head',
    description: 'Fetches status and headers of an address, without its body.',
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
          body: '',
        },
      },
      {
        input: { url: 'http://api.example.org/none', timeout_ms: 1000 },
        output: { status: 404, headers: { 'content-type': 'text/plain', 'content-length': '12' }, body: '' },
      },
      {
        input: { url: 'http://api.example.org/items/1', headers: { accept: '*/*' } },
        output: {
          status: 200,
          headers: { 'content-type': 'application/json', 'content-length': '8' },
          body: '',
        },
      },
    ],
    tags: ['http'],
    run: (input, { http }, signal) => exchange(http, 'HEAD', input, signal),
  }),
  { input: requestType(), output: ANSWER },
);
