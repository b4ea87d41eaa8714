import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LlmError } from './errors.ts';
import { createLlm } from './llm.ts';

const KEY = 'sk-test-4711secret';
const ASK = { system: 'You plan.', prompt: 'Plan it.', max_tokens: 100 };

let server: Server;
let url = '';
let requests: { path: string; headers: IncomingMessage['headers']; body: unknown }[] = [];
let answer: { status: number; json: unknown; hang?: boolean } = { status: 200, json: {} };

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      requests.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(body) as unknown });
      if (answer.hang === true) return;
      // The SDKs wait between attempts as long as the host asks for.
      response.writeHead(answer.status, { 'content-type': 'application/json', 'retry-after-ms': '1' });
      response.end(JSON.stringify(answer.json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(
  () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    }),
);

const providers = [
  {
    name: 'anthropic',
    env: () => ({ ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url }),
    path: '/v1/messages',
    reply: (text: string) => ({
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude-x',
      content: [{ type: 'text', text }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 3, output_tokens: 4 },
    }),
  },
  {
    name: 'openai',
    env: () => ({ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${url}/v1` }),
    path: '/v1/chat/completions',
    reply: (text: string) => ({
      id: 'c',
      model: 'claude-x',
      choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    }),
  },
];

async function failure(promise: Promise<unknown>): Promise<LlmError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LlmError)) throw new Error(`expected an LlmError, got ${String(error)}`);
  return error;
}

describe.each(providers)('$name', ({ name, env, path, reply }) => {
  it('gives text, model and tokens of one completion', async () => {
    answer = { status: 200, json: reply('three tasks') };
    const llm = createLlm({ ...env(), CALORON_LLM_MODEL: 'claude-x' });

    expect(llm.available).toBe(true);
    expect(await llm.complete(ASK)).toEqual({ text: 'three tasks', model: 'claude-x', tokens_used: 7 });
    expect(requests[0]).toMatchObject({ path, body: { model: 'claude-x' } });
    expect(requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  });

  it.each([
    [400, false],
    [401, false],
    [429, true],
    [529, true],
  ])('refusing with %i is LLM_FAILED, retryable %s, and shows no key', async (status, retryable) => {
    answer = { status, json: { error: { type: 'x', message: `Incorrect API key: ${KEY}, sk-te***cret` } } };

    const error = await failure(createLlm(env()).complete(ASK));

    expect(error).toMatchObject({ code: 'LLM_FAILED', retryable, details: { provider: name, status } });
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toMatch(/sk-te/);
  });

  it('that is silent is LLM_FAILED and retryable', async () => {
    answer = { status: 200, json: {}, hang: true };

    const error = await failure(createLlm(env(), { timeout_ms: 100 }).complete(ASK));

    expect(error).toMatchObject({ code: 'LLM_FAILED', retryable: true, details: { status: null } });
  });

  it('that answers another shape is LLM_FAILED for good', async () => {
    answer = { status: 200, json: { hello: 'world' } };

    expect(await failure(createLlm(env()).complete(ASK))).toMatchObject({
      code: 'LLM_FAILED',
      retryable: false,
    });
  });

  it('is asked for another model, a temperature and no system where the request says so', async () => {
    answer = { status: 200, json: reply('warm') };

    await createLlm(env()).complete({ ...ASK, system: '', model: 'other', temperature: 0.5 });

    expect(requests[0]).toMatchObject({ body: { model: 'other', temperature: 0.5 } });
    expect(JSON.stringify(requests[0]?.body)).not.toContain('system');
  });

  it("is given up with the signal's reason", async () => {
    answer = { status: 200, json: {}, hang: true };
    const abort = new AbortController();
    const asked = createLlm(env()).complete({ ...ASK, signal: abort.signal });
    asked.catch(() => undefined);
    await expect.poll(() => requests.length).toBe(1);
    abort.abort(new Error('the run ended'));

    await expect(asked).rejects.toThrow('the run ended');
  });

  it('that answers no text is LLM_EMPTY', async () => {
    answer = { status: 200, json: reply(' ') };

    expect((await failure(createLlm(env()).complete(ASK))).code).toBe('LLM_EMPTY');
  });
});

describe('without a provider', () => {
  it.each([
    [{}],
    [{ ANTHROPIC_API_KEY: '' }],
    [{ ANTHROPIC_API_KEY: KEY, CALORON_LLM_PROVIDER: 'none' }],
    [{ ANTHROPIC_API_KEY: KEY, CALORON_LLM_PROVIDER: 'openai' }],
    [{ ANTHROPIC_API_KEY: KEY, CALORON_LLM_PROVIDER: 'parrot' }],
  ])('there is no model for case %#', async (env) => {
    const llm = createLlm(env);

    expect(llm.available).toBe(false);
    expect((await failure(llm.complete(ASK))).code).toBe('LLM_UNAVAILABLE');
  });
});
