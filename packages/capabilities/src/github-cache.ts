import type { Timestamp } from '@caloron/types';
import type { z } from 'zod';

import type { ForgeAnswer, ForgeClient, ForgeRequest } from './github-client.ts';

/** A conditional answer of a forge, as the store keeps it. */
export interface CachedForgeAnswer {
  readonly etag: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly at: Timestamp;
}

/** Where ETags are kept between ticks; the key is URL and token id. */
export interface ForgeCacheLike {
  get(key: string): Promise<CachedForgeAnswer | undefined>;
  put(key: string, answer: CachedForgeAnswer): Promise<void>;
}

/** The ETag of an answer; null when the host gives none. */
export function etagOf(answer: ForgeAnswer): string | null {
  const { etag } = answer.headers;
  return typeof etag === 'string' && etag !== '' ? etag : null;
}

/** What a cached read is made of. */
export interface CachedRead<T> {
  readonly request: ForgeRequest;
  /** What is kept of an answer. */
  readonly kept: z.ZodType<T>;
  /** Reads the first answer to its end; `whole` when there were no further pages. */
  readonly read: (first: ForgeAnswer) => Promise<{ readonly found: T; readonly whole: boolean }>;
}

function keyOf(client: ForgeClient, request: ForgeRequest): string {
  const query = Object.entries(request.query ?? {}).map(
    ([name, value]) => `${name}=${encodeURIComponent(value)}`,
  );
  return `${client.host}/repos/${client.repo}${request.path}?${query.join('&')} ${client.token_id}`;
}

function keptOf<T>(schema: z.ZodType<T>, cached: CachedForgeAnswer | undefined): { value: T } | undefined {
  if (cached === undefined) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(cached.body));
    return parsed.success ? { value: parsed.data } : undefined;
  } catch {
    // The cache may be deleted or damaged at any time: then the answer is asked for as if there were none.
    return undefined;
  }
}

/** Asks with the ETag of the last answer, and takes what was made of that when the host answers 304. An answer of several pages is not kept. */
export async function readCached<T>(
  client: ForgeClient,
  cache: ForgeCacheLike | undefined,
  { request, kept, read }: CachedRead<T>,
): Promise<T> {
  const key = keyOf(client, request);
  const cached = await cache?.get(key);
  const before = keptOf(kept, cached);
  const headers = cached === undefined || before === undefined ? {} : { 'if-none-match': cached.etag };
  const answer = await client.conditional({ ...request, headers });
  if (answer === undefined) {
    if (before !== undefined) return before.value;
    // A 304 nobody asked for: some proxies give one. Asked once more, plainly.
    return (await read(await client.send(request))).found;
  }
  const { found, whole } = await read(answer);
  const etag = etagOf(answer);
  if (cache !== undefined && etag !== null && whole) {
    const body = JSON.stringify(found);
    await cache.put(key, { etag, status: answer.status, headers: {}, body, at: client.now() });
  }
  return found;
}
