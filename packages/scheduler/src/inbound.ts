import { codeOf, messageOf } from '@caloron/noether/errors';
import type { Deliveries } from '@caloron/store';
import { RepoName } from '@caloron/types';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

import { SchedulerError } from './errors.ts';
import { bareSignature, forgeHeader, isBareSignature } from './inbound-gitea.ts';

/** Where a forge posts its events: below the scheduler's address. */
export const INBOUND_PATH = '/webhooks/forge';

/** The kind of log row a delivery leaves; a job whose `on` names it runs at once. */
export const DELIVERED = 'forge.delivered';

/** GitHub sends at most 25 MB, after https://docs.github.com/en/webhooks/webhook-events-and-payloads. */
const BODY_LIMIT = 25 * 1024 * 1024;

/** Events after which a poll may find something new: of issues, pull requests, their reviews and comments, commits and checks. */
const WORTH_A_LOOK = /^(?:issue|pull_request|check_|push$|status$)/u;

const DeliveryId = z.string().regex(/^[\w-]{1,100}$/u);
const EventName = z.string().regex(/^[a-z][a-z0-9_]{0,59}$/u);

/** What of a payload is looked at; anything else of it is neither believed nor kept. */
const Payload = z.object({
  action: EventName.nullish().catch(null),
  repository: z.object({ full_name: RepoName }).nullish().catch(null),
});

/** What deliveries are checked with and lead to. */
export interface InboundDeps {
  /** Shared with the forge; not empty. */
  readonly secret: string;
  readonly deliveries: Pick<Deliveries, 'accept'>;
  /** Whether some job works for a repository. */
  readonly watches: (repo: string) => Promise<boolean>;
  readonly warn: (facts: object, message: string) => void;
}

/** What a delivery that was taken is answered with. */
interface Taken {
  readonly ok: true;
  /** It came before, and changed nothing. */
  readonly duplicate?: true;
  /** Whether it makes a run. */
  readonly wakes: boolean;
}

/**
 * `POST /webhooks/forge`: a forge tells that something happened. What it tells is only that: a run reads the forge itself. 202 for a new
 * delivery, 200 for one that came before, 401, 413 and 400 as `{ok: false, code, error}`.
 */
export function inboundRoutes(app: FastifyInstance, deps: InboundDeps): void {
  // A scope of its own: elsewhere bodies are parsed, and the signature is about the bytes.
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, taken) =>
      taken(null, body),
    );
    scope.setErrorHandler((error, _request, reply) => refuse(error, reply, deps));
    // Nobody who brings no signature has a body read.
    scope.addHook('onRequest', (request, _reply, next) => {
      if (signatureOf(request) === undefined) next(unsigned('it carries none'));
      else next();
    });
    scope.post(INBOUND_PATH, { bodyLimit: BODY_LIMIT }, async (request, reply) => {
      const taken = await receive(request, deps);
      return reply.status(taken.duplicate === true ? 200 : 202).send(taken);
    });
    done();
  });
}

async function receive(request: FastifyRequest, deps: InboundDeps): Promise<Taken> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const signature = signatureOf(request);
  if (body.length === 0) throw invalid('body: expected a payload');
  if (signature === undefined || !(await isSigned(deps.secret, body, signature)))
    throw unsigned('it is not that of this body and CALORON_WEBHOOK_SECRET');
  const id = DeliveryId.safeParse(forgeHeader(request.headers, 'delivery'));
  if (!id.success) throw invalid('x-github-delivery: expected the id of the delivery');
  const event = EventName.safeParse(forgeHeader(request.headers, 'event'));
  if (!event.success) throw invalid('x-github-event: expected the name of an event');
  const { repository, action = null } = payloadOf(body, request.headers['content-type']);
  const repo = repository?.full_name ?? null;
  const wakes = repo !== null && WORTH_A_LOOK.test(event.data) && (await deps.watches(repo));
  const row = {
    event_id: `${DELIVERED}:${id.data}`,
    kind: DELIVERED,
    sprint_id: null,
    payload: { repo, event: event.data, action },
  };
  const first = await deps.deliveries.accept(id.data, wakes ? row : null);
  return first ? { ok: true, wakes } : { ok: true, duplicate: true, wakes: false };
}

/** The signature as it came; undefined without one that counts: SHA-1 does not. */
function signatureOf({ headers }: FastifyRequest): string | undefined {
  const given = headers['x-hub-signature-256'];
  return typeof given === 'string' ? given : bareSignature(headers);
}

async function isSigned(secret: string, body: Buffer, signature: string): Promise<boolean> {
  if (!signature.startsWith('sha256=')) return isBareSignature(secret, body, signature);
  const { Webhooks } = await import('@octokit/webhooks');
  return new Webhooks({ secret }).verify(body.toString('utf8'), signature);
}

/** GitHub sends forms unless told to send JSON. */
function payloadOf(body: Buffer, type: string | undefined): z.output<typeof Payload> {
  const text = body.toString('utf8');
  const isForm = type?.startsWith('application/x-www-form-urlencoded') === true;
  const json = isForm ? (new URLSearchParams(text).get('payload') ?? '') : text;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw invalid(`body: expected JSON (${messageOf(error).slice(0, 100)})`);
  }
  const parsed = Payload.safeParse(value);
  if (!parsed.success) throw invalid('body: expected an object');
  return parsed.data;
}

const unsigned = (reason: string) => new SchedulerError('WEBHOOK_SIGNATURE_INVALID', { reason });
const invalid = (problem: string) => new SchedulerError('WEBHOOK_INVALID', { problem });

function refuse(error: unknown, reply: FastifyReply, { warn }: InboundDeps): void {
  const known = ofServer(error) ?? error;
  if (!(known instanceof SchedulerError)) {
    // The poll finds what it told of all the same.
    warn({ err: error }, 'a delivery could not be taken');
    const said = 'the delivery could not be taken; the scheduler log says more';
    void reply.status(503).send({ ok: false, code: codeOf(error), error: said });
    return;
  }
  const { code, message, hint } = known;
  warn({ code, reason: message }, 'a delivery was refused');
  const said = hint === undefined ? message : `${message} (${hint})`;
  void reply.status(STATUS[code] ?? 400).send({ ok: false, code, error: said });
}

/** Refusals of the HTTP server itself, as ours. */
function ofServer(error: unknown): SchedulerError | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) return new SchedulerError('WEBHOOK_TOO_LARGE', { limit: BODY_LIMIT });
  return typeof status === 'number' && status < 500 ? invalid(messageOf(error)) : undefined;
}

const STATUS: Readonly<Partial<Record<string, number>>> = {
  WEBHOOK_SIGNATURE_INVALID: 401,
  WEBHOOK_TOO_LARGE: 413,
};
