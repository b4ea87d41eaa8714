import {
  addMs,
  epochMs,
  type ForgeAccount,
  type ForgeBudget,
  type ForgeHold,
  type ForgeLeave,
  GITHUB_API,
  Timestamp,
  timestampOf,
  type Clock,
} from '@caloron/types';
import { z } from 'zod';

import { writeIfFree } from './caches.ts';
import type { Database } from './sql.ts';

/** How a host's limit stands, as ticks meet it. */
export interface ForgeStanding extends ForgeAccount {
  /** Requests of a window; null where the host never told. */
  readonly limit: number | null;
  /** What is left of it; null where the host never told, or a new window began since. */
  readonly remaining: number | null;
  readonly reset_at: Timestamp | null;
  /** How many of the last ones are kept for people. */
  readonly kept: number;
  /** Why and until when ticks ask nothing; null while they may. */
  readonly held: { readonly hold: ForgeHold; readonly until: Timestamp } | null;
  /** When the host was last asked. */
  readonly at: Timestamp;
}

/** What is left of each host's limits per token, and who is left alone until when; one row each, shared by all processes. */
export interface ForgeBudgets extends ForgeBudget {
  /** By host and token. */
  list(): readonly ForgeStanding[];
}

/** Kept for people: a tenth of the limit, at least a hundred requests, and never more than a fifth. */
export function keptOf(limit: number | null): number {
  return limit === null ? 0 : Math.min(Math.max(100, Math.ceil(limit / 10)), Math.floor(limit / 5));
}

/** A window's end is told in whole seconds of a clock whose distance to ours is measured anew each time. */
const SAME_WINDOW_MS = 10_000;

/** Faults in a row after which a host is left alone, for how long then, doubled by each further one, and at most. */
const FAULTS = 3;
const FIRST_REST_MS = 10_000;
const LONGEST_REST_MS = 300_000;

/** What is made on github.com in a minute and an hour: its own limits are 80 and 500, and other tools of the account need some. */
const CREATES_A_MINUTE = 20;
const CREATES_AN_HOUR = 450;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The times of what was made; none where the text is damaged. */
function madeAt(text: string): readonly number[] {
  try {
    return z.array(z.number()).parse(JSON.parse(text));
  } catch {
    return [];
  }
}

const Hold = z.enum(['used_up', 'slow_down', 'outage']);
const Row = z.strictObject({
  host: z.string(),
  token_id: z.string(),
  limit_n: z.number().int().nullable(),
  remaining: z.number().int().nullable(),
  reset_at: Timestamp.nullable(),
  parked_until: Timestamp.nullable(),
  hold: Hold.nullable(),
  failures: z.number().int(),
  creates: z.string().transform(madeAt),
  at: Timestamp,
});
type Row = z.output<typeof Row>;

function fresh({ host, token_id }: ForgeAccount, at: Timestamp): Row {
  const nothing = { limit_n: null, remaining: null, reset_at: null, parked_until: null, hold: null };
  return { host, token_id, ...nothing, failures: 0, creates: [], at };
}

/** The row as it is now: a window that is over says nothing of the next one. */
function current(row: Row, now: Timestamp): Row {
  return row.reset_at !== null && row.reset_at <= now ? { ...row, remaining: null, reset_at: null } : row;
}

function parked({ parked_until, hold }: Row, now: Timestamp): ForgeStanding['held'] {
  return parked_until !== null && hold !== null && parked_until > now ? { hold, until: parked_until } : null;
}

/** When the next thing may be made; null when it may be now. */
function createsFrom(creates: readonly number[], now: number): Timestamp | null {
  const ends = [
    { ms: MINUTE_MS, count: CREATES_A_MINUTE },
    { ms: HOUR_MS, count: CREATES_AN_HOUR },
  ].flatMap(({ ms, count }) => {
    const oldest = creates.filter((at) => at > now - ms).at(-count);
    return oldest === undefined ? [] : [oldest + ms];
  });
  return ends.length === 0 ? null : timestampOf(Math.max(...ends));
}

interface Asked {
  readonly kind: 'read' | 'write' | 'create';
  readonly who: 'tick' | 'person';
}

