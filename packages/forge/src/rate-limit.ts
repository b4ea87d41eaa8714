import { epochMs, type Clock } from '@caloron/types';

/** Requests per hour and token. Source: GitHub's limit for a personal token. */
export const DEFAULT_RATE_LIMIT = 5000;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** The budget of one caller. `reset_at` is in seconds since 1970. */
export interface Budget {
  readonly limit: number;
  readonly remaining: number;
  readonly used: number;
  readonly reset_at: number;
}

/** Budgets per caller, an hour each from its first request; kept in memory, so that a restart gives fresh ones. */
export interface RateLimits {
  look(caller: string): Budget;
  /** Takes one request; false when none is left. */
  take(caller: string): boolean;
  /** Gives one request back: an unchanged answer (304) costs nothing. */
  giveBack(caller: string): void;
}

/** Budgets of `limit` requests an hour. */
export function createRateLimits(limit: number, clock: Clock): RateLimits {
  const windows = new Map<string, { ends_ms: number; used: number }>();
  const current = (caller: string): { ends_ms: number; used: number } => {
    const now = epochMs(clock.now());
    const open = windows.get(caller);
    if (open !== undefined && open.ends_ms > now) return open;
    const fresh = { ends_ms: now + HOUR_MS, used: 0 };
    windows.set(caller, fresh);
    return fresh;
  };
  return {
    look: (caller) => {
      const { used, ends_ms } = current(caller);
      return { limit, used, remaining: Math.max(0, limit - used), reset_at: Math.ceil(ends_ms / 1000) };
    },
    take: (caller) => {
      const window = current(caller);
      if (window.used >= limit) return false;
      window.used += 1;
      return true;
    },
    giveBack: (caller) => {
      const window = current(caller);
      window.used = Math.max(0, window.used - 1);
    },
  };
}

/** The secondary limit: changes per minute and caller. Gives null when one more is allowed, else the seconds to wait. */
export type SecondaryLimit = (caller: string) => number | null;

/** A secondary limit of `limit` changes a minute; null lets all through. */
export function createSecondaryLimit(limit: number | null, clock: Clock): SecondaryLimit {
  const windows = new Map<string, { ends_ms: number; used: number }>();
  return (caller) => {
    if (limit === null) return null;
    const now = epochMs(clock.now());
    const open = windows.get(caller);
    const window = open !== undefined && open.ends_ms > now ? open : { ends_ms: now + MINUTE_MS, used: 0 };
    windows.set(caller, window);
    if (window.used >= limit) return Math.max(1, Math.ceil((window.ends_ms - now) / 1000));
    window.used += 1;
    return null;
  };
}
