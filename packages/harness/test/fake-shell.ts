import { createServer, type IncomingMessage, type Server } from 'node:http';

import type { Heartbeat, HeartbeatReply, Report } from '@caloron/types';

/** A shell that records what agents tell it. */
export interface FakeShell {
  readonly url: string;
  readonly beats: Heartbeat[];
  readonly reports: Report[];
  readonly credentials: string[];
  /** What every heartbeat is answered. */
  reply: Partial<HeartbeatReply>;
  /** What the heartbeat after a run of the program is answered, above `reply`. */
  at_turn_end: Partial<HeartbeatReply>;
  /** Status per path for the next requests, taken from the front; then the real answer. */
  readonly faults: Record<string, number[]>;
  close(): Promise<void>;
}

/** Starts a shell on a free port; it knows the token `agent-token-of-p1`. */
export async function startShell(): Promise<FakeShell> {
  const state: Omit<FakeShell, 'url' | 'close'> = {
    beats: [],
    reports: [],
    credentials: [],
    reply: {},
    at_turn_end: {},
    faults: {},
  };
  const server: Server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = request.url ?? '';
      const fault = state.faults[path]?.shift();
      const known = request.headers['x-caloron-token'] === 'agent-token-of-p1';
      const status = fault ?? (known ? 200 : 401);
      const answer =
        status === 200 ? answerOf(path, body) : { ok: false, code: 'SHELL_TEST', error: `status ${status}` };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  const answerOf = (path: string, body: unknown): unknown => {
    if (path === '/heartbeat') {
      const beat = body as Heartbeat;
      state.beats.push(beat);
      const at_end = beat.turn_ended === true ? shell.at_turn_end : {};
      return { ok: true, command: null, message: null, ...shell.reply, ...at_end };
    }
    if (path === '/report') state.reports.push(body as Report);
    if (path === '/credential') {
      state.credentials.push((body as { purpose: string }).purpose);
      return {
        ok: true,
        username: 'x-access-token',
        token: 'forge-token',
        expires_at: '2100-01-01T00:00:00.000Z',
      };
    }
    return { ok: true };
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const shell: FakeShell = Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
  return shell;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
