import { messageOf } from '@caloron/noether/errors';
import type { Llm } from '@caloron/types';
import { z } from 'zod';

import { LlmError } from './errors.ts';
import { anthropicCall, openAiCall, type ProviderCall, type ProviderOptions } from './llm-providers.ts';

type Env = Readonly<Record<string, string | undefined>>;

interface Provider {
  readonly name: string;
  readonly key_env: string;
  readonly base_url_env: string;
  /** Asked when CALORON_LLM_MODEL is not set. */
  readonly model: string;
  readonly call: (options: ProviderOptions) => ProviderCall;
}

/** In the order they are chosen in when CALORON_LLM_PROVIDER names none. */
const PROVIDERS: readonly Provider[] = [
  {
    name: 'anthropic',
    key_env: 'ANTHROPIC_API_KEY',
    base_url_env: 'ANTHROPIC_BASE_URL',
    model: 'claude-sonnet-5-5',
    call: anthropicCall,
  },
  {
    name: 'openai',
    key_env: 'OPENAI_API_KEY',
    base_url_env: 'OPENAI_BASE_URL',
    model: 'gpt-5.5',
    call: openAiCall,
  },
];

/** A plan of a sprint is a few thousand tokens: two minutes are ample, and a kickoff waits for it. */
const TIMEOUT_MS = 120_000;

/** Longest part of a provider's own words an error carries. */
const REASON_KEPT = 300;

function value(env: Env, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === undefined || text === '' ? undefined : text;
}

/** The provider to ask, or why there is none. */
function choose(env: Env): Provider | string {
  const wanted = value(env, 'CALORON_LLM_PROVIDER')?.toLowerCase();
  if (wanted === 'none') return 'CALORON_LLM_PROVIDER is none';
  if (wanted === undefined) {
    const found = PROVIDERS.find((provider) => value(env, provider.key_env) !== undefined);
    return found ?? `neither ${PROVIDERS.map((provider) => provider.key_env).join(' nor ')} is set`;
  }
  const provider = PROVIDERS.find(({ name }) => name === wanted);
  if (provider === undefined) {
    return `CALORON_LLM_PROVIDER is ${wanted}; expected ${PROVIDERS.map(({ name }) => name).join(', ')} or none`;
  }
  return value(env, provider.key_env) === undefined ? `${provider.key_env} is not set` : provider;
}

/** What the SDKs throw for a refusal: its status, and the provider's own words with the key in them at times. */
const Refusal = z.object({ status: z.number() });

function reasonOf(error: unknown, status: number | null, key: string): string {
  if (status === 401) return 'the key is not accepted';
  if (error instanceof z.ZodError) return 'the answer has another shape';
  // OpenAI shows parts of the key it refuses: anything that looks like one is masked too.
  const clean = messageOf(error)
    .replaceAll(key, '***')
    .replaceAll(/\bsk-[\w*-]+/g, '***');
  return clean.slice(0, REASON_KEPT);
}

function failed(error: unknown, provider: string, model: string, key: string): LlmError {
  const refusal = Refusal.safeParse(error);
  const status = refusal.success ? refusal.data.status : null;
  const passes = status === null || status === 408 || status === 409 || status === 429 || status >= 500;
  // The SDK's error holds the request with its headers: it is not kept as a cause.
  return new LlmError(
    'LLM_FAILED',
    { provider, model, status, reason: reasonOf(error, status, key) },
    { retryable: passes && !(error instanceof z.ZodError) },
  );
}

/**
 * The configured model: Anthropic's with ANTHROPIC_API_KEY, else OpenAI's with OPENAI_API_KEY; CALORON_LLM_PROVIDER
 * (`anthropic`, `openai`, `none`) decides where both are set, CALORON_LLM_MODEL names the model, ANTHROPIC_BASE_URL and
 * OPENAI_BASE_URL another address. Without one `available` is false and `complete` throws LLM_UNAVAILABLE; else it throws
 * LLM_FAILED or LLM_EMPTY. No SDK is loaded before the first completion.
 */
export function createLlm(env: Env, options: { readonly timeout_ms?: number } = {}): Llm {
  const provider = choose(env);
  if (typeof provider === 'string') {
    return {
      available: false,
      complete: () => Promise.reject(new LlmError('LLM_UNAVAILABLE', { reason: provider })),
    };
  }
  const model = value(env, 'CALORON_LLM_MODEL') ?? provider.model;
  const api_key = value(env, provider.key_env) ?? '';
  const base_url = value(env, provider.base_url_env) ?? null;
  const call = provider.call({ api_key, base_url, timeout_ms: options.timeout_ms ?? TIMEOUT_MS });
  return {
    available: true,
    async complete(request) {
      let answer;
      try {
        answer = await call({ ...request, model: request.model ?? model });
      } catch (error) {
        request.signal?.throwIfAborted();
        throw failed(error, provider.name, request.model ?? model, api_key);
      }
      const { stop_reason, ...completion } = answer;
      if (completion.text.trim() === '')
        throw new LlmError('LLM_EMPTY', {
          provider: provider.name,
          model: request.model ?? model,
          stop_reason,
        });
      return completion;
    },
  };
}
