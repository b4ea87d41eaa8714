import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** Tokens an answer may take unless the input says so. */
const MAX_TOKENS = 1024;

/** `llm_complete`: by the configured provider; without one it fails with LLM_UNAVAILABLE. `model` is the provider's own name of one. */
export const llmComplete = original(
  defineStage({
    name: 'llm_complete',
    description: 'Asks a model to go on from a prompt.',
    effects: [
      { effect: 'Cost', cents: 5 },
      'Fallible',
      { effect: 'Llm', model: 'default' },
      'Network',
      'NonDeterministic',
    ],
    capabilities: ['llm'],
    input: z.object({
      prompt: z.string(),
      system: z.string().nullish(),
      model: z.string().nullish(),
      max_tokens: z.int().positive().nullish(),
      temperature: z.number().min(0).max(2).nullish(),
    }),
    output: z.object({ model: z.string(), text: z.string(), tokens_used: z.number() }),
    examples: [
      {
        input: { prompt: 'Say hello.', max_tokens: 10, model: null, system: null, temperature: null },
        output: { model: 'example-1', text: 'hello', tokens_used: 12 },
      },
      {
        input: { prompt: 'Say hello.', system: 'Be short.', temperature: 0 },
        output: { model: 'example-1', text: 'hello', tokens_used: 12 },
      },
      {
        input: { prompt: 'Say hello.', model: 'example-2' },
        output: { model: 'example-2', text: 'hello', tokens_used: 12 },
      },
    ],
    tags: ['llm'],
    run: ({ prompt, system, model, max_tokens, temperature }, { llm }, signal) =>
      llm.complete({
        prompt,
        system: system ?? '',
        max_tokens: max_tokens ?? MAX_TOKENS,
        model: model ?? undefined,
        temperature: temperature ?? undefined,
        signal,
      }),
  }),
  {
    effects: [
      { effect: 'Cost', cents: 5 },
      { effect: 'Fallible' },
      { effect: 'Llm', model: 'default' },
      { effect: 'NonDeterministic' },
    ],
  },
);
