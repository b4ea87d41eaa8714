import { type Clock, type ForgeAsker, type ForgeBudget, GITHUB_API } from '@caloron/types';
import type { Octokit } from '@octokit/rest';
import type { z } from 'zod';

import { budgetGate } from './github-budget.ts';
import type { ForgeError } from './forge-errors.ts';
import type { MadeToken } from './github-app.ts';
import { forgeError, headersOf, statusOf, toForgeError, passingAnswer } from './github-errors.ts';
import { guardedFetch, sameOrigin } from './github-fetch.ts';
import { tokenIdOf } from './token-id.ts';

/** What a client of one repository is made of. */
export interface ForgeClientDeps {
  /** API address without a trailing slash. */
  readonly host: string;
  /** `owner/name`. */
  readonly repo: string;
  /** One that is made when it is needed goes with each request, and is made anew once when the host no longer takes it. */
  readonly token: string | MadeToken;
  readonly clock: Clock;
  readonly user_agent: string;
  /** How often a read is repeated after a fault of the host or the network. */
  readonly read_retries: number;
  /** An attempt that takes longer is given up. */
  readonly timeout_ms: number;
  /** Longest answer in bytes; 32 MB when absent. */
  readonly max_bytes?: number | undefined;
  /** A read that takes longer with all its attempts is given up; 60 000 ms when absent. */
  readonly read_deadline_ms?: number | undefined;
  /** What is left of the host's limits, shared with other processes; absent: every request is made. */
  readonly budget?: ForgeBudget | undefined;
  /** Who asks; a tick when absent. */
  readonly who?: ForgeAsker | undefined;
}

/** One request: what it is for, in words that follow "could not". */
export interface ForgeRequest {
  readonly doing: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the repository (`/issues`), or from the API's root when `root` is set (`/user`). */
  readonly path: string;
  readonly root?: boolean;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer with a 2xx status. */
export interface ForgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly data: unknown;
}

/** One repository's requests. Every method throws a ForgeError. */
export interface ForgeClient {
  readonly host: string;
  readonly repo: string;
  readonly owner: string;
  /** First 16 hex digits of the token's SHA-256: tells tokens apart without being one. */
  readonly token_id: string;
  readonly now: Clock['now'];
  send(request: ForgeRequest): Promise<ForgeAnswer>;
  /** The answer's body in the schema's shape; FORGE_ANSWER_INVALID for another. */
  json<T extends z.ZodType>(schema: T, request: ForgeRequest): Promise<z.output<T>>;
  /** Undefined when the host answers 304 to the request's If-None-Match. */
  conditional(request: ForgeRequest): Promise<ForgeAnswer | undefined>;
  /** All pages from the first on, by their Link headers; the first is asked for unless it is given. */
  pages(request: ForgeRequest, first?: ForgeAnswer): AsyncGenerator<ForgeAnswer, void>;
  parse<T extends z.ZodType>(schema: T, answer: ForgeAnswer, request: ForgeRequest): z.output<T>;
}

/** Three lists are read one after another, and a tick has little more than a minute. */
const READ_DEADLINE_MS = 60_000;

/** Statuses a repeated read cannot change. */
const FINAL_STATUSES = [400, 401, 403, 404, 405, 409, 410, 422, 429, 451];

const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Loads the library when the first request is made: most commands make none. */
async function createOctokit(deps: ForgeClientDeps, token_id: string): Promise<Octokit> {
  const [{ Octokit }, { retry }] = await Promise.all([
    import('@octokit/rest'),
    import('@octokit/plugin-retry'),
  ]);
  const options = {
    ...(typeof deps.token === 'string' && { auth: deps.token }),
    baseUrl: deps.host,
    userAgent: deps.user_agent,
    log: quiet,
    request: { fetch: guardedFetch(deps), log: quiet },
    retry: { retries: deps.read_retries, doNotRetry: FINAL_STATUSES },
  };
  if (deps.host !== GITHUB_API) return new (Octokit.plugin(retry))(options);
  // github.com limits how fast content is made: writes are spaced by one second, those that notify people by three.
  const { throttling } = await import('@octokit/plugin-throttling');
  const never = () => false;
  return new (Octokit.plugin(retry, throttling))({
    ...options,
    throttle: { id: token_id, onRateLimit: never, onSecondaryRateLimit: never },
  });
}

/** Redirects that say of themselves that they are temporary. */
const PASSING_REDIRECTS: readonly number[] = [302, 303, 307];

/** The address of the `next` page in a Link header. */
function nextLink(headers: Readonly<Record<string, unknown>>): string | undefined {
  const link = headers['link'];
  return typeof link === 'string' ? /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(link)?.[1] : undefined;
}

