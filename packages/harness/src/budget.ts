import type { ModelUsage, Usage } from '@caloron/types';

import type { FrameworkResult, HeardUsage } from './frameworks/framework.ts';

/** How long an agent that is to pause may go on with what it is at, in milliseconds; then its program is ended. */
const PAUSE_GRACE_MS = 2 * 60_000;

/** Tokens of one entry: no program is believed that tells more. */
const MOST_TOKENS = 1e11;

/** What one run of the framework uses. */
export interface CallSpending {
  /** What it has used so far, told again and again. */
  hear(usage: readonly HeardUsage[]): void;
  /** What it has used in all. */
  end(result: Pick<FrameworkResult, 'tokens_used' | 'usage'>): void;
}

/** What the process has used since its start: absolute figures, so that one told twice counts once. */
export interface Spending {
  readonly usage: Usage;
  /** Opens the figures of another run of the framework. */
  call(): CallSpending;
  /** Aborted when the agent is to pause. */
  readonly pause: AbortSignal;
  /** Why it is to pause; null before. */
  readonly pause_reason: string | null;
  askToPause(reason: string): void;
}

/** The spending of one process; `model` is what tokens count for whose model nobody names. */
export function createSpending(model: string | undefined): Spending {
  const calls: (readonly HeardUsage[])[] = [];
  const paused = new AbortController();
  let reason: string | null = null;
  const named = model === undefined || model === '' ? 'unknown' : model;
  return {
    get usage() {
      return byModel(calls.flat(), named);
    },
    call() {
      const place = calls.push([]) - 1;
      return {
        hear(usage) {
          calls[place] = usage;
        },
        end({ tokens_used, usage }) {
          const told = usage === undefined || usage.length === 0 ? (calls[place] ?? []) : usage;
          const rest = tokens_used - told.reduce((sum, entry) => sum + tokensOf(entry), 0);
          // Of what no kind is told the dearest is taken.
          const untold = { model: null, input: 0, output: rest, cache_read: 0, cache_write: 0 };
          calls[place] = rest > 0 ? [...told, untold] : told;
        },
      };
    },
    pause: paused.signal,
    get pause_reason() {
      return reason;
    },
    askToPause(why) {
      reason ??= why;
      paused.abort();
    },
  };
}

/**
 * When an agent that is to pause is ended: once what it is at is finished, as far as its program tells, and after two minutes anyway. The
 * given signal is aborted then.
 */
export interface PauseHalt {
  readonly signal: AbortSignal;
  /** The program is between two steps now. */
  between(): void;
  close(): void;
}

/** Waits for the moment at which an agent can be paused. */
export function haltOnPause(pause: AbortSignal | undefined, grace_ms = PAUSE_GRACE_MS): PauseHalt {
  const halt = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => halt.abort(), grace_ms);
  };
  if (pause?.aborted === true) begin();
  else pause?.addEventListener('abort', begin, { once: true });
  return {
    signal: halt.signal,
    between() {
      if (pause?.aborted === true) halt.abort();
    },
    close() {
      clearTimeout(timer);
      pause?.removeEventListener('abort', begin);
    },
  };
}

function tokensOf({ input, output, cache_read, cache_write }: HeardUsage): number {
  return [input, output, cache_read, cache_write].reduce((sum, count) => sum + whole(count), 0);
}

function whole(count: number): number {
  return Number.isFinite(count) && count > 0 ? Math.min(MOST_TOKENS, Math.round(count)) : 0;
}

function byModel(all: readonly HeardUsage[], fallback: string): Usage {
  const sums = new Map<string, ModelUsage>();
  for (const heard of all) {
    const name = (heard.model ?? '').trim().slice(0, 200) || fallback.slice(0, 200);
    const before = sums.get(name);
    const tokens = tokensOf(heard);
    if (tokens === 0 && heard.cost_usd === undefined) continue;
    const told = heard.cost_usd === undefined ? undefined : whole(heard.cost_usd * 1e6);
    const uncosted = (before?.uncosted ?? 0) + (told === undefined ? tokens : 0);
    const micro_usd = told === undefined ? before?.micro_usd : (before?.micro_usd ?? 0) + told;
    sums.set(name, {
      model: name,
      input: whole((before?.input ?? 0) + whole(heard.input)),
      output: whole((before?.output ?? 0) + whole(heard.output)),
      cache_read: whole((before?.cache_read ?? 0) + whole(heard.cache_read)),
      cache_write: whole((before?.cache_write ?? 0) + whole(heard.cache_write)),
      ...(micro_usd === undefined ? {} : { micro_usd }),
      ...(uncosted === 0 ? {} : { uncosted: whole(uncosted) }),
    });
  }
  return [...sums.values()].toSorted((a, b) => (a.model < b.model ? -1 : 1)).slice(0, 50);
}
