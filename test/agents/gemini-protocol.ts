import { z } from 'zod';

import { callOf, NO_USAGE, type Protocol, RESET_IN_S } from './turns.ts';

const Asked = z.looseObject({ tools: z.array(z.unknown()).default([]) });

function data(value: object): string {
  return `data: ${JSON.stringify(value)}\r\n\r\n`;
}

/** Google's streamGenerateContent, as Gemini CLI asks it. */
export const gemini: Protocol = {
  name: 'gemini',
  path: /^\/v1beta\/models\//,
  asks: (body, path) => path.includes(':stream') && Asked.safeParse(body).data?.tools.length !== 0,
  aside(_body, path) {
    if (path.includes(':countTokens')) return { totalTokens: 10 };
    const content = { role: 'model', parts: [{ text: '{}' }] };
    return { candidates: [{ content, finishReason: 'STOP', index: 0 }] };
  },
  events(turn, _body, path) {
    const usage = turn.usage ?? NO_USAGE;
    const call = callOf(turn, {
      write: (file) => ({ name: 'write_file', input: { file_path: file.path, content: file.content } }),
      run: (command) => ({ name: 'run_shell_command', input: { command } }),
    });
    const parts = [
      ...(turn.text === undefined ? [] : [{ text: turn.text }]),
      ...(call === undefined ? [] : [{ functionCall: { name: call.name, args: call.input } }]),
    ];
    const promptTokenCount = usage.input + usage.cache_read;
    return parts.map((part, index) =>
      data({
        candidates: [
          {
            content: { role: 'model', parts: [part] },
            index: 0,
            ...(index === parts.length - 1 ? { finishReason: 'STOP' } : {}),
          },
        ],
        usageMetadata: {
          promptTokenCount,
          cachedContentTokenCount: usage.cache_read,
          candidatesTokenCount: usage.output,
          totalTokenCount: promptTokenCount + usage.output,
        },
        modelVersion: /models\/([^:]+):/.exec(path)?.[1] ?? 'a-model',
        responseId: 'response-1',
      }),
    );
  },
  refusal(refusal) {
    const answer = (code: number, status: string, message: string, details: readonly object[] = []) => ({
      status: code,
      headers: {},
      body: { error: { code, status, message, details } },
    });
    const limit = (quotaId: string, seconds: number): readonly object[] => [
      { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId }] },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` },
    ];
    const exceeded = 'You exceeded your current quota, please check your plan and billing details.';
    switch (refusal) {
      case 'rate_limit': {
        const details = limit('GenerateRequestsPerMinutePerProject', RESET_IN_S.rate_limit);
        return answer(429, 'RESOURCE_EXHAUSTED', `${exceeded} Please retry in 40s.`, details);
      }
      case 'quota':
        return answer(
          429,
          'RESOURCE_EXHAUSTED',
          exceeded,
          limit('GenerateRequestsPerDayPerProject', RESET_IN_S.quota),
        );
      case 'auth':
        return answer(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [
          { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' },
        ]);
      case 'billing':
        return answer(403, 'PERMISSION_DENIED', 'This API method requires billing to be enabled.', [
          { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'BILLING_DISABLED' },
        ]);
      case 'overloaded':
        return answer(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.');
    }
  },
};
