import { createHash } from 'node:crypto';

import { epochMs, type ForgeChanges, Timestamp } from '@caloron/types';
import { z } from 'zod';

import type { ForgeClient, ForgeRequest } from './github-client.ts';

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

/** What the ETag stands for, kept in the answer's `body`. */
const Known = z.strictObject({
  /** The cursor the answer led to. */
  cursor: Timestamp.nullable(),
  /** Whether a caller that comes with this cursor has everything the answer held. */
  trusted: z.boolean(),
  /** Digests of the items at the cursor's instant that such a caller is known to have. */
  held: z.array(z.string()),
});
type Known = z.infer<typeof Known>;

interface Dated {
  readonly updated_at: Timestamp;
}

/** A list that is read newest update first. */
export interface ChangeList<T extends Dated> {
  readonly request: ForgeRequest;
  readonly item: z.ZodType<T>;
  readonly id: (item: T) => string;
  /** False for a list in another order, which is read to its end. */
  readonly newest_first: boolean;
}

function knownOf(cached: CachedForgeAnswer | undefined): Known | undefined {
  if (cached === undefined) return undefined;
  try {
    const parsed = Known.safeParse(JSON.parse(cached.body));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // The cache may be deleted or damaged at any time: then the list is read as if there were none.
    return undefined;
  }
}

function newest(cursor: Timestamp | null, items: readonly Dated[]): Timestamp | null {
  return items.reduce<Timestamp | null>(
    (latest, item) =>
      latest === null || epochMs(item.updated_at) > epochMs(latest) ? item.updated_at : latest,
    cursor,
  );
}

function digestsAt(cursor: Timestamp | null, items: readonly Dated[]): string[] {
  return items
    .filter((item) => cursor === null || epochMs(item.updated_at) === epochMs(cursor))
    .map((item) => createHash('sha256').update(JSON.stringify(item)).digest('hex').slice(0, 16));
}

/**
 * Whether a caller that comes back with the new cursor surely has what this answer held. When the answer moved the cursor
 * it does: only a commit of the answer could have given it that cursor. When the cursor stood still, items of the cursor's
 * own instant may be new to it, and a caller that crashed before its commit would come with the same cursor: then the ETag
 * must not answer for them.
 */
function learn(
  given: Timestamp | null,
  cursor: Timestamp | null,
  items: readonly Dated[],
  before: Known | undefined,
): Known {
  const at = digestsAt(cursor, items);
  if (given !== cursor) return { cursor, trusted: true, held: at };
  const held = before !== undefined && before.cursor === given ? before.held : [];
  return { cursor, trusted: at.every((digest) => held.includes(digest)), held };
}

async function collect<T extends Dated>(
  client: ForgeClient,
  list: ChangeList<T>,
  cursor: Timestamp | null,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly items: readonly T[]; readonly etag: string | null } | undefined> {
  const page = z.array(list.item);
  const first = await client.conditional({ ...list.request, headers });
  if (first === undefined) return undefined;
  const from = cursor === null ? Number.NEGATIVE_INFINITY : epochMs(cursor);
  const items = new Map<string, T>();
  for await (const answer of client.pages(list.request, first)) {
    const found = client.parse(page, answer, list.request);
    for (const item of found) {
      // An update while paging moves an item down and shows it twice: the first sight is the newer one.
      if (epochMs(item.updated_at) >= from && !items.has(list.id(item))) items.set(list.id(item), item);
    }
    if (list.newest_first && found.some((item) => epochMs(item.updated_at) < from)) break;
  }
  const etag = first.headers['etag'];
  return { items: [...items.values()], etag: typeof etag === 'string' ? etag : null };
}

function cacheKey(client: ForgeClient, request: ForgeRequest): string {
  const query = Object.entries(request.query ?? {}).map(
    ([name, value]) => `${name}=${encodeURIComponent(value)}`,
  );
  return `${client.host}/repos/${client.repo}${request.path}?${query.join('&')} ${client.token_id}`;
}

/**
 * What changed at or after the cursor, newest first and complete. The first page is asked for with the ETag of the last
 * answer when the caller's cursor shows that it has all that answer held; a 304 then means that nothing changed.
 */
export async function readChanges<T extends Dated>(
  client: ForgeClient,
  cache: ForgeCacheLike | undefined,
  list: ChangeList<T>,
  cursor: Timestamp | null,
): Promise<ForgeChanges<T>> {
  const key = cacheKey(client, list.request);
  const cached = await cache?.get(key);
  const known = knownOf(cached);
  const conditional = cached !== undefined && known !== undefined && known.trusted && known.cursor === cursor;
  const answer = await collect(client, list, cursor, conditional ? { 'if-none-match': cached.etag } : {});
  if (answer === undefined) return { items: [], unchanged: true, cursor };

  const reached = newest(cursor, answer.items);
  if (cache !== undefined && answer.etag !== null) {
    const body = JSON.stringify(learn(cursor, reached, answer.items, known));
    await cache.put(key, { etag: answer.etag, status: 200, headers: {}, body, at: client.now() });
  }
  const items = [...answer.items].sort((a, b) => epochMs(b.updated_at) - epochMs(a.updated_at));
  return { items, unchanged: items.length === 0, cursor: reached };
}
