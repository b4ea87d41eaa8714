import { messageOf } from '@caloron/noether/errors';
import {
  CredentialReply,
  type CredentialRequest,
  ErrorReply,
  type Heartbeat,
  HeartbeatReply,
  type Report,
} from '@caloron/types';
import { z } from 'zod';

import { HarnessError } from './errors.ts';

/** Milliseconds one request to the shell may take. */
const REQUEST_TIMEOUT_MS = 15_000;

/** The shell as an agent's process may use it, with its own token. Every method throws HARNESS_SHELL_UNREACHABLE or HARNESS_SHELL_REFUSED. */
export interface AgentShell {
  heartbeat(beat: Heartbeat, signal?: AbortSignal): Promise<HeartbeatReply>;
  report(report: Report, signal?: AbortSignal): Promise<void>;
  /** A forge token for one use; keep it in memory only. */
  credential(request: CredentialRequest, signal?: AbortSignal): Promise<CredentialReply>;
}

/** The client of the shell at `url`, with the agent's token in `x-caloron-token`. */
export function createAgentShell(url: string, token: string): AgentShell {
  const base = url.replace(/\/+$/, '');
  const post = async (path: string, body: unknown, signal?: AbortSignal): Promise<unknown> =>
    send(`${base}${path}`, token, body, signal);
  return {
    async heartbeat(beat, signal) {
      return shaped(HeartbeatReply, await post('/heartbeat', beat, signal), `${base}/heartbeat`);
    },
    async report(report, signal) {
      await post('/report', report, signal);
    },
    async credential(request, signal) {
      return shaped(CredentialReply, await post('/credential', request, signal), `${base}/credential`);
    },
  };
}

async function send(url: string, token: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-caloron-token': token },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw unreachable(url, messageOf(cause), cause);
  }
  const answer = json(text);
  if (status >= 200 && status < 300) {
    if (answer === undefined) throw unreachable(url, 'the answer is not JSON');
    return answer;
  }
  const refusal = ErrorReply.safeParse(answer);
  const code = refusal.success ? refusal.data.code : 'HTTP';
  const reason = refusal.success ? refusal.data.error : text.slice(0, 200);
  const retryable = status >= 500 || status === 408 || status === 429;
  throw new HarnessError('HARNESS_SHELL_REFUSED', { url, status, code, reason }, { retryable });
}

function shaped<T>(schema: z.ZodType<T>, answer: unknown, url: string): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw unreachable(url, `the answer has another shape: ${z.prettifyError(parsed.error)}`);
}

function unreachable(url: string, reason: string, cause?: unknown): HarnessError {
  return new HarnessError('HARNESS_SHELL_UNREACHABLE', { url, reason }, { retryable: true, cause });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
