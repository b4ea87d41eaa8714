import type { Logger } from '@caloron/capabilities/logger';
import { CodedError, codeOf, isRetryable, messageOf } from '@caloron/noether/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { ShellError, statusOfCode } from './errors.ts';

/** Largest body accepted, in bytes: 1 MiB. */
export const BODY_LIMIT = 1024 * 1024;

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
  void reply.status(status).send({ ok: false, code, error: `${text}${hint}`, retryable: isRetryable(cause) });
}

function statusOf(error: unknown): number {
  return statusOfCode[codeOf(error)] ?? (isRetryable(error) ? 503 : 500);
}

/** Refusals of the HTTP server itself, as ours. */
function fromFastify(error: unknown, request: FastifyRequest): ShellError | undefined {
  if (error instanceof CodedError || !(error instanceof Error)) return undefined;
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) return new ShellError('REQUEST_TOO_LARGE', { limit_bytes: BODY_LIMIT });
  if (status === 415) {
    return new ShellError('REQUEST_TYPE_UNSUPPORTED', { type: request.headers['content-type'] ?? '' });
  }
  if (status === 400) return new ShellError('REQUEST_NOT_JSON', { reason: 'expected a JSON object' });
  return undefined;
}
