import { messageOf } from '@caloron/noether/errors';

import { plainUrl, type RegistryAddress } from './address.ts';
import { RegistryClientError } from './client-errors.ts';
import { KEY_HEADER } from './wire.ts';

/** Redirects of one question. */
const MAX_REDIRECTS = 3;

/** A longer ETag counts as none, characters. */
const MAX_ETAG = 256;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** An answer of a registry, read to its end. */
export interface RegistryReply {
  /** 200 or 304. */
  readonly status: number;
  readonly etag: string | null;
  /** What the JSON says; null for 304. */
  readonly body: unknown;
  readonly bytes: number;
}

/** One question. */
export interface RegistryQuestion {
  /** Below the registry's address, e.g. `stages`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Asked for only when it is another one. */
  readonly if_none_match?: string | null;
  /** Largest answer that is read, bytes. */
  readonly limit_bytes: number;
  /** Given up on after so long, however slowly it drips, ms. */
  readonly timeout_ms: number;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a registry by GET and reads the answer. The key goes to the registry's own origin alone: a redirect is followed when it stays
 * there, or goes from http to https of the same host. Throws REGISTRY_UNREACHABLE (retryable), REGISTRY_REFUSED,
 * REGISTRY_ANSWER_INVALID.
 */
export async function askRegistry(
  address: RegistryAddress,
  question: RegistryQuestion,
): Promise<RegistryReply> {
  const { timeout_ms } = question;
  const late = AbortSignal.timeout(timeout_ms);
  const signal = question.signal === undefined ? late : AbortSignal.any([question.signal, late]);
  try {
    return await exchange(address, question, signal);
  } catch (error) {
    if (error instanceof RegistryClientError) throw error;
    const reason = late.aborted ? `no whole answer within ${timeout_ms} ms` : reasonOf(error);
    throw unreachable(address, reason, error);
  }
}

async function exchange(
  address: RegistryAddress,
  { path, query = {}, if_none_match: etag, limit_bytes }: RegistryQuestion,
  signal: AbortSignal,
): Promise<RegistryReply> {
  let url = new URL(`${address.url.replace(/\/+$/u, '')}/${path}?${String(new URLSearchParams(query))}`);
  for (let redirects = 0; ; redirects += 1) {
    const response = await fetch(url, {
      redirect: 'manual',
      signal,
      headers: {
        accept: 'application/json',
        'user-agent': 'caloron',
        ...(address.api_key !== null && { [KEY_HEADER]: address.api_key }),
        ...(etag !== null && etag !== undefined && { 'if-none-match': etag }),
      },
    });
    if (!REDIRECTS.has(response.status)) return answer(address, response, limit_bytes);
    await response.body?.cancel();
    url = following(address, url, response.headers.get('location'), redirects);
  }
}

function following(address: RegistryAddress, from: URL, location: string | null, redirects: number): URL {
  const to = location === null ? null : URL.parse(location, from.href);
  if (to === null || redirects >= MAX_REDIRECTS) throw invalid(address, 'it redirects without an end');
  const encrypted = from.protocol === 'http:' && to.protocol === 'https:' && to.hostname === from.hostname;
  if ((to.origin === from.origin || encrypted) && to.username === '' && to.password === '') return to;
  const where = to.host === '' ? `a ${to.protocol} address` : to.host;
  throw invalid(address, `it redirects to ${where}; name that address if it is meant`);
}

async function answer(
  address: RegistryAddress,
  response: Response,
  limit_bytes: number,
): Promise<RegistryReply> {
  const { status } = response;
  const given = response.headers.get('etag');
  const etag = given !== null && given.length <= MAX_ETAG ? given : null;
  if (status === 304 || status !== 200) await response.body?.cancel();
  if (status === 304) return { status, etag, body: null, bytes: 0 };
  if (status === 401 || status === 403)
    throw new RegistryClientError('REGISTRY_REFUSED', { url: address.url, status });
  if (status >= 500 || status === 429) throw unreachable(address, `it answered HTTP ${status}`);
  if (status !== 200) throw invalid(address, `it answered HTTP ${status}`);
  const bytes = await bodyOf(address, response, limit_bytes);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { status, etag, body: JSON.parse(text), bytes: bytes.length };
  } catch (error) {
    throw invalid(address, 'its answer is no JSON', error);
  }
}

async function bodyOf(address: RegistryAddress, { body }: Response, limit_bytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop ends the connection.
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > limit_bytes) throw invalid(address, `its answer is larger than ${limit_bytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** REGISTRY_ANSWER_INVALID. */
export function invalid({ url }: RegistryAddress, problem: string, cause?: unknown): RegistryClientError {
  return new RegistryClientError('REGISTRY_ANSWER_INVALID', { url, problem }, { cause, hint: lookAt(url) });
}

/** REGISTRY_UNREACHABLE; the same question may be answered later. */
export function unreachable({ url }: RegistryAddress, reason: string, cause?: unknown): RegistryClientError {
  const advice = { cause, retryable: true, hint: lookAt(url) };
  return new RegistryClientError('REGISTRY_UNREACHABLE', { url, reason }, advice);
}

/** How a person looks whether a registry is there. */
export function lookAt(url: string): string {
  return `see whether it is there: curl ${plainUrl(url)}/health`;
}

/** What went wrong with a connection: fetch says it in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  // ECONNREFUSED and the like say it all; codes of the HTTP parser say nothing to anybody.
  return /^E[A-Z]+$/u.test(code) ? code : messageOf(cause);
}
