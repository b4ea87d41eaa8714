import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { gemini } from './gemini-protocol.ts';
import { anthropic, chat, responses } from './protocols.ts';
import type { Protocol, Turn } from './turns.ts';

const PROTOCOLS: readonly Protocol[] = [anthropic, chat, responses, gemini];

/** A request for a turn, as it came. */
export interface Asked {
  readonly protocol: string;
  readonly body: unknown;
}

/** A model that says what its script says, in the words of four providers' interfaces. */
export interface ModelEndpoint {
  readonly url: string;
  /** The turns to come, taken from the front; the last one stays. */
  script: Turn[];
  /** What decides instead of the script, by what it is asked. */
  answer: ((body: unknown) => Turn) | null;
  /** What was asked for so far. */
  readonly asked: Asked[];
  /** Requests it has no answer for. */
  readonly unknown: string[];
  close(): Promise<void>;
}

/** Starts the model on a free port of 127.0.0.1. */
export async function startModel(script: readonly Turn[] = []): Promise<ModelEndpoint> {
  const asked: Asked[] = [];
  const unknown: string[] = [];
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const body = await bodyOf(request);
    const protocol = PROTOCOLS.find((one) => one.path.test(path));
    if (protocol === undefined) {
      if (path !== '/' && path !== '') unknown.push(`${request.method ?? ''} ${path}`);
      return sendJson(response, path === '/' ? 200 : 404, { error: { message: 'not found' } });
    }
    if (!protocol.asks(body, path)) {
      const aside = protocol.aside(body, path);
      if (!Array.isArray(aside)) return sendJson(response, 200, aside);
      return stream(response, aside.map(String), false);
    }
    asked.push({ protocol: protocol.name, body });
    const next = (): Turn | undefined => (model.script.length > 1 ? model.script.shift() : model.script[0]);
    const turn = model.answer?.(body) ?? next() ?? { text: 'Done.' };
    return take(response, protocol, turn, body, path);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const model: ModelEndpoint = {
    url: `http://127.0.0.1:${port}`,
    script: [...script],
    answer: null,
    asked,
    unknown,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return model;
}

async function take(
  response: ServerResponse,
  protocol: Protocol,
  turn: Turn,
  body: unknown,
  path: string,
): Promise<void> {
  if (turn.hang === true) return;
  if (turn.wait_ms !== undefined) await delay(turn.wait_ms);
  if (turn.refuse !== undefined) {
    const { status, headers, body: refused } = protocol.refusal(turn.refuse);
    return sendJson(response, status, refused, headers);
  }
  return stream(response, protocol.events(turn, body, path), turn.cut === true);
}

async function stream(response: ServerResponse, events: readonly string[], cut: boolean): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const sent = cut ? events.slice(0, Math.max(1, Math.floor(events.length / 2))) : events;
  for (const event of sent) response.write(event);
  if (!cut) return void response.end();
  // What was written has to arrive before the line is cut.
  await delay(50);
  response.destroy();
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
