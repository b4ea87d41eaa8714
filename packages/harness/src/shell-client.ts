import { readFileSync } from 'node:fs';

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

/** Largest answer read, in bytes: the shell's own are far smaller, a stranger's may never end. */
const ANSWER_LIMIT = 1024 * 1024;

/** What a shell says that is another home's, or a service that is no shell: no agent of its own ever hears it. */
const STRANGERS = new Set(['TOKEN_INVALID', 'ROUTE_UNKNOWN']);

/**
 * The shell as an agent's process may use it, with its own token. Every method throws HARNESS_SHELL_REFUSED, or HARNESS_SHELL_UNREACHABLE,
 * which also says that somebody else answers at its address: the port of a shell that ended may go to any program.
 */
export interface AgentShell {
  heartbeat(beat: Heartbeat, signal?: AbortSignal): Promise<HeartbeatReply>;
  report(report: Report, signal?: AbortSignal): Promise<void>;
  /** A forge token for one use; keep it in memory only. */
  credential(request: CredentialRequest, signal?: AbortSignal): Promise<CredentialReply>;
}

/** Where the shell is. */
export interface ShellAddress {
  /** Where it was when the agent was started. */
  readonly url: string;
  /** Where one that came back at another port says so; asked before each request. */
  readonly file?: string | undefined;
}

/** The client of the shell, with the agent's token in `x-caloron-token`; a request is given up after `timeout_ms`, and a new one asks for the address again. */
export function createAgentShell(
  address: ShellAddress,
  token: string,
  timeout_ms: number = REQUEST_TIMEOUT_MS,
): AgentShell {
  const post = async <T>(
    schema: z.ZodType<T>,
    path: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<T> => {
    const url = `${currentUrl(address)}${path}`;
    return shaped(schema, await send({ url, token, timeout_ms }, body, signal), url);
  };
  return {
    heartbeat: (beat, signal) => post(HeartbeatReply, '/heartbeat', beat, signal),
    async report(report, signal) {
      await post(Taken, '/report', report, signal);
    },
    credential: (request, signal) => post(CredentialReply, '/credential', request, signal),
  };
}

const Taken = z.looseObject({ ok: z.literal(true) });

const Found = z.looseObject({ url: z.url() });

/** The shell's address as its file has it; the token goes to the host the agent was given and to no other, only its port may change. */
function currentUrl({ url, file }: ShellAddress): string {
  const base = url.replace(/\/+$/, '');
  if (file === undefined) return base;
  try {
    const found = new URL(Found.parse(JSON.parse(readFileSync(file, 'utf8'))).url);
    const given = new URL(base);
    if (found.protocol !== given.protocol || found.hostname !== given.hostname) return base;
    given.port = found.port;
    return given.href.replace(/\/+$/, '');
  } catch {
    // Not written yet, or no address: the one that was given may serve again.
    return base;
  }
}

interface Way {
  readonly url: string;
  readonly token: string;
  readonly timeout_ms: number;
}

async function send(
  { url, token, timeout_ms }: Way,
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(timeout_ms);
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
    text = await textOf(response);
  } catch (cause) {
    throw unreachable(url, messageOf(cause), cause);
  }
  const answer = json(text);
  if (status >= 200 && status < 300) {
    if (answer === undefined) throw unreachable(url, 'the answer is not JSON');
    return answer;
  }
  const refusal = ErrorReply.safeParse(answer).data;
  if (refusal === undefined || STRANGERS.has(refusal.code))
    throw unreachable(url, `a stranger answers there, with ${status} ${refusal?.code ?? text.slice(0, 200)}`);
  const { code, error: reason } = refusal;
  const retryable = status >= 500 || status === 408 || status === 429;
  throw new HarnessError('HARNESS_SHELL_REFUSED', { url, status, code, reason }, { retryable });
}

/** Throws when an answer is longer than any of the shell's. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_LIMIT) throw new RangeError(`the answer is longer than ${ANSWER_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
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
