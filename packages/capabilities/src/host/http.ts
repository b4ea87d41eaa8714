import type { Http, HttpAnswer, HttpRequest } from '@caloron/types';
import { z } from 'zod';

import { HttpError, type HttpFacts } from './errors.ts';
import { hostRefused, isNamedHost } from './hosts.ts';

/** A browser's and most clients' limit. */
const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:']);
/** The only headers that go with a request to another origin: every other one may be a credential. */
const TRAVELLING: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);

/** The network's reasons carry a code; its sentences carry addresses. */
const Reason = z.object({ cause: z.object({ code: z.string() }) });

/** One exchange of the chain of redirects. */
interface Hop {
  readonly method: HttpRequest['method'];
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string | null;
}

/** Parses an address; throws HTTP_URL_INVALID. The address itself is in no message. */
function parsedUrl(text: string): URL {
  const url = URL.parse(text);
  const reason =
    url === null
      ? 'it is no address'
      : !SCHEMES.has(url.protocol)
        ? `its scheme is ${url.protocol.slice(0, -1)}`
        : url.username !== '' || url.password !== ''
          ? 'it carries a user or a password; give a header instead'
          : null;
  if (url === null || reason !== null)
    throw new HttpError('HTTP_URL_INVALID', { reason: reason ?? 'it is no address' });
  return url;
}

/** Headers that say how the connection carries the request: they are its own matter. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Why a header cannot be sent, by its name in lower case; null when it can. */
function misplaced(name: string, value: string, body: string | null): string | null {
  if (name === 'host') return 'the header host says another host than the address';
  if (FRAMING.has(name)) return `the header ${name} is the connection's own`;
  if (name === 'content-length' && value.trim() !== String(Buffer.byteLength(body ?? '')))
    return 'the header content-length is not the length of the body';
  return null;
}

function headersOf(request: HttpRequest, facts: HttpFacts): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    const reason = misplaced(name.trim().toLowerCase(), value, request.body);
    if (reason !== null) throw new HttpError('HTTP_REQUEST_INVALID', { ...facts, reason });
    try {
      headers.append(name, value);
    } catch {
      // Its message holds the value.
      const characters = `the header ${JSON.stringify(name)} has characters HTTP does not allow`;
      throw new HttpError('HTTP_REQUEST_INVALID', { ...facts, reason: characters });
    }
  }
  return headers;
}

/** Where a redirect leads; undefined when the answer is none. Throws HTTP_REDIRECT_REFUSED. */
function following(hop: Hop, response: Response, hosts: readonly string[] | null): Hop | undefined {
  const location = response.headers.get('location');
  if (!REDIRECTS.has(response.status) || location === null) return undefined;
  const to = URL.parse(location, hop.url.href);
  const facts = { method: hop.method, host: hop.url.host };
  const refused = (reason: string): HttpError<'HTTP_REDIRECT_REFUSED'> =>
    new HttpError('HTTP_REDIRECT_REFUSED', { ...facts, to: to?.host ?? 'nowhere', reason });
  if (to === null || !SCHEMES.has(to.protocol)) throw refused('it is no http address');
  if (to.username !== '' || to.password !== '') throw refused('the address carries a user or a password');
  if (hosts !== null && !isNamedHost(hosts, to))
    throw refused('the policy of the run does not name that host');
  if (hop.url.protocol === 'https:' && to.protocol === 'http:') throw refused('it is not encrypted');
  const asGet =
    (response.status === 303 && hop.method !== 'HEAD') || (response.status < 303 && hop.method === 'POST');
  const body = asGet ? null : hop.body;
  if (to.origin === hop.url.origin && !asGet) return { ...hop, url: to };
  if (to.origin !== hop.url.origin && body !== null) throw refused('the body would go to another host');
  const kept = [...hop.headers].filter(
    ([name]) =>
      (to.origin === hop.url.origin || TRAVELLING.has(name)) && !(asGet && name.startsWith('content-')),
  );
  return { method: asGet ? 'GET' : hop.method, url: to, headers: new Headers(kept), body };
}

/** The text of a body in the charset the answer names, UTF-8 where it names none that is known. */
function decoded(bytes: Uint8Array, type: string | null): string {
  const charset = /charset="?([^\s";]+)/i.exec(type ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

async function bytesOf(response: Response, max_bytes: number, facts: HttpFacts): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body === null) return new Uint8Array();
  // Leaving the loop closes the connection.
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > max_bytes) throw new HttpError('HTTP_BODY_TOO_LARGE', { ...facts, max_bytes });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Follows redirects to the answer. */
async function exchange(
  first: Hop,
  hosts: readonly string[] | null,
  max_bytes: number,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let hop = first;
  for (let redirects = 0; ; redirects += 1) {
    const { method, url, headers, body } = hop;
    const response = await fetch(url, { method, headers, body, redirect: 'manual', signal });
    const next = following(hop, response, hosts);
    if (next === undefined) {
      const bytes = await bytesOf(response, max_bytes, { method, host: url.host });
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: decoded(bytes, response.headers.get('content-type')),
      };
    }
    await response.body?.cancel();
    if (redirects === MAX_REDIRECTS) {
      const reason = `it was the ${MAX_REDIRECTS + 1}th redirect`;
      throw new HttpError('HTTP_REDIRECT_REFUSED', { method, host: url.host, to: next.url.host, reason });
    }
    hop = next;
  }
}

/** What fetch throws, without the sentences that hold addresses and headers. */
function failed(error: unknown, facts: HttpFacts): HttpError {
  const found = Reason.safeParse(error);
  const code = found.success
    ? found.data.cause.code
    : 'no connection was made; its port may be one that is never connected to, as 6000';
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    const reason = 'HTTP does not allow one of its headers here';
    return new HttpError('HTTP_REQUEST_INVALID', { ...facts, reason });
  }
  return new HttpError('HTTP_UNREACHABLE', { ...facts, reason: code }, { retryable: true });
}

/**
 * HTTP over fetch. `hosts` are the names, with their ports where these are not the scheme's, the run's policy allows; null is
 * no policy. Every redirect is held against it too. No error holds a path, a query, a header or a body.
 */
export function createHttp({ hosts }: { readonly hosts: readonly string[] | null }): Http {
  return {
    async send(request) {
      const { method, body, timeout_ms, max_bytes, signal } = request;
      const url = parsedUrl(request.url);
      const facts = { method, host: url.host };
      if (hosts !== null && !isNamedHost(hosts, url)) throw hostRefused(url.host, hosts);
      if (body !== null && (method === 'GET' || method === 'HEAD'))
        throw new HttpError('HTTP_REQUEST_INVALID', { ...facts, reason: 'GET and HEAD carry no body' });
      const headers = headersOf(request, facts);
      signal?.throwIfAborted();
      const late = AbortSignal.timeout(timeout_ms);
      const stop = signal === undefined ? late : AbortSignal.any([signal, late]);
      try {
        return await exchange({ method, url, headers, body }, hosts, max_bytes, stop);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof HttpError) throw error;
        if (late.aborted) throw new HttpError('HTTP_TIMEOUT', { ...facts, timeout_ms }, { retryable: true });
        throw failed(error, facts);
      }
    },
  };
}
