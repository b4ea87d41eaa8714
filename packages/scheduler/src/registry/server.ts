import { isIPv4, type AddressInfo } from 'node:net';

import type { Logger } from '@caloron/capabilities/logger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { createIntake, parsePushed } from './accept.ts';
import { RegistryError } from './errors.ts';
import { isKnown, type Page, stagePage, stagesPage } from './listing.ts';
import { refuse, refuseBytes } from './refusal.ts';
import { type KeyVariables, type RegistryKeys, registryKeys } from './registry-keys.ts';
import { openServedStore, type ServedStore } from './served-store.ts';
import { type HealthAnswer, PUSH_LIMIT_BYTES } from './wire.ts';

/** What a registry serves, where and to whom. */
export interface RegistryOptions {
  /** The stage store's file; its keys lie beside it. */
  readonly file: string;
  /** 127.0.0.1 when absent. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly keys: KeyVariables;
  /** Whether everybody may read, also where other machines reach the address. */
  readonly public?: boolean;
  readonly version: string;
  readonly logger: Logger;
  /** How long a request may take to arrive, ms; REQUEST_TIMEOUT_MS when absent. A connection may stand still three times as long. */
  readonly timeout_ms?: number;
}

/** A registry that listens. */
export interface Registry {
  readonly url: string;
  /** Answers what is being asked, a grace long, and ends. */
  close(): Promise<void>;
}

/** A request that takes longer to arrive is given up, so that none is held open. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Node looks for late requests this often at most, ms. */
const LATE_INTERVAL_MS = 30_000;
/** Connections at once; further ones are closed at once. */
const MAX_CONNECTIONS = 1_000;
/** Requests still going on this long after the end was asked for are cut off, ms. */
const CLOSE_GRACE_MS = 5_000;

/**
 * Serves a stage store. Throws REGISTRY_READS_OPEN, REGISTRY_KEY_INVALID, REGISTRY_PORT_IN_USE, REGISTRY_HOST_INVALID, and what
 * {@link openServedStore} throws.
 */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const { file, host = '127.0.0.1', port, logger, timeout_ms = REQUEST_TIMEOUT_MS } = options;
  const keys = registryKeys(options.keys);
  if (!isLoopback(host) && !keys.private && options.public !== true)
    throw new RegistryError('REGISTRY_READS_OPEN', { host });
  const served = await openServedStore(file, logger);
  const app = Fastify({
    bodyLimit: PUSH_LIMIT_BYTES,
    requestTimeout: timeout_ms,
    // Longer, so that a late request is answered before its connection ends.
    connectionTimeout: 3 * timeout_ms,
    forceCloseConnections: 'idle',
    http: {
      headersTimeout: timeout_ms,
      connectionsCheckingInterval: Math.min(LATE_INTERVAL_MS, Math.ceil(timeout_ms / 2)),
    },
    frameworkErrors: (error, request, reply) => refuse(error, request, reply, logger),
    clientErrorHandler: refuseBytes,
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.removeContentTypeParser('text/plain');
  app.addHook('onClose', async () => served.close());
  answers(app, logger);
  routes(app, { file, served, keys, version: options.version, logger });
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, port, host);
  }
  const url = urlOf(app, host);
  const { stages } = await served.current();
  logger.info(
    { url, file, stages: stages.length, private: keys.private, pushed_to: keys.writable },
    'registry serves',
  );
  return { url, close: () => close(app) };
}

/** Every answer is logged by its route: what was asked may hold anything. */
function answers(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, logger));
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?');
    refuse(
      new RegistryError('REGISTRY_ROUTE_UNKNOWN', { method: request.method, path }),
      request,
      reply,
      logger,
    );
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, ip } = request;
    const route = request.routeOptions.url ?? null;
    const facts = { method, route, status: reply.statusCode, ip, ms: Math.round(reply.elapsedTime) };
    if (route === '/health') logger.debug(facts, 'answered');
    else logger.info(facts, 'answered');
    done();
  });
}

interface Routed {
  readonly file: string;
  readonly served: ServedStore;
  readonly keys: RegistryKeys;
  readonly version: string;
  readonly logger: Logger;
}

function routes(app: FastifyInstance, { file, served, keys, version, logger }: Routed): void {
  const reading = guard(keys.requireRead);
  const send = (request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply => {
    void reply
      .header('etag', page.etag)
      .header('cache-control', keys.private ? 'private, no-cache' : 'no-cache');
    if (isKnown(page.etag, request.headers['if-none-match'])) return reply.status(304).send();
    return reply.type('application/json; charset=utf-8').send(page.text());
  };
  app.get('/health', async (): Promise<HealthAnswer> => {
    const { stages } = await served.current();
    const { problem } = served;
    const status = problem === null ? 'ok' : 'stale';
    return { ok: true, data: { status, stages: stages.length, version, problem } };
  });
  app.get('/stages', { onRequest: reading }, async (request, reply) =>
    send(request, reply, stagesPage(await served.current(), request.query)),
  );
  app.get<{ Params: { id: string } }>('/stages/:id', { onRequest: reading }, async (request, reply) =>
    send(request, reply, stagePage(await served.current(), request.params.id)),
  );
  const accept = createIntake(file, served);
  app.post('/stages', { onRequest: guard(keys.requireWrite) }, async (request, reply) => {
    const record = parsePushed(request.body);
    const accepted = await accept(record);
    const { id, name, created, supersedes } = accepted;
    if (created) logger.info({ id, name, author: record.signer_public_key, supersedes }, 'stage pushed');
    return reply.status(accepted.created ? 201 : 200).send({ ok: true, data: accepted });
  });
}

/** A hook before a body is read: nobody who may not push has one read. */
function guard(
  require: (request: FastifyRequest) => void,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request) => require(request);
}

async function close(app: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

/** Whether only this machine reaches an address. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function urlOf(app: FastifyInstance, host: string): string {
  const { port } = app.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function listenError(error: unknown, port: number, host: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    const hint = `find it: ss -ltnp 'sport = :${port}', or take a free port: --port 0`;
    return new RegistryError('REGISTRY_PORT_IN_USE', { port, host }, { cause: error, hint });
  }
  if (code !== 'EADDRNOTAVAIL' && code !== 'ENOTFOUND' && code !== 'EAI_AGAIN') return error;
  return new RegistryError('REGISTRY_HOST_INVALID', { host }, { cause: error });
}
