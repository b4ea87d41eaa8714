import {
  type ModelUsage,
  overOf,
  overWords,
  type OverLimit,
  type RunBudget,
  spentOf,
  sumSpent,
  type Usage,
} from '@caloron/types';

import type { FrameworkResult, HeardUsage } from './frameworks/framework.ts';

/** How long an agent that is to pause may go on with what it is at, in milliseconds; then its program is ended. */
const PAUSE_GRACE_MS = 2 * 60_000;

/** Tokens of one entry: no program is believed that tells more. */
const MOST_TOKENS = 1e11;

/** Longest wait of a timer, in milliseconds: a longer one would fire at once. */
const MOST_WAIT_MS = 2 ** 31 - 1;

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
  /** Ends the watch over its minutes. */
  close(): void;
}

/** What the spending of a process is held to. */
export interface SpendingDeps {
  /** What tokens count for whose model nobody names. */
  readonly model: string | undefined;
  /** Limits that the process keeps by itself; absent: it is told from outside alone. */
  readonly budget?: RunBudget | undefined;
  /** Milliseconds since its start. */
  readonly elapsedMs: () => number;
  /** Called once when one of them is used up, just before it is to pause. */
  readonly onOver?: (reason: string) => void;
}

/** The limits of a run and its task that a run has used up which used so much since its start. */
export function overBudget({ agent, task, used, prices }: RunBudget, usage: Usage, ms: number): OverLimit[] {
  const own = spentOf(usage, ms, prices);
  return [...overOf('agent', agent, own), ...overOf('task', task, sumSpent([used, own]))];
}

/**
 * The spending of one process. It is to pause as soon as a limit of its own is used up: between two heartbeats, and while no shell
 * answers, an agent would use as much again.
 */
export function createSpending({ model, budget, elapsedMs, onOver }: SpendingDeps): Spending {
  const calls: (readonly HeardUsage[])[] = [];
  const paused = new AbortController();
  let reason: string | null = null;
  const named = model === undefined || model === '' ? 'unknown' : model;
  const usageNow = (): Usage => byModel(calls.flat(), named);
  const askToPause = (why: string): void => {
    reason ??= why;
    paused.abort();
  };
  const check = (): void => {
    if (budget === undefined || reason !== null) return;
    const over = overBudget(budget, usageNow(), elapsedMs());
    if (over.length === 0) return;
    const why = `budget: ${over.map(overWords).join(', ')}`;
    onOver?.(why);
    askToPause(why);
  };
  const minutes = watchMinutes(budget, elapsedMs, check);
  return {
    askToPause,
    close: () => minutes.close(),
    get usage() {
      return usageNow();
    },
    call() {
      const place = calls.push([]) - 1;
      return {
        hear(usage) {
          calls[place] = usage;
          check();
        },
        end({ tokens_used, usage }) {
          const told = usage === undefined || usage.length === 0 ? (calls[place] ?? []) : usage;
          const rest = tokens_used - told.reduce((sum, entry) => sum + tokensOf(entry), 0);
          // Of what no kind is told the dearest is taken.
          const untold = { model: null, input: 0, output: rest, cache_read: 0, cache_write: 0 };
          calls[place] = rest > 0 ? [...told, untold] : told;
          check();
        },
      };
    },
    pause: paused.signal,
    get pause_reason() {
      return reason;
    },
  };
}

/** Checks when the first limit of wall clock is used up; never without one. */
function watchMinutes(
  budget: RunBudget | undefined,
  elapsedMs: () => number,
  check: () => void,
): { close(): void } {
  const ends = [
    budget?.agent.ms,
    budget?.task.ms === undefined ? undefined : budget.task.ms - budget.used.ms,
  ];
  const end = Math.min(...ends.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const wait = (): void => {
    if (closed || end === Number.POSITIVE_INFINITY) return;
    const left_ms = Math.ceil(end - elapsedMs());
    if (left_ms <= 0) return check();
    timer = setTimeout(wait, Math.min(MOST_WAIT_MS, left_ms));
    timer.unref();
  };
  // Not before whoever made it has it in hand.
  setImmediate(wait);
  return {
    close() {
      closed = true;
      clearTimeout(timer);
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
