import type { Heard, HeardUsage } from './framework.ts';

/** What one run has used, put together from what its program tells. */
export interface UsageCount {
  /** Takes what a line tells of it; true when it tells something. */
  hear(heard: Heard): boolean;
  /** By model, one entry each. */
  readonly usage: readonly HeardUsage[];
  /** What the whole session has used, as last told. */
  readonly session: readonly HeardUsage[];
}

/** An empty count; `before` is what the session had used before this run. */
export function usageCount(before: readonly HeardUsage[]): UsageCount {
  let session = before;
  const messages = new Map<string, HeardUsage>();
  return {
    hear({ usage, totals, session_totals }) {
      if (usage !== undefined) messages.set(usage.of ?? `#${messages.size}`, usage);
      const whole =
        totals ?? (session_totals === undefined ? undefined : minus(byModel(session_totals), before));
      if (session_totals !== undefined) session = byModel(session_totals);
      if (whole !== undefined) {
        messages.clear();
        whole.forEach((entry, place) => messages.set(`#${place}`, entry));
      }
      return usage !== undefined || whole !== undefined;
    },
    get usage() {
      return byModel([...messages.values()]);
    },
    get session() {
      return session;
    },
  };
}

/** All tokens of these, whatever their kind. */
export function tokensOf(usage: readonly HeardUsage[]): number {
  return usage.reduce(
    (sum, { input, output, cache_read, cache_write }) => sum + input + output + cache_read + cache_write,
    0,
  );
}

function byModel(all: readonly HeardUsage[]): readonly HeardUsage[] {
  const models = [...new Set(all.map(({ model }) => model))];
  return models.map((model) => all.filter((entry) => entry.model === model).reduce(plus, nothing(model)));
}

function nothing(model: string | null): HeardUsage {
  return { model, input: 0, output: 0, cache_read: 0, cache_write: 0 };
}

function plus(a: HeardUsage, b: HeardUsage): HeardUsage {
  const cost =
    a.cost_usd === undefined && b.cost_usd === undefined ? undefined : (a.cost_usd ?? 0) + (b.cost_usd ?? 0);
  return {
    model: a.model,
    input: a.input + b.input,
    output: a.output + b.output,
    cache_read: a.cache_read + b.cache_read,
    cache_write: a.cache_write + b.cache_write,
    ...(cost === undefined ? {} : { cost_usd: cost }),
  };
}

/** What came on top of what was before; never less than nothing, for a session may have been begun anew. */
function minus(all: readonly HeardUsage[], before: readonly HeardUsage[]): readonly HeardUsage[] {
  return all.map((entry) => {
    const past = before.find(({ model }) => model === entry.model) ?? nothing(entry.model);
    if (tokensOf([past]) > tokensOf([entry])) return entry;
    return {
      ...entry,
      input: Math.max(0, entry.input - past.input),
      output: Math.max(0, entry.output - past.output),
      cache_read: Math.max(0, entry.cache_read - past.cache_read),
      cache_write: Math.max(0, entry.cache_write - past.cache_write),
    };
  });
}
