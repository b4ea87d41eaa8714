import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomToken } from '@caloron/capabilities/random';
import { messageOf } from '@caloron/noether/errors';
import { viewerOf } from './auth.ts';
import type { ForgeContext } from './context.ts';
import { LocalForgeError, statusOf } from './errors.ts';
import { etagOf, matches } from './etag.ts';
import { html } from './html.ts';
import { createPullFacts } from './pull-facts.ts';
import { gitHttpRoutes } from './routes/git-http.ts';
import { commentRoutes } from './routes/comments.ts';
import { commitRoutes } from './routes/commits.ts';
import { hookRoutes } from './routes/hooks.ts';
import { issueRoutes } from './routes/issues.ts';
import { labelRoutes } from './routes/labels.ts';
import { mergeRoutes } from './routes/merge.ts';
import { pageRoutes, send as sendPage } from './routes/pages.ts';
import { protectionRoutes } from './routes/protection.ts';
import { pullRoutes } from './routes/pulls.ts';
import { refRoutes } from './routes/refs.ts';
import { repoRoutes } from './routes/repos.ts';
import { reviewRoutes } from './routes/reviews.ts';
import { statusRoutes } from './routes/statuses.ts';
import { userRoutes } from './routes/users.ts';

/** Largest JSON body: GitHub's longest text, escaped, and room. */
const BODY_LIMIT = 2_000_000;

/** Who is counted for requests without a token. */
const ANONYMOUS = '(anonymous)';

/** How the server is put together beyond its context. `loopback` refuses Host headers that name another machine. */
export interface AppOptions {
  readonly loopback: boolean;
}

/** The HTTP server of the forge: REST, git and pages. */
export function createApp(ctx: ForgeContext, options: AppOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: 500, ignoreTrailingSlash: true },
  });
  app.decorateRequest('viewer', null);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-github-request-id', randomToken(12));
    if (options.loopback) refuseForeignHost(request);
    request.viewer = viewerOf(ctx, request.headers.authorization);
    if (isApi(request)) takeRequest(ctx, request);
  });
  app.addHook('onSend', async (request, reply, payload) => finish(ctx, request, reply, payload));
  readJson(app);
  app.setErrorHandler((error, request, reply) => answerError(ctx, error, request, reply));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ message: 'Not Found', status: '404' }));
  addRoutes(app, ctx);
  return app;
}

function addRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const facts = createPullFacts(ctx);
  userRoutes(app, ctx);
  repoRoutes(app, ctx);
  refRoutes(app, ctx);
  protectionRoutes(app, ctx);
  commitRoutes(app, ctx);
  labelRoutes(app, ctx);
  issueRoutes(app, ctx);
  commentRoutes(app, ctx);
  pullRoutes(app, ctx, facts);
  reviewRoutes(app, ctx);
  mergeRoutes(app, ctx);
  statusRoutes(app, ctx);
  hookRoutes(app, ctx);
  gitHttpRoutes(app, ctx);
  pageRoutes(app, ctx, facts);
}

/** A page on another site can make a browser send requests here under its own name; only this machine's names are answered. */
function refuseForeignHost(request: FastifyRequest): void {
  const host = request.headers.host ?? '';
  const name = host.replace(/:\d+$/, '');
  if (['127.0.0.1', 'localhost', '[::1]'].includes(name)) return;
  throw new LocalForgeError('LOCAL_FORGE_HOST_FOREIGN', { host });
}

/** Requests of the REST API are counted; git and pages are not, nor is asking for the count. */
function isApi(request: FastifyRequest): boolean {
  return /^\/(?:repos|users?)(?:\/|\?|$)/.test(request.url);
}

function callerOf(request: FastifyRequest): string {
  return request.viewer?.login ?? ANONYMOUS;
}

