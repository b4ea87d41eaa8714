import {
  addMs,
  epochMs,
  type ForgeChanges,
  type ForgeSkipped,
  type ListCursor,
  type Timestamp,
} from '@caloron/types';
import { z } from 'zod';

import { etagOf } from './github-cache.ts';
import type { ForgeAnswer, ForgeClient, ForgeRequest } from './github-client.ts';

/**
 * How far before the cursor a list is read again: a replica may show late what another one has shown already. Source: GitHub promises no
 * time; objects were seen to be missing from lists for up to half a minute.
 */
const OVERLAP_MS = 120_000;

/** Hosts write whole seconds: until two have passed an item can change again without a later time. */
const SETTLED_MS = 2_000;

/** Most items a cursor knows; of more the oldest come again and are told from what was consumed. */
const MAX_RECENT = 1_000;

/** How often a list of several pages is read at most to find what was shifted between two of them. */
const MAX_PASSES = 4;

interface Dated {
  readonly updated_at: Timestamp;
}

/** A list that tells what changed. */
export interface ChangeList<T extends Dated> {
  /** The request for all that changed since; its address does not depend on the time where the host sorts by update. */
  request(since: Timestamp | null): ForgeRequest;
  readonly item: z.ZodType<T>;
  readonly id: (item: T) => string;
  /** What one record is called. */
  readonly what: string;
  /** False for a list in another order, which is read to its end. */
  readonly newest_first: boolean;
}

interface Pass<T> {
  readonly items: ReadonlyMap<string, T>;
  readonly skipped: readonly ForgeSkipped[];
  /** Whether a page had a successor before the cursor was passed: an item may have been shifted between the two. */
  readonly crossed: boolean;
}

/** From where a list is read: the cursor, and what lies before it. */
interface Span {
  readonly cursor: Timestamp | null;
  readonly since: Timestamp | null;
}

const Page = z.array(z.unknown());

/** What a record that cannot be read is called by; any other text of it could be anything. */
const Named = z.object({
  number: z.number().optional().catch(undefined),
  id: z.number().optional().catch(undefined),
});

