import type { Socket } from 'node:net';

import type { Logger } from '@caloron/capabilities/logger';
import { CodedError, codeOf, isRetryable } from '@caloron/noether/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { RegistryError } from './errors.ts';
import { type ErrorAnswer, PUSH_LIMIT_BYTES } from './wire.ts';

/** Refusals with a status of their own; every other coded one is 503, as it lies with the store. */
const STATUS: Readonly<Partial<Record<string, number>>> = {
  REGISTRY_KEY_REQUIRED: 401,
  REGISTRY_PUSH_FORBIDDEN: 403,
  REGISTRY_ROUTE_UNKNOWN: 404,
  REGISTRY_QUERY_INVALID: 400,
  REGISTRY_STAGE_UNKNOWN: 404,
  REGISTRY_STAGE_AMBIGUOUS: 404,
  REGISTRY_BODY_INVALID: 400,
  REGISTRY_BODY_TOO_LARGE: 413,
  REGISTRY_RECORD_INVALID: 400,
  REGISTRY_RECORD_REFUSED: 422,
  REGISTRY_STAGE_DIFFERS: 409,
  REGISTRY_FAILED: 500,
};

/** Most issues an answer lists, and most characters of a sentence: what was sent must not come back larger. */
const MAX_ISSUES = 100;
const MAX_SENTENCE = 2_000;

/** Seconds after which a push that met a store that could not be written may be sent again. */
const RETRY_AFTER_S = 5;

/** Answers a thrown value; never with a 2xx. */
export function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const cause = asOurs(error, request);
  const code = codeOf(cause);
  const status = STATUS[code] ?? 503;
  const route = request.routeOptions.url ?? null;
  // That the store is stale was told when it became so.
  if (status >= 500 && code !== 'REGISTRY_STORE_STALE')
    logger.error({ err: error, code, route }, 'request failed');
  if (status === 401) void reply.header('www-authenticate', 'ApiKey header="X-API-Key"');
  if (status === 503 && isRetryable(cause)) void reply.header('retry-after', String(RETRY_AFTER_S));
  void reply.status(status).header('cache-control', 'no-store').send(answerOf(cause, code));
}

function answerOf(error: unknown, code: string): ErrorAnswer {
  // What lies with the store names files of this machine: its log has the sentence.
  if (!(error instanceof RegistryError)) return answer(code, OF_THE_STORE, null, null);
  const problems = 'issues' in error.details ? error.details.issues : null;
  return answer(code, error.message, error.hint ?? null, problems);
}

const OF_THE_STORE = 'the stage store of the registry refuses; its log says why';

function answer(
  code: string,
  message: string,
  hint: string | null,
  issues: readonly string[] | null,
): ErrorAnswer {
  const problems = issues?.slice(0, MAX_ISSUES).map(shortened) ?? null;
  return { ok: false, error: { code, message: shortened(message), hint, problems } };
}

function shortened(text: string): string {
  return text.length > MAX_SENTENCE ? `${text.slice(0, MAX_SENTENCE)} …` : text;
}

/** Refusals of the HTTP server itself, and what nobody thought of, as ours. */
function asOurs(error: unknown, request: FastifyRequest): unknown {
  if (error instanceof CodedError) return error;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) return new RegistryError('REGISTRY_BODY_TOO_LARGE', { limit_bytes: PUSH_LIMIT_BYTES });
  if (status === 415) {
    const type = request.headers['content-type'] ?? 'nothing';
    return new RegistryError('REGISTRY_BODY_INVALID', { reason: `expected application/json, got ${type}` });
  }
  if (status === 408)
    return new RegistryError('REGISTRY_BODY_INVALID', { reason: 'it did not arrive in time' });
  if (typeof status === 'number' && status < 500)
    return new RegistryError('REGISTRY_BODY_INVALID', { reason: 'expected one JSON object' });
  return new RegistryError('REGISTRY_FAILED', {}, { cause: error });
}

/** Answers bytes that are no HTTP request, or did not become one in time, and ends the connection. */
export function refuseBytes(error: Error, socket: Socket): void {
  if (socket.destroyed || ('code' in error && error.code === 'ECONNRESET')) return;
  const late = 'code' in error && error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const reason = late ? 'the request did not arrive in time' : 'expected HTTP/1.1';
  const said = new RegistryError('REGISTRY_BODY_INVALID', { reason });
  const body = JSON.stringify(answerOf(said, said.code));
  const status = late ? '408 Request Timeout' : '400 Bad Request';
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  if (socket.writable) socket.write(`${head}\r\n\r\n${body}`);
  socket.destroySoon();
}