/** Opens the requests of one repository. Reads are repeated after faults, writes are sent once. */
export function createForgeClient(deps: ForgeClientDeps): ForgeClient {
  const { host, repo, token, clock, read_deadline_ms: deadline_ms = READ_DEADLINE_MS } = deps;
  const token_id = typeof token === 'string' ? tokenIdOf(token) : token.id;
  let octokit: Promise<Octokit> | undefined;
  const [owner = ''] = repo.split('/');
  const now = () => clock.now();
  const gate = budgetGate({
    budget: deps.budget,
    account: { host, token_id },
    who: deps.who ?? 'tick',
    repo,
    now,
  });
  /** Whether the host has answered about this repository: a 404 after that is about something in it. */
  let seen = false;

  function failed(error: unknown, { doing, root, path }: ForgeRequest): ForgeError {
    const secret = typeof token === 'string' ? token : token.known();
    const place = root === true ? null : path;
    return toForgeError(error, { host, repo, doing, token: secret, now, seen, path: place });
  }

  /** One request through the gate: asked for before, and told of after, whatever comes. */
  async function raw(request: ForgeRequest, url: string): Promise<ForgeAnswer> {
    await gate.enter(request);
    try {
      const answer = await sent(request, url);
      seen ||= request.root !== true;
      await gate.answered(answer.headers, answer.status);
      return answer;
    } catch (error) {
      const headers = headersOf(error);
      if (statusOf(error) === 304) {
        seen = true;
        await gate.answered(headers ?? {}, 304);
        throw error;
      }
      const told = failed(error, request);
      await gate.failed(told, headers);
      throw told;
    }
  }

  async function sent(request: ForgeRequest, url: string): Promise<ForgeAnswer> {
    if (typeof token === 'string') return sentWith({}, request, url);
    const made = (await token.get()).token;
    try {
      return await sentWith({ authorization: `token ${made}` }, request, url);
    } catch (error) {
      if (statusOf(error) !== 401) throw error;
      // A request that was not let in did nothing: a write is safe to repeat too.
      const other = (await token.get(made)).token;
      return sentWith({ authorization: `token ${other}` }, request, url);
    }
  }

  async function sentWith(
    credential: Readonly<Record<string, string>>,
    request: ForgeRequest,
    url: string,
  ): Promise<ForgeAnswer> {
    const isRead = request.method === 'GET';
    const client = await (octokit ??= createOctokit(deps, token_id));
    const answer = await client.request({
      method: request.method,
      url,
      headers: { 'x-github-api-version': '2022-11-28', ...credential, ...request.headers },
      ...(isRead ? request.query : {}),
      request: isRead ? { signal: AbortSignal.timeout(deadline_ms) } : { retries: 0 },
      ...(request.body === undefined ? {} : { data: request.body }),
    });
    const data: unknown = answer.data;
    if (answer.status >= 300) {
      const answerText = `it redirects to another address (${answer.headers.location ?? 'unnamed'})`;
      const facts = { host, repo, doing: request.doing, status: answer.status, answer: answerText };
      throw PASSING_REDIRECTS.includes(answer.status)
        ? passingAnswer(facts)
        : forgeError('FORGE_ANSWER_INVALID', facts);
    }
    return { status: answer.status, headers: answer.headers, data };
  }

  const urlOf = (request: ForgeRequest) =>
    request.root === true ? request.path : `/repos/${repo}${request.path}`;

  async function send(request: ForgeRequest): Promise<ForgeAnswer> {
    try {
      return await raw(request, urlOf(request));
    } catch (error) {
      throw failed(error, request);
    }
  }

  async function next(answer: ForgeAnswer, request: ForgeRequest): Promise<ForgeAnswer | undefined> {
    const link = nextLink(answer.headers);
    if (link === undefined) return undefined;
    const { doing, method, path } = request;
    try {
      // Without the query: the link carries it, and without If-None-Match: it belongs to the first page.
      if (sameOrigin(link, host)) return await raw({ doing, method, path }, link);
      // A host behind a proxy may name itself by another address: only the page number is taken from it.
      const page = Number(URL.parse(link)?.searchParams.get('page') ?? Number.NaN);
      if (!Number.isInteger(page)) {
        const facts = { host, repo, doing, status: answer.status };
        throw forgeError('FORGE_ANSWER_INVALID', { ...facts, answer: 'its next page lies on another host' });
      }
      return await raw({ doing, method, path, query: { ...request.query, page } }, urlOf(request));
    } catch (error) {
      throw failed(error, request);
    }
  }

  function parse<T extends z.ZodType>(schema: T, answer: ForgeAnswer, request: ForgeRequest): z.output<T> {
    const parsed = schema.safeParse(answer.data);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const facts = { host, repo, doing: request.doing, status: answer.status };
    if (typeof answer.data === 'string') throw passingAnswer({ ...facts, answer: 'no JSON came' });
    const shape = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'another shape'}`;
    throw forgeError('FORGE_ANSWER_INVALID', { ...facts, answer: shape });
  }

  return {
    host,
    repo,
    owner,
    token_id,
    now,
    send,
    parse,
    async json(schema, request) {
      return parse(schema, await send(request), request);
    },
    async conditional(request) {
      try {
        return await raw(request, urlOf(request));
      } catch (error) {
        if (statusOf(error) === 304) return undefined;
        throw failed(error, request);
      }
    },
    async *pages(request, first) {
      let answer: ForgeAnswer | undefined = first ?? (await send(request));
      while (answer !== undefined) {
        yield answer;
        answer = await next(answer, request);
      }
    },
  };
}
