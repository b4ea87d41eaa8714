import {
  CleanupReply,
  ErrorReply,
  GcReply,
  type GcRequest,
  HealthReply,
  NudgeReply,
  type Shell,
  type Shells,
  SpawnReply,
  StatusReply,
  StopReply,
} from '@caloron/types';
import { z } from 'zod';

import { ShellClientError } from './errors.ts';

/** What the shell client needs. */
export interface ShellsDeps {
  /** The configured shell's address, e.g. http://127.0.0.1:7710. */
  readonly url: string;
  /** Read at each call: the shell may have made a new one. */
  readonly token: () => string;
  /** The database every shell must work on; null asks for none. */
  readonly db_id: string | null;
  /** A call that takes longer is given up; 10 000 ms when absent, 120 000 ms for spawn, stop and cleanup. */
  readonly timeout_ms?: number | undefined;
}

/** Status and small changes answer at once. */
const TIMEOUT_MS = 10_000;

/** A spawn may clone a repository first; a stop waits for the agent's grace. */
const LONG_TIMEOUT_MS = 120_000;

/** Statuses whose cause passes: a busy agent, a limit, a fault. */
function passes(status: number): boolean {
  return status === 409 || status === 429 || status >= 500;
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

function checkedUrl(shell_url: string, configured: string): string {
  const url = URL.parse(shell_url);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ShellClientError('SHELL_URL_INVALID', { url: shell_url, reason: 'expected http://HOST:PORT' });
  }
  if (url.username !== '' || url.password !== '') {
    throw new ShellClientError('SHELL_URL_INVALID', { url: url.host, reason: 'it carries a credential' });
  }
  if (!LOOPBACK.has(url.hostname) && url.origin !== URL.parse(configured)?.origin) {
    const reason = 'it is neither this machine nor the configured shell, and the token is not sent elsewhere';
    throw new ShellClientError('SHELL_URL_INVALID', { url: shell_url, reason });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** The network's reason without its stack: the code of the innermost cause, or a timeout's name. */
function reasonOf(error: unknown): string {
  const found = z.object({ cause: z.object({ code: z.string() }) }).safeParse(error);
  if (found.success) return found.data.cause.code;
  return error instanceof Error ? error.message : String(error);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Call<T extends z.ZodType> {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly reply: T;
  readonly body?: unknown;
  readonly token?: string;
  readonly timeout_ms?: number | undefined;
}

async function send(url: string, call: Call<z.ZodType>): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(`${url}${call.path}`, {
      method: call.method,
      redirect: 'manual',
      signal: AbortSignal.timeout(call.timeout_ms ?? TIMEOUT_MS),
      headers: {
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.token === undefined ? {} : { 'x-caloron-token': call.token }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const hint = 'start it: ./caloron up';
    throw new ShellClientError(
      'SHELL_UNREACHABLE',
      { url, reason: reasonOf(error) },
      { retryable: true, hint },
    );
  }
}

function refused(url: string, path: string, status: number, body: unknown): ShellClientError {
  const reply = ErrorReply.safeParse(body);
  const code = reply.success ? reply.data.code : `HTTP_${status}`;
  const error = reply.success ? reply.data.error : 'it gave no reason';
  return new ShellClientError(
    'SHELL_REFUSED',
    { url, path, status, code, error },
    {
      retryable: passes(status),
      ...(status === 401
        ? { hint: 'CALORON_SHELL_TOKEN or .caloron/shell-token differs from the token of the running shell' }
        : {}),
    },
  );
}

async function request<T extends z.ZodType>(url: string, call: Call<T>): Promise<z.output<T>> {
  const { status, text } = await send(url, call);
  const body = parsedJson(text);
  if (status < 200 || status > 299) throw refused(url, call.path, status, body);
  const reply = call.reply.safeParse(body);
  if (reply.success) return reply.data;
  const issues = reply.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the answer'}: ${issue.message}`,
  );
  throw new ShellClientError('SHELL_ANSWER_INVALID', { url, path: call.path, issues });
}

/** Milliseconds a collection of garbage may take: every file of a home is looked at. */
const GC_TIMEOUT_MS = 30 * 60_000;

/** Milliseconds a shell that works has to say that it is there; asked where a person waits, and another way is left without it. */
export const PRESENT_MS = 5000;

/**
 * Asks the configured shell to remove what nobody needs; `present` is called once it has answered at all. Throws SHELL_OTHER_DATABASE,
 * SHELL_UNREACHABLE, SHELL_REFUSED.
 */
export async function collectGarbage(
  deps: ShellsDeps,
  body: GcRequest,
  present?: () => void,
): Promise<GcReply> {
  const url = checkedUrl(deps.url, deps.url);
  const health = { method: 'GET', path: '/health', reply: HealthReply, timeout_ms: PRESENT_MS } as const;
  const { db_id } = await request(url, health);
  if (deps.db_id !== null && db_id !== deps.db_id)
    throw new ShellClientError('SHELL_OTHER_DATABASE', { url, expected: deps.db_id, actual: db_id });
  present?.();
  const call = { method: 'POST', path: '/gc', reply: GcReply, body, token: deps.token() } as const;
  return request(url, { ...call, timeout_ms: GC_TIMEOUT_MS });
}

function openShell(url: string, deps: ShellsDeps): Shell {
  let checked: Promise<void> | undefined;

  const health = () =>
    request(url, { method: 'GET', path: '/health', reply: HealthReply, timeout_ms: deps.timeout_ms });

  async function checkDatabase(expected: string): Promise<void> {
    const { db_id } = await health();
    if (db_id !== expected)
      throw new ShellClientError('SHELL_OTHER_DATABASE', { url, expected, actual: db_id });
  }

  async function call<T extends z.ZodType>(what: Call<T>): Promise<z.output<T>> {
    if (deps.db_id !== null) {
      checked ??= checkDatabase(deps.db_id);
      try {
        await checked;
      } catch (error) {
        // A failed check is no verdict for ever: the next call asks again.
        checked = undefined;
        throw error;
      }
    }
    return request(url, { ...what, token: deps.token(), timeout_ms: deps.timeout_ms ?? what.timeout_ms });
  }

  return {
    spawn: (body) =>
      call({ method: 'POST', path: '/spawn', reply: SpawnReply, body, timeout_ms: LONG_TIMEOUT_MS }),
    stop: (body) =>
      call({ method: 'POST', path: '/stop', reply: StopReply, body, timeout_ms: LONG_TIMEOUT_MS }),
    nudge: (body) => call({ method: 'POST', path: '/nudge', reply: NudgeReply, body }),
    status: () => call({ method: 'GET', path: '/status', reply: StatusReply }),
    cleanup: (body) =>
      call({ method: 'POST', path: '/cleanup', reply: CleanupReply, body, timeout_ms: LONG_TIMEOUT_MS }),
    health,
  };
}

/**
 * Clients of the shell over HTTP. Before its first call each asks `/health` once and refuses a shell on another database.
 * The token goes to this machine and the configured shell only. Throws ShellClientError.
 */
export function createShells(deps: ShellsDeps): Shells {
  const open = new Map<string, Shell>();
  return {
    open(shell_url) {
      const url = checkedUrl(shell_url === null || shell_url === '' ? deps.url : shell_url, deps.url);
      const shell = open.get(url) ?? openShell(url, deps);
      open.set(url, shell);
      return shell;
    },
  };
}
