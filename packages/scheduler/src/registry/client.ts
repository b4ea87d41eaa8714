import { setTimeout } from 'node:timers/promises';

import type { StageRecord } from '@caloron/noether';
import { isRetryable } from '@caloron/noether/errors';
import { jsonFault } from '@caloron/noether/records';

import type { RegistryAddress } from './address.ts';
import { askRegistry, invalid, type RegistryReply, unreachable } from './ask.ts';
import { PAGE_LIMIT, StagesAnswer } from './wire.ts';

/** How much is read, and how long is waited. */
export interface ReadLimits {
  /** One page, bytes; 200 stages of this program have 3 MiB. */
  readonly page_bytes: number;
  /** All pages, bytes. */
  readonly total_bytes: number;
  readonly stages: number;
  /** One page, ms. */
  readonly page_ms: number;
  /** All of it, ms. */
  readonly total_ms: number;
  /** A page that does not arrive is asked for again after these, ms. */
  readonly pauses_ms: readonly number[];
}

/** What is read of a registry unless told otherwise. */
export const READ_LIMITS: ReadLimits = {
  page_bytes: 32 * 1024 * 1024,
  total_bytes: 128 * 1024 * 1024,
  stages: 20_000,
  page_ms: 10_000,
  total_ms: 30_000,
  pauses_ms: [200, 800],
};

/** Where a person waits, a registry that hangs is given up on sooner than beside other work. */
export const PERSON_LIMITS: ReadLimits = {
  ...READ_LIMITS,
  page_ms: 5_000,
  total_ms: 15_000,
  pauses_ms: [200],
};

/** A catalogue that changes while it is read is read so many times. */
const MAX_READS = 4;

/** Every stage of a registry at one moment. */
export interface Catalogue {
  readonly stages: readonly StageRecord[];
  /** Of its first page: it is another one after any change. Null where the registry gives none. */
  readonly etag: string | null;
}

/** How a catalogue is read. */
export interface ReadOptions {
  /** Of the catalogue that is here already. */
  readonly etag?: string | null;
  readonly limits?: ReadLimits;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads every page of a registry, all of the same moment; null when it is the catalogue of `etag`. What is read is not verified yet.
 * Throws REGISTRY_UNREACHABLE, REGISTRY_REFUSED, REGISTRY_ANSWER_INVALID.
 */
export async function readCatalogue(
  address: RegistryAddress,
  { etag = null, limits = READ_LIMITS, signal }: ReadOptions = {},
): Promise<Catalogue | null> {
  const late = AbortSignal.timeout(limits.total_ms);
  const ends = signal === undefined ? late : AbortSignal.any([signal, late]);
  try {
    for (let read = 1; read <= MAX_READS; read += 1) {
      const found = await readOnce({ address, limits, signal: ends }, etag);
      if (found !== 'changed') return found;
    }
  } catch (error) {
    if (late.aborted)
      throw unreachable(address, `its pages did not all come within ${limits.total_ms} ms`, error);
    throw error;
  }
  throw unreachable(address, `its stages changed each of ${MAX_READS} times they were read`);
}

interface Reading {
  readonly address: RegistryAddress;
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
}

async function readOnce(reading: Reading, known: string | null): Promise<Catalogue | 'changed' | null> {
  const { address, limits } = reading;
  const stages = new Map<string, StageRecord>();
  let first: { readonly etag: string | null; readonly total: number } | undefined;
  let bytes = 0;
  for (;;) {
    const reply = await page(reading, stages.size, first === undefined ? known : null);
    if (reply.status === 304) {
      if (first === undefined && known !== null) return null;
      throw invalid(address, 'it answered HTTP 304 to a question that named no ETag');
    }
    const fault = jsonFault(reply.body);
    if (fault !== null)
      throw invalid(address, `${fault.path} expected ${fault.expected}, got ${fault.actual}`);
    const parsed = StagesAnswer.safeParse(reply.body);
    if (!parsed.success) throw invalid(address, issueOf(parsed.error), parsed.error);
    const { stages: records, total, offset } = parsed.data.data;
    first ??= { etag: reply.etag, total };
    bytes += reply.bytes;
    if (total > limits.stages) throw invalid(address, `it has ${total} stages, more than ${limits.stages}`);
    if (bytes > limits.total_bytes)
      throw invalid(address, `its stages have more than ${limits.total_bytes} bytes`);
    if (total !== first.total || offset !== stages.size) return 'changed';
    for (const record of records) {
      if (stages.has(record.id)) return 'changed';
      stages.set(record.id, record);
    }
    if (stages.size === total) break;
    if (records.length === 0 || stages.size > total) return 'changed';
  }
  const catalogue = { stages: [...stages.values()], etag: first.etag };
  if (stages.size <= PAGE_LIMIT || first.etag === null) return catalogue;
  // Pages may be of two moments though their counts agree.
  const again = await page(reading, 0, first.etag);
  return again.status === 304 ? catalogue : 'changed';
}

function issueOf(error: {
  readonly issues: readonly { path: readonly PropertyKey[]; message: string }[];
}): string {
  const [first] = error.issues;
  return `${first?.path.map(String).join('.') ?? ''} ${first?.message ?? ''}`.trim();
}

async function page(
  { address, limits, signal }: Reading,
  offset: number,
  if_none_match: string | null,
): Promise<RegistryReply> {
  const question = {
    path: 'stages',
    query: { lifecycle: 'all', limit: String(PAGE_LIMIT), offset: String(offset) },
    if_none_match,
    limit_bytes: limits.page_bytes,
    timeout_ms: limits.page_ms,
    signal,
  };
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await askRegistry(address, question);
    } catch (error) {
      const pause = limits.pauses_ms[attempt];
      if (pause === undefined || !isRetryable(error) || signal.aborted) throw error;
      await setTimeout(pause, undefined, { signal });
    }
  }
}