function takeRequest(ctx: ForgeContext, request: FastifyRequest): void {
  const caller = callerOf(request);
  const wait = ['GET', 'HEAD'].includes(request.method) ? null : ctx.secondary(caller);
  if (wait !== null) {
    const details = { retry_after_s: wait };
    throw new LocalForgeError('LOCAL_FORGE_SECONDARY_LIMITED', details, { retryable: true });
  }
  if (ctx.limits.take(caller)) return;
  const { reset_at } = ctx.limits.look(caller);
  throw new LocalForgeError('LOCAL_FORGE_RATE_LIMITED', { login: caller, reset_at }, { retryable: true });
}

/** Adds the tag of the answer and the caller's budget; an answer the caller has already becomes a 304 and costs nothing. */
function finish(ctx: ForgeContext, request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  if (!isApi(request) && !request.url.startsWith('/rate_limit')) return payload;
  let body = payload;
  if (request.method === 'GET' && reply.statusCode === 200 && typeof payload === 'string') {
    const link = reply.getHeader('link');
    const etag = etagOf(payload, typeof link === 'string' ? link : undefined);
    void reply
      .header('etag', etag)
      .header('cache-control', 'private, no-cache')
      .header('vary', 'Accept, Authorization');
    if (matches(request.headers['if-none-match'], etag)) {
      void reply.code(304).removeHeader('content-length').removeHeader('content-type');
      if (isApi(request)) ctx.limits.giveBack(callerOf(request));
      body = '';
    }
  }
  const budget = ctx.limits.look(callerOf(request));
  void reply.headers({
    'x-ratelimit-limit': String(budget.limit),
    'x-ratelimit-remaining': String(budget.remaining),
    'x-ratelimit-used': String(budget.used),
    'x-ratelimit-reset': String(budget.reset_at),
    'x-ratelimit-resource': 'core',
    'x-github-api-version-selected': '2022-11-28',
  });
  return body;
}

/** JSON whatever the content type says, as GitHub reads it; an empty body is an empty object. */
function readJson(app: FastifyInstance): void {
  const parse = (
    _request: FastifyRequest,
    text: string,
    done: (error: Error | null, body?: unknown) => void,
  ): void => {
    if (text.trim() === '') {
      done(null, {});
      return;
    }
    try {
      done(null, JSON.parse(text));
    } catch {
      done(new LocalForgeError('LOCAL_FORGE_BODY_UNREADABLE', { reason: 'Problems parsing JSON' }));
    }
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, parse);
}

function answerError(
  ctx: ForgeContext,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const status = httpStatus(error);
  if (status >= 500) {
    ctx.warn(
      { method: request.method, path: request.url.split('?')[0], error: messageOf(error) },
      'request failed',
    );
    return reply.code(500).send({ message: 'Server Error', status: '500' });
  }
  // git and browsers send a token only to a server that asks for one.
  if (status === 401 && !isApi(request)) void reply.header('www-authenticate', 'Basic realm="caloron-forge"');
  if (request.url.startsWith('/ui')) {
    const how = 'Any name will do; the password is a token: caloron-forge user add LOGIN';
    const body = html`<p>${messageOf(error)}</p>
      ${status === 401 ? html`<p>${how}</p>` : html``}`;
    return sendPage(request, reply.code(status), `${status}`, body);
  }
  const details: unknown = error instanceof LocalForgeError ? error.details : {};
  if (error instanceof LocalForgeError && 'retry_after_s' in error.details)
    void reply.header('retry-after', String(error.details.retry_after_s));
  const errors: unknown =
    typeof details === 'object' && details !== null && 'errors' in details ? details.errors : undefined;
  return reply.code(status).send({
    message: messageOf(error),
    ...(errors === undefined ? {} : { errors }),
    documentation_url: 'https://docs.github.com/rest',
    status: String(status),
  });
}

/** Ours by code; Fastify's own refusals (too large, unknown type) carry theirs. */
function httpStatus(error: unknown): number {
  const ours = statusOf(error);
  if (ours !== 500 || typeof error !== 'object' || error === null || !('statusCode' in error)) return ours;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}
