import { z } from 'zod';

import type { HeardUsage } from './framework.ts';

const Count = z.number().int().min(0).catch(0);

/** What the draft of the protocol has in the answer to a prompt: the turn’s tokens. */
const Usage = z.object({
  inputTokens: Count,
  outputTokens: Count,
  cachedReadTokens: Count.nullish(),
  cachedWriteTokens: Count.nullish(),
});

/** What Gemini’s program adds beside it. */
const Quota = z.object({
  quota: z.object({
    model_usage: z.array(
      z.object({ model: z.string(), token_count: z.object({ input_tokens: Count, output_tokens: Count }) }),
    ),
  }),
});

/** The tokens an answer to a prompt tells of, by model where it names them; empty when it tells none. Cached ones are told apart from the input. */
export function usageOfTurn(answer: unknown): readonly HeardUsage[] {
  const told = z
    .object({ usage: z.unknown().optional(), _meta: z.unknown().optional() })
    .safeParse(answer).data;
  const quota = Quota.safeParse(told?._meta).data?.quota.model_usage ?? [];
  if (quota.length > 0) {
    return quota.map(({ model, token_count }) => ({
      model,
      input: token_count.input_tokens,
      output: token_count.output_tokens,
      cache_read: 0,
      cache_write: 0,
    }));
  }
  const usage = Usage.safeParse(told?.usage).data;
  if (usage === undefined) return [];
  const cache_read = usage.cachedReadTokens ?? 0;
  const cache_write = usage.cachedWriteTokens ?? 0;
  const { inputTokens: input } = usage;
  return [{ model: null, input, output: usage.outputTokens, cache_read, cache_write }];
}
