import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { createHttp } from '@caloron/capabilities/host/http';
import { readStageSpec } from '@caloron/noether/records';
import { afterEach, describe, expect, it } from 'vitest';

import { type PushTarget, pushStage, pushStages } from './push.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

const spec = { input: 'Text', output: 'Text', implementation: 'def execute(value):\n    return value\n' };
const record = (name: string): Parameters<typeof pushStage>[0] =>
  readStageSpec({ name, ...spec }, name).record;
const taken = { id: 'a', name: 'n', lifecycle: 'active', created: true, supersedes: [] };

interface Asked {
  readonly path: string | undefined;
  readonly key: string | string[] | undefined;
  readonly name: string;
}

/** A registry that gives these answers, the last one again and again. */
async function answering(
  ...answers: readonly (readonly [status: number, body: unknown])[]
): Promise<{ readonly target: PushTarget; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const [status, told] = answers[Math.min(asked.length, answers.length - 1)]!;
      const { name } = JSON.parse(body) as { readonly name: string };
      asked.push({ path: request.url, key: request.headers['x-api-key'], name });
      if (status === 0) request.socket.destroy();
      else response.writeHead(status).end(typeof told === 'string' ? told : JSON.stringify(told));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const http = createHttp({ hosts: null });
  return { target: { url, key: 'a-write-key', http, first_pause_ms: 1 }, asked };
}

const refusal = (code: string, problems: readonly string[] | null = null): unknown => ({
  ok: false,
  error: { code, message: 'said so', hint: 'do that', problems },
});

describe('a push', () => {
  it('carries the record and the key, and is tried again while the registry or the network is not well', async () => {
    const { target, asked } = await answering(
      [503, 'x'],
      [0, ''],
      [429, ''],
      [201, { ok: true, data: taken }],
    );

    expect(await pushStage(record('one'), target)).toEqual(taken);
    expect(asked).toEqual(
      Array.from({ length: 4 }, () => ({ path: '/stages', key: 'a-write-key', name: 'one' })),
    );
  });

  it('ends after five attempts', async () => {
    const { target, asked } = await answering([500, refusal('REGISTRY_FAILED')]);

    await expect(pushStage(record('one'), target)).rejects.toMatchObject({
      code: 'REGISTRY_PUSH_REFUSED',
      retryable: true,
      details: { status: 500, answer: 'REGISTRY_FAILED' },
    });
    expect(asked).toHaveLength(5);
  });

  it('that is refused is not tried again, and every problem is told', async () => {
    const { target, asked } = await answering([
      422,
      refusal('REGISTRY_RECORD_REFUSED', ['id is wrong', 'so is that']),
    ]);

    await expect(pushStage(record('one'), target)).rejects.toMatchObject({
      retryable: false,
      hint: 'do that',
      message: expect.stringMatching(/HTTP 422: said so\s+- id is wrong\s+- so is that/) as string,
    });
    expect(asked).toHaveLength(1);
  });

  it.each([
    [200, '<html>'],
    [200, { ok: true, data: { stages: [] } }],
    [204, ''],
    [404, 'nothing here'],
  ])('to what is no registry (%i %j) says so', async (status, body) => {
    const { target } = await answering([status, body]);

    await expect(pushStage(record('one'), target)).rejects.toMatchObject({
      message: expect.stringContaining('no registry that takes stages') as string,
    });
  });

  it('of several stages ends with the first where the key or the registry is wrong', async () => {
    const { target, asked } = await answering([403, refusal('REGISTRY_PUSH_FORBIDDEN')]);

    await expect(pushStages([record('one'), record('two')], target)).rejects.toMatchObject({
      details: { status: 403 },
    });
    expect(asked).toHaveLength(1);
  });

  it('of several stages goes on after one that is refused', async () => {
    const { target, asked } = await answering(
      [409, refusal('REGISTRY_STAGE_DIFFERS')],
      [201, { ok: true, data: taken }],
    );

    const results = await pushStages(['one', 'two', 'three'].map(record), target);

    expect(results.map((result) => ('error' in result ? 'refused' : result.answer.created))).toEqual([
      'refused',
      true,
      true,
    ]);
    expect(asked.map(({ name }) => name).toSorted()).toEqual(['one', 'three', 'two']);
  });

  it('is given up when that is asked for', async () => {
    const abort = new AbortController();
    const { target } = await answering([503, 'x']);
    const pushed = pushStages([record('one')], { ...target, first_pause_ms: 60_000, signal: abort.signal });
    abort.abort(new Error('enough'));

    await expect(pushed).rejects.toThrow('enough');
  });
});