/** Whether a request may be made, and the row after it. */
function taken(
  given: Row,
  { kind, who }: Asked,
  now: Timestamp,
): { readonly leave: ForgeLeave; readonly row: Row } {
  const row = current(given, now);
  const { limit_n: limit, remaining, reset_at } = row;
  const no = (hold: ForgeHold, until: Timestamp) => ({
    leave: { ok: false as const, hold, until, limit },
    row,
  });
  const held = parked(row, now);
  // Whether a host is back is found out by the person who asks.
  if (held !== null && !(who === 'person' && held.hold === 'outage')) return no(held.hold, held.until);
  if (remaining !== null && reset_at !== null) {
    if (remaining <= 0) return no('used_up', reset_at);
    if (who === 'tick' && remaining <= keptOf(limit)) return no('kept', reset_at);
  }
  const made = kind === 'create' && row.host === GITHUB_API;
  const ms = epochMs(now);
  const creates = row.creates.filter((at) => at > ms - HOUR_MS);
  const from = made ? createsFrom(creates, ms) : null;
  if (from !== null) return no('creates', from);
  return {
    leave: { ok: true },
    row: {
      ...row,
      at: now,
      remaining: remaining === null ? null : remaining - 1,
      creates: made ? [...creates, ms] : creates,
    },
  };
}

/** The row after an answer. Requests under way are in our count and not in the host's: the lower one holds within a window. */
function heard(given: Row, told: Parameters<ForgeBudget['answered']>[1], free: boolean, now: Timestamp): Row {
  const over = given.hold === 'outage' ? { hold: null, parked_until: null } : {};
  const row = { ...current(given, now), ...over, failures: 0 };
  const back = free && row.remaining !== null ? row.remaining + 1 : row.remaining;
  if (told === null) return { ...row, remaining: back };
  const { limit, remaining, reset_at } = told;
  const apart = row.reset_at === null ? undefined : epochMs(reset_at) - epochMs(row.reset_at);
  if (apart !== undefined && apart < -SAME_WINDOW_MS) return { ...row, remaining: back };
  const same = apart !== undefined && apart <= SAME_WINDOW_MS && row.limit_n === limit;
  return {
    ...row,
    limit_n: limit,
    reset_at: same ? row.reset_at : reset_at,
    remaining: same && back !== null ? Math.min(back, remaining) : remaining,
  };
}

/** The row after a fault; those that come while the host is left alone began before. */
function faulted(row: Row, now: Timestamp): Row {
  if (parked(row, now) !== null) return row;
  const failures = row.failures + 1;
  if (failures < FAULTS) return { ...row, failures };
  const rest = Math.min(FIRST_REST_MS * 2 ** Math.min(failures - FAULTS, 10), LONGEST_REST_MS);
  return { ...row, failures, hold: 'outage', parked_until: addMs(now, rest) };
}

function standing(given: Row, now: Timestamp): ForgeStanding {
  const row = current(given, now);
  const { host, token_id, limit_n: limit, remaining, reset_at, at } = row;
  const kept = keptOf(limit);
  const low = remaining !== null && reset_at !== null && remaining <= kept;
  const short = low
    ? { hold: remaining <= 0 ? ('used_up' as const) : ('kept' as const), until: reset_at }
    : null;
  return { host, token_id, limit, remaining, reset_at, kept, held: parked(row, now) ?? short, at };
}

/** The budgets of requests, in a table of their own; what they forget in a power cut the next answer tells again. */
export function createForgeBudgets(database: Database, clock: Clock): ForgeBudgets {
  const { db } = database;
  const columns = 'host, token_id, limit_n, remaining, reset_at, parked_until, hold, failures, creates, at';
  const one = db.prepare(`SELECT ${columns} FROM forge_budgets WHERE host = ? AND token_id = ?`);
  const all = db.prepare(`SELECT ${columns} FROM forge_budgets ORDER BY host, token_id`);
  const put = db.prepare(
    `INSERT OR REPLACE INTO forge_budgets (${columns}) VALUES
     (:host, :token_id, :limit_n, :remaining, :reset_at, :parked_until, :hold, :failures, :creates, :at)`,
  );
  // Bookkeeping fails no request: a damaged row is as good as none.
  const parsed = (row: unknown): Row | undefined => Row.safeParse(row).data;
  const change = (account: ForgeAccount, to: (row: Row, now: Timestamp) => Row): Promise<void> =>
    writeIfFree(database, () => {
      const now = clock.now();
      const row = to(parsed(one.get(account.host, account.token_id)) ?? fresh(account, now), now);
      put.run({ ...row, creates: JSON.stringify(row.creates) });
    });

  return {
    reserve: async (account, asked) => {
      let leave: ForgeLeave = { ok: true };
      await change(account, (row, now) => {
        const after = taken(row, asked, now);
        leave = after.leave;
        return after.row;
      });
      return leave;
    },
    answered: (account, told, free) => change(account, (row, now) => heard(row, told, free, now)),
    limited: (account, hold, until) =>
      change(account, (row, now) => {
        const held = parked(row, now);
        const longer = held !== null && held.hold !== 'outage' && held.until > until;
        return longer ? row : { ...row, hold, parked_until: until };
      }),
    failed: (account) => change(account, faulted),
    list: () => {
      const now = clock.now();
      const rows = all.all().map(parsed);
      return rows.filter((row) => row !== undefined).map((row) => standing(row, now));
    },
  };
}