/** The records of one page; one that is not what the API promises does not take the others with it. */
function recordsOf<T extends Dated>(
  client: ForgeClient,
  list: ChangeList<T>,
  answer: ForgeAnswer,
  request: ForgeRequest,
): { readonly good: readonly T[]; readonly skipped: readonly ForgeSkipped[] } {
  const good: T[] = [];
  const skipped: ForgeSkipped[] = [];
  const raw = client.parse(Page, answer, request);
  for (const [at, record] of raw.entries()) {
    const parsed = list.item.safeParse(record);
    if (parsed.success) {
      good.push(parsed.data);
      continue;
    }
    const [issue] = parsed.error.issues;
    const named = Named.safeParse(record).data;
    const name = named?.number ?? named?.id;
    skipped.push({
      id: `${list.what} ${name === undefined ? `at ${String(at)}` : `#${String(name)}`}`,
      reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'another shape'}`,
    });
  }
  // A host of which no record can be read is no forge of this kind: that is told, not passed over.
  if (good.length === 0 && skipped.length > 1) client.parse(z.array(list.item), answer, request);
  return { good, skipped };
}

async function pass<T extends Dated>(
  client: ForgeClient,
  list: ChangeList<T>,
  { cursor, since }: Span,
  first: ForgeAnswer | undefined,
): Promise<Pass<T>> {
  const request = list.request(since);
  const from = since === null ? Number.NEGATIVE_INFINITY : epochMs(since);
  const passed = (item: Dated) => cursor !== null && epochMs(item.updated_at) < epochMs(cursor);
  const items = new Map<string, T>();
  const skipped: ForgeSkipped[] = [];
  let ended = true;
  let crossed = false;
  for await (const answer of client.pages(request, first)) {
    crossed ||= !ended;
    const found = recordsOf(client, list, answer, request);
    skipped.push(...found.skipped);
    for (const item of found.good) {
      // An update while paging moves an item down and shows it twice: the first sight is the newer one.
      if (epochMs(item.updated_at) >= from && !items.has(list.id(item))) items.set(list.id(item), item);
    }
    ended = list.newest_first && found.good.some(passed);
    if (list.newest_first && found.good.some((item) => epochMs(item.updated_at) < from)) break;
  }
  return { items, skipped, crossed };
}

/**
 * Everything of the span, over all pages. An item that vanishes between two pages moves another one off both: what is new on several pages
 * is read again until that brings nothing that was not seen.
 */
async function complete<T extends Dated>(
  client: ForgeClient,
  list: ChangeList<T>,
  span: Span,
  first: ForgeAnswer,
): Promise<Pass<T>> {
  const one = await pass(client, list, span, first);
  const items = new Map(one.items);
  const skipped = [...one.skipped];
  let again = one.crossed;
  for (let passes = 1; again && passes < MAX_PASSES; passes += 1) {
    const next = await pass(client, list, { ...span, since: span.cursor }, undefined);
    const before = items.size;
    for (const [id, item] of next.items) {
      const kept = items.get(id);
      if (kept === undefined || epochMs(item.updated_at) >= epochMs(kept.updated_at)) items.set(id, item);
    }
    skipped.push(...next.skipped);
    again = items.size > before;
  }
  const told = new Map(skipped.map((record) => [record.id, record]));
  return { items, skipped: [...told.values()], crossed: one.crossed };
}

function newest(cursor: Timestamp | null, items: Iterable<Dated>): Timestamp | null {
  let latest = cursor;
  for (const { updated_at } of items)
    if (latest === null || epochMs(updated_at) > epochMs(latest)) latest = updated_at;
  return latest;
}

/** The host's own time of an answer, in milliseconds; NaN when it does not say. */
function dateOf(answer: ForgeAnswer): number {
  const { date } = answer.headers;
  return typeof date === 'string' ? Date.parse(date) : Number.NaN;
}

/** What the cursor knows of the items about it: those that were read after their last second had passed. */
function recentOf(
  before: ListCursor['recent'],
  settled: Iterable<readonly [string, Dated]>,
  reached: Timestamp | null,
): Readonly<Record<string, Timestamp>> {
  const recent = new Map(Object.entries(before ?? {}));
  for (const [id, { updated_at }] of settled) {
    const known = recent.get(id);
    if (known === undefined || epochMs(updated_at) > epochMs(known)) recent.set(id, updated_at);
  }
  const from = reached === null ? Number.NEGATIVE_INFINITY : epochMs(reached) - OVERLAP_MS;
  const kept = [...recent]
    .filter(([, at]) => epochMs(at) >= from)
    .sort(([, a], [, b]) => epochMs(b) - epochMs(a));
  return Object.fromEntries(kept.slice(0, MAX_RECENT));
}

/** An item the cursor knows, or a replica's older sight of it. */
function isKnown(at: Timestamp | undefined, item: Dated): boolean {
  return at !== undefined && epochMs(item.updated_at) <= epochMs(at);
}

/**
 * What changed at or after the cursor, newest first and complete. With `from`, which its caller has kept together with what it read, the
 * first page is asked for conditionally: a 304 then means that nothing changed. Times are the host's own throughout.
 */
export async function readChanges<T extends Dated>(
  client: ForgeClient,
  list: ChangeList<T>,
  cursor: Timestamp | null,
  from?: ListCursor,
): Promise<ForgeChanges<T>> {
  const since = from === undefined || cursor === null ? cursor : addMs(cursor, -OVERLAP_MS);
  const [token_id, ...etag] = from?.etag?.split(':') ?? [];
  const conditional = list.newest_first && token_id === client.token_id;
  const headers = conditional ? { 'if-none-match': etag.join(':') } : undefined;
  const request = list.request(since);
  const first = await client.conditional(headers === undefined ? request : { ...request, headers });
  if (first === undefined)
    return { items: [], unchanged: true, cursor, ...(from === undefined ? {} : { next: from }) };

  const read = await complete(client, list, { cursor, since }, first);
  const date = dateOf(first);
  const isSettled = (item: Dated) => date - epochMs(item.updated_at) >= SETTLED_MS;
  const reached = newest(cursor, read.items.values());
  const given = etagOf(first);
  const whole = [...read.items.values()].every(isSettled);
  const next: ListCursor = {
    updated_at: reached,
    etag: given === null || !whole ? null : `${client.token_id}:${given}`,
    recent: recentOf(
      from?.recent,
      [...read.items].filter(([, item]) => isSettled(item)),
      reached,
    ),
  };
  const items = [...read.items]
    .filter(([id, item]) => !isKnown(from?.recent?.[id], item))
    .map(([, item]) => item)
    .sort((a, b) => epochMs(b.updated_at) - epochMs(a.updated_at));
  return { items, unchanged: items.length === 0, cursor: reached, next, skipped: read.skipped };
}
