import { z } from 'zod';

/** One completion as a provider gives it; `text` is empty when it gave none. */
export interface ProviderAnswer {
  readonly text: string;
  readonly model: string;
  readonly tokens_used: number;
  /** Why the model stopped, in the provider's word. */
  readonly stop_reason: string;
}

/** What a provider's client is made of. */
export interface ProviderOptions {
  readonly api_key: string;
  /** Null is the provider's own address. */
  readonly base_url: string | null;
  readonly timeout_ms: number;
}

/** What is asked. */
export interface ProviderRequest {
  readonly model: string;
  readonly system: string;
  readonly prompt: string;
  readonly max_tokens: number;
  readonly temperature?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one request; throws what the SDK throws. */
export type ProviderCall = (request: ProviderRequest) => Promise<ProviderAnswer>;

/** One repetition after a fault or a limit: a completion that fails twice is told to the person who waits. */
const MAX_RETRIES = 1;

const AnthropicAnswer = z.object({
  model: z.string(),
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
  stop_reason: z.string().nullish(),
  usage: z.object({ input_tokens: z.number(), output_tokens: z.number() }),
});

/** Anthropic's Messages API. The SDK is loaded when the first request is sent. */
export function anthropicCall(options: ProviderOptions): ProviderCall {
  return async ({ model, system, prompt, max_tokens, temperature, signal }) => {
    const { Anthropic } = await import('@anthropic-ai/sdk');
    const client = new Anthropic({
      apiKey: options.api_key,
      authToken: null,
      timeout: options.timeout_ms,
      maxRetries: MAX_RETRIES,
      logLevel: 'off',
      ...(options.base_url === null ? {} : { baseURL: options.base_url }),
    });
    const raw: unknown = await client.messages.create(
      {
        model,
        max_tokens,
        ...(system === '' ? {} : { system }),
        ...(temperature === undefined ? {} : { temperature }),
        messages: [{ role: 'user', content: prompt }],
      },
      { signal },
    );
    const answer = AnthropicAnswer.parse(raw);
    return {
      text: answer.content.flatMap((part) => (part.type === 'text' ? (part.text ?? []) : [])).join(''),
      model: answer.model,
      tokens_used: answer.usage.input_tokens + answer.usage.output_tokens,
      stop_reason: answer.stop_reason ?? 'unknown',
    };
  };
}

const OpenAiAnswer = z.object({
  model: z.string(),
  choices: z.array(
    z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }),
  ),
  usage: z.object({ total_tokens: z.number() }).nullish(),
});

/** OpenAI's Chat Completions API, which many other servers speak too. The SDK is loaded when the first request is sent. */
export function openAiCall(options: ProviderOptions): ProviderCall {
  return async ({ model, system, prompt, max_tokens, temperature, signal }) => {
    const { OpenAI } = await import('openai');
    const client = new OpenAI({
      apiKey: options.api_key,
      timeout: options.timeout_ms,
      maxRetries: MAX_RETRIES,
      logLevel: 'off',
      ...(options.base_url === null ? {} : { baseURL: options.base_url }),
    });
    const raw: unknown = await client.chat.completions.create(
      {
        model,
        max_completion_tokens: max_tokens,
        ...(temperature === undefined ? {} : { temperature }),
        messages: [
          ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
          { role: 'user', content: prompt },
        ],
      },
      { signal },
    );
    const answer = OpenAiAnswer.parse(raw);
    const [choice] = answer.choices;
    return {
      text: choice?.message.content ?? '',
      model: answer.model,
      tokens_used: answer.usage?.total_tokens ?? 0,
      stop_reason: choice?.finish_reason ?? 'unknown',
    };
  };
}
