import { z } from 'zod';

import { callOf, NO_USAGE, type Protocol, type Refusal, RESET_IN_S, type Turn } from './turns.ts';

const Asked = z.looseObject({
  model: z.string().default('a-model'),
  tools: z.array(z.unknown()).default([]),
});

function asks(body: unknown): boolean {
  return Asked.safeParse(body).data?.tools.length !== 0;
}

function modelOf(body: unknown): string {
  return Asked.safeParse(body).data?.model ?? 'a-model';
}

let counter = 0;
function id(prefix: string): string {
  counter += 1;
  return `${prefix}_${String(counter).padStart(6, '0')}`;
}

function named(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

function data(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function resets(refusal: Refusal): number {
  const after = refusal === 'quota' ? RESET_IN_S.quota : RESET_IN_S.rate_limit;
  return Math.ceil(performance.timeOrigin / 1000 + performance.now() / 1000) + after;
}

/** Anthropic's Messages, as Claude Code asks them. */
export const anthropic: Protocol = {
  name: 'anthropic',
  path: /^\/v1\/messages/,
  asks: (body, path) => !path.includes('count_tokens') && asks(body),
  aside: (body, path) =>
    path.includes('count_tokens') ? { input_tokens: 10 } : anthropic.events({ text: 'A title' }, body, path),
  events(turn, body) {
    const usage = turn.usage ?? NO_USAGE;
    const call = callOf(turn, {
      write: ({ path, content }) => ({ name: 'Write', input: { file_path: path, content } }),
      run: (command) => ({ name: 'Bash', input: { command, description: 'run it' } }),
    });
    const blocks = [
      ...(turn.text === undefined
        ? []
        : [
            [
              { type: 'text', text: '' },
              { type: 'text_delta', text: turn.text },
            ] as const,
          ]),
      ...(call === undefined
        ? []
        : [
            [
              { type: 'tool_use', id: id('toolu'), name: call.name, input: {} },
              { type: 'input_json_delta', partial_json: JSON.stringify(call.input) },
            ] as const,
          ]),
    ];
    const message = {
      id: id('msg'),
      type: 'message',
      role: 'assistant',
      model: modelOf(body),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: {
        input_tokens: usage.input,
        cache_creation_input_tokens: usage.cache_write,
        cache_read_input_tokens: usage.cache_read,
        output_tokens: Math.min(1, usage.output),
      },
    };
    return [
      named('message_start', { message }),
      ...blocks.flatMap(([content_block, delta], index) => [
        named('content_block_start', { index, content_block }),
        named('content_block_delta', { index, delta }),
        named('content_block_stop', { index }),
      ]),
      named('message_delta', {
        delta: { stop_reason: call === undefined ? 'end_turn' : 'tool_use', stop_sequence: null },
        usage: { output_tokens: usage.output },
      }),
      named('message_stop', {}),
    ];
  },
  refusal(refusal) {
    const body = (type: string, message: string): object => ({ type: 'error', error: { type, message } });
    const reset = new Date(resets(refusal) * 1000).toISOString();
    switch (refusal) {
      case 'rate_limit':
        return {
          status: 429,
          headers: {
            'retry-after': String(RESET_IN_S.rate_limit),
            'anthropic-ratelimit-requests-reset': reset,
          },
          body: body(
            'rate_limit_error',
            'This request would exceed your rate limit of 50 requests per minute.',
          ),
        };
      case 'quota':
        return {
          status: 429,
          headers: {
            'retry-after': String(RESET_IN_S.quota),
            'anthropic-ratelimit-unified-status': 'rejected',
            'anthropic-ratelimit-unified-reset': String(resets(refusal)),
            'anthropic-ratelimit-unified-representative-claim': 'five_hour',
          },
          body: body('rate_limit_error', "You've hit your usage limit. Your limit will reset later."),
        };
      case 'auth':
        return { status: 401, headers: {}, body: body('authentication_error', 'invalid x-api-key') };
      case 'billing':
        return {
          status: 400,
          headers: {},
          body: body('invalid_request_error', 'Your credit balance is too low to access the Anthropic API.'),
        };
      case 'overloaded':
        return { status: 529, headers: {}, body: body('overloaded_error', 'Overloaded') };
    }
  },
};

/** What OpenAI's two interfaces answer alike. */
function openaiRefusal(refusal: Refusal): ReturnType<Protocol['refusal']> {
  const error = (code: string, message: string, more: object = {}): object => ({
    error: { message, type: code, param: null, code, ...more },
  });
  switch (refusal) {
    case 'rate_limit': {
      const message = `Rate limit reached for a-model on requests per min. Please try again in ${RESET_IN_S.rate_limit}s.`;
      const headers = { 'retry-after': String(RESET_IN_S.rate_limit) };
      return { status: 429, headers, body: error('rate_limit_exceeded', message) };
    }
    case 'quota':
      return {
        status: 429,
        headers: { 'retry-after': String(RESET_IN_S.quota) },
        body: error('usage_limit_reached', 'The usage limit has been reached', {
          plan_type: 'plus',
          resets_at: resets(refusal),
          resets_in_seconds: RESET_IN_S.quota,
        }),
      };
    case 'auth':
      return { status: 401, headers: {}, body: error('invalid_api_key', 'Incorrect API key provided: x.') };
    case 'billing': {
      const message = 'You exceeded your current quota, please check your plan and billing details.';
      return { status: 429, headers: {}, body: error('insufficient_quota', message) };
    }
    case 'overloaded':
      return { status: 503, headers: {}, body: error('server_error', 'The server is currently overloaded.') };
  }
}

/** OpenAI's Responses, as Codex asks them. */
export const responses: Protocol = {
  name: 'responses',
  path: /^\/v1\/(responses|models)/,
  asks: (body, path) => !path.includes('/models') && asks(body),
  aside: (body, path) =>
    path.includes('/models')
      ? { object: 'list', data: [] }
      : responses.events({ text: 'A title' }, body, path),
  events(turn, body) {
    const usage = turn.usage ?? NO_USAGE;
    const call = callOf(turn, {
      write: ({ path, content }) => ({
        name: 'exec_command',
        input: { cmd: `printf '%s' '${content.replaceAll("'", `'\\''`)}' > '${path}'` },
      }),
      run: (command) => ({ name: 'exec_command', input: { cmd: command } }),
    });
    const items = [
      ...(turn.text === undefined
        ? []
        : [
            {
              type: 'message',
              role: 'assistant',
              id: id('msg'),
              content: [{ type: 'output_text', text: turn.text, annotations: [] }],
            },
          ]),
      ...(call === undefined
        ? []
        : [
            {
              type: 'function_call',
              id: id('fc'),
              call_id: id('call'),
              name: call.name,
              arguments: JSON.stringify(call.input),
            },
          ]),
    ];
    const response = { id: id('resp'), object: 'response', model: modelOf(body), output: [] };
    const input_tokens = usage.input + usage.cache_read;
    return [
      named('response.created', { response: { ...response, status: 'in_progress' } }),
      ...items.flatMap((item, output_index) => [
        named('response.output_item.added', { output_index, item }),
        named('response.output_item.done', { output_index, item }),
      ]),
      named('response.completed', {
        response: {
          ...response,
          status: 'completed',
          output: items,
          usage: {
            input_tokens,
            input_tokens_details: { cached_tokens: usage.cache_read },
            output_tokens: usage.output,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: input_tokens + usage.output,
          },
        },
      }),
    ];
  },
  refusal: openaiRefusal,
};

/** OpenAI's chat completions, as OpenCode asks a compatible provider. */
export const chat: Protocol = {
  name: 'chat',
  path: /^\/v1\/chat\/completions/,
  asks,
  aside: (body, path) => chat.events({ text: 'A title' }, body, path),
  events(turn, body) {
    const usage = turn.usage ?? NO_USAGE;
    const call = callOf(turn, {
      write: ({ path, content }) => ({ name: 'write', input: { filePath: path, content } }),
      run: (command) => ({ name: 'bash', input: { command, description: 'run it' } }),
    });
    const head = { id: id('chatcmpl'), object: 'chat.completion.chunk', created: 1, model: modelOf(body) };
    const chunk = (delta: object, finish_reason: string | null): string =>
      data({ ...head, choices: [{ index: 0, delta, finish_reason }] });
    const prompt_tokens = usage.input + usage.cache_read;
    return [
      chunk({ role: 'assistant', content: turn.text ?? '' }, null),
      ...(call === undefined ? [] : [chunk({ tool_calls: [chatCall(call.name, call.input)] }, null)]),
      chunk({}, call === undefined ? 'stop' : 'tool_calls'),
      data({
        ...head,
        choices: [],
        usage: {
          prompt_tokens,
          completion_tokens: usage.output,
          total_tokens: prompt_tokens + usage.output,
          prompt_tokens_details: { cached_tokens: usage.cache_read },
        },
      }),
      'data: [DONE]\n\n',
    ];
  },
  refusal: openaiRefusal,
};

function chatCall(name: string, input: object): object {
  return { index: 0, id: id('call'), type: 'function', function: { name, arguments: JSON.stringify(input) } };
}

/** The turn of a script told as text alone, for what the model says beside its work. */
export const ASIDE: Turn = { text: 'A title' };
