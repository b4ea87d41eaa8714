import { z } from 'zod';

import { ownOf } from './record.ts';
import type { Price } from './policy.ts';

/** Tokens of one kind: no run is believed to use more than 10^11. */
const Tokens = z.number().int().min(0).max(1e11);

/** Micro-dollars: millionths of a US dollar. */
const MicroUsd = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What a run has used of one model, from its start: absolute, so that a figure heard twice counts once. */
export const ModelUsage = z.strictObject({
  model: z.string().min(1).max(200),
  input: Tokens,
  output: Tokens,
  cache_read: Tokens,
  cache_write: Tokens,
  /** What the agent's program itself says it cost. */
  micro_usd: MicroUsd.optional(),
  /** Tokens of these whose cost the program has not told; absent is none where `micro_usd` is there, else all. */
  uncosted: Tokens.optional(),
});
export type ModelUsage = z.infer<typeof ModelUsage>;

/** What a run has used, one entry per model. */
export const Usage = z.array(ModelUsage).max(50);
export type Usage = z.infer<typeof Usage>;

/** What something has used, or is kept for it. */
export const Spent = z.strictObject({
  tokens: z.number().int().min(0),
  /** Of the tokens whose price is known. */
  micro_usd: z.number().int().min(0),
  /** Wall clock of agents, in milliseconds. */
  ms: z.number().int().min(0),
  /** Tokens whose cost nobody knows; absent is none. */
  unpriced: z.number().int().min(0).optional(),
});
export type Spent = z.infer<typeof Spent>;

/** The prices of a sprint by model name; `default` is for any other. */
export type Prices = Readonly<Record<string, Price>>;

/** All tokens of an entry, whatever their kind. */
export function tokensOf({ input, output, cache_read, cache_write }: ModelUsage): number {
  return input + output + cache_read + cache_write;
}

/** All tokens of a run. */
export function totalTokens(usage: Usage): number {
  return usage.reduce((sum, entry) => sum + tokensOf(entry), 0);
}

function uncostedOf(entry: ModelUsage): number {
  return entry.uncosted ?? (entry.micro_usd === undefined ? tokensOf(entry) : 0);
}

/** Which of two figures of one model was told later: they only grow, and of the same tokens the cost is told after them. */
function laterOf(a: ModelUsage, b: ModelUsage): ModelUsage {
  const order = (entry: ModelUsage): readonly number[] => [
    tokensOf(entry),
    -uncostedOf(entry),
    entry.micro_usd ?? -1,
    entry.output,
    entry.cache_write,
    entry.input,
  ];
  const [left, right] = [order(a), order(b)];
  const differs = left.findIndex((value, at) => value !== right[at]);
  return differs === -1 || (left[differs] ?? 0) > (right[differs] ?? 0) ? a : b;
}

/** Two figures of one run as one: in whatever order and however often they come, the furthest of each model counts. */
export function joinUsage(a: Usage, b: Usage): Usage {
  const models = [...new Set([...a, ...b].map(({ model }) => model))].toSorted();
  return models.map((model) =>
    [...a, ...b].filter((entry) => entry.model === model).reduce((left, right) => laterOf(left, right)),
  );
}

/** What tokens cost at a price, unrounded: US dollars per million tokens are micro-dollars per token. */
function priced(entry: ModelUsage, price: Price): number {
  const { input, cache_read = input, cache_write = input, output } = price;
  return (
    entry.input * input +
    entry.output * output +
    entry.cache_read * cache_read +
    entry.cache_write * cache_write
  );
}

/** What one model cost: by its own price, else as its program says, else by the `default` price; what is left is of unknown cost. */
function costOf(
  entry: ModelUsage,
  prices: Prices,
): { readonly micro_usd: number; readonly unpriced: number } {
  const own = entry.model === 'default' ? undefined : ownOf(prices, entry.model);
  if (own !== undefined) return { micro_usd: Math.round(priced(entry, own)), unpriced: 0 };
  const told = entry.micro_usd ?? 0;
  const left = uncostedOf(entry);
  const any = ownOf(prices, 'default');
  if (any === undefined || left === 0) return { micro_usd: told, unpriced: left };
  // Of what is left only the sum is known: it costs as the whole does on average.
  return { micro_usd: told + Math.round((priced(entry, any) * left) / tokensOf(entry)), unpriced: 0 };
}

/** What a run has used in tokens and money; `ms` is its wall clock so far. */
export function spentOf(usage: Usage, ms: number, prices: Prices): Spent {
  const costs = usage.map((entry) => costOf(entry, prices));
  const unpriced = costs.reduce((sum, cost) => sum + cost.unpriced, 0);
  return {
    tokens: totalTokens(usage),
    micro_usd: costs.reduce((sum, cost) => sum + cost.micro_usd, 0),
    ms: Math.max(0, Math.round(ms)),
    ...(unpriced === 0 ? {} : { unpriced }),
  };
}

/** The sum of what several runs have used. */
export function sumSpent(all: readonly Spent[]): Spent {
  const unpriced = all.reduce((sum, one) => sum + (one.unpriced ?? 0), 0);
  return {
    tokens: all.reduce((sum, one) => sum + one.tokens, 0),
    micro_usd: all.reduce((sum, one) => sum + one.micro_usd, 0),
    ms: all.reduce((sum, one) => sum + one.ms, 0),
    ...(unpriced === 0 ? {} : { unpriced }),
  };
}
