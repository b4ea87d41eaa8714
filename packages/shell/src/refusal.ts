import type { Socket } from 'node:net';

import type { Logger } from '@caloron/capabilities/logger';
import { CodedError, codeOf, isRetryable, messageOf } from '@caloron/noether/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { ShellError, statusOfCode } from './errors.ts';
import { CapacityError } from './machine/errors.ts';

/** Largest body accepted, in bytes: 1 MiB. */
export const BODY_LIMIT = 1024 * 1024;

/** Most characters of a sentence: it may quote what was sent, and a large body must not come back as a large answer. */
const MAX_SENTENCE = 2000;

/** Refusals of the HTTP server that are about the address: it is no address, or a part of it is longer than any id. */
const ABOUT_THE_PATH: ReadonlySet<unknown> = new Set(['FST_ERR_BAD_URL', 'FST_ERR_MAX_PARAM_LENGTH']);

/** Answers a thrown value as `{ok: false, code, error}` with its status; never with a 2xx. */
export function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const cause = fromFastify(error, request) ?? error;
  const status = statusOf(cause);
  const code = codeOf(cause, 'SHELL_UNEXPECTED');
  if (status >= 500) log.error({ err: cause, code, path: request.routeOptions.url }, 'request failed');
  // What is not a coded error may quote anything: only the log has it.
  const text =
    cause instanceof CodedError ? messageOf(cause) : 'something unexpected happened; the shell log says more';
  const hint = cause instanceof CodedError && cause.hint !== undefined ? ` (${cause.hint})` : '';
  const said = `${shortened(text)}${hint}`;
  // Figures of a lack of room, for those who decide by them; other details stay here.
  const details = cause instanceof CapacityError ? { details: cause.details } : {};
  void reply.status(status).send({ ok: false, code, error: said, retryable: isRetryable(cause), ...details });
}

/** Answers bytes that are no HTTP request, and ends the connection. */
export function refuseBytes(error: Error, socket: Socket): void {
  // Nobody is there to read an answer.
  if (socket.destroyed || ('code' in error && error.code === 'ECONNRESET')) return;
  const cause = new ShellError('REQUEST_INVALID', { issues: ['request: expected HTTP/1.1'] });
  const body = JSON.stringify({ ok: false, code: cause.code, error: cause.message, retryable: false });
  const head = `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  if (socket.writable) socket.write(`${head}\r\n\r\n${body}`);
  socket.destroySoon();
}

function shortened(text: string): string {
  return text.length > MAX_SENTENCE ? `${text.slice(0, MAX_SENTENCE)} …` : text;
}

function statusOf(error: unknown): number {
  return statusOfCode[codeOf(error)] ?? (isRetryable(error) ? 503 : 500);
}

/** Refusals of the HTTP server itself, as ours. */
function fromFastify(error: unknown, request: FastifyRequest): ShellError | undefined {
  if (error instanceof CodedError || !(error instanceof Error)) return undefined;
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if ('code' in error && ABOUT_THE_PATH.has(error.code)) {
    return new ShellError('REQUEST_INVALID', { issues: ['path: expected an address as documented'] });
  }
  if (status === 413) return new ShellError('REQUEST_TOO_LARGE', { limit_bytes: BODY_LIMIT });
  if (status === 415) {
    return new ShellError('REQUEST_TYPE_UNSUPPORTED', { type: request.headers['content-type'] ?? '' });
  }
  if (status === 400) return new ShellError('REQUEST_NOT_JSON', { reason: 'expected a JSON object' });
  return undefined;
}
