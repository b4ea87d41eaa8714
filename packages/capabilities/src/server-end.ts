import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often, from its end on, a server looks for connections that keep it, in milliseconds. */
const LOOK_MS = 1000;

/**
 * Gives what ends an HTTP server, by `close`, which stops listening and waits for what is under way: a request that is whole is answered, however long
 * that takes, and a connection on which only half of one has come within `look_ms` is cut. Else whoever sends half a request keeps the process.
 */
export function createServerEnd(
  server: Server,
  look_ms = LOOK_MS,
): (close: () => PromiseLike<unknown>) => Promise<void> {
  const sockets = new Set<Socket>();
  const asked = new WeakMap<Socket, IncomingMessage>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    asked.set(socket, request);
    // What comes after the answer is another request.
    response.once('close', () => {
      if (asked.get(socket) === request) asked.delete(socket);
    });
  });
  return async (close) => {
    const look = setInterval(() => {
      for (const socket of sockets) if (asked.get(socket)?.complete !== true) socket.destroy();
    }, look_ms);
    try {
      await close();
    } finally {
      clearInterval(look);
    }
  };
}
