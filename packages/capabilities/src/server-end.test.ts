import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createServerEnd } from './server-end.ts';

const DEADLINE = { timeout: 30_000, interval: 10 };

let server: Server;
let end: () => Promise<void>;
let held: ServerResponse[];
let sockets: Socket[];

beforeEach(async () => {
  held = [];
  sockets = [];
  server = createServer((request, response) => {
    request.resume();
    held.push(response);
  });
  const ends = createServerEnd(server, 50);
  end = () => ends(() => new Promise<void>((resolve) => server.close(() => resolve())));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  server.close();
});

/** A connection on which so much was sent, and whether it has ended. */
async function sent(text: string): Promise<{ readonly socket: Socket; readonly closed: Promise<string> }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  let said = '';
  socket.on('data', (bytes) => (said += String(bytes))).on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(said)));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  return { socket, closed };
}

it.each([
  ['nothing', ''],
  ['half of the headers', 'POST / HTTP/1.1\r\nHost: x\r\n'],
  ['half of the body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"a"'],
])('a server ends although somebody has sent %s', async (_, text) => {
  const { closed } = await sent(text);
  await vi.waitFor(() => expect(held).toHaveLength(text.includes('Length') ? 1 : 0), DEADLINE);
  await end();
  expect(await closed).toBe('');
});

it('a server ends although half of a second request came on a connection', async () => {
  const whole = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  const { closed, socket } = await sent(whole);
  await vi.waitFor(() => expect(held).toHaveLength(1), DEADLINE);
  const answered = new Promise((resolve) => socket.once('data', resolve));
  held[0]?.end('one');
  await answered;
  socket.write('POST / HTTP/1.1\r\n');
  await end();
  expect(await closed).toMatch(/one/);
});

it('a server that ends answers what was asked, however long it takes', async () => {
  const { closed } = await sent('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const { closed: half } = await sent('GET / HTTP/1.1\r\n');
  await vi.waitFor(() => expect(held).toHaveLength(1), DEADLINE);
  const ended = end();
  // By then it has looked.
  await half;
  held[0]?.end('done');
  await ended;
  expect(await closed).toMatch(/done$/);
});
