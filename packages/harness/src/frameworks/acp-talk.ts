import { setTimeout as delay } from 'node:timers/promises';

import {
  type ClientContext,
  methods,
  RequestError,
  type SessionUpdate,
  type StopReason,
} from '@agentclientprotocol/sdk';
import { messageOf } from '@caloron/noether/errors';

import { HarnessError } from '../errors.ts';
import { openSession } from './acp-session.ts';
import { usageOfTurn } from './acp-usage.ts';
import type { FrameworkCall, HeardUsage } from './framework.ts';
import type { Trouble } from './trouble.ts';

/** Milliseconds a turn has to end after it was cancelled, before its agent is signalled. */
const CANCEL_MS = 3000;

/** Milliseconds of silence after which a session counts as told again, and the longest that is waited for. */
const RETOLD_MS = 300;
const ANY_RETELLING_MS = 10_000;

/** The protocol's code for an agent that has to be logged in first. */
const AUTH_REQUIRED = -32_000;

/** How a conversation ended. */
export interface TalkEnd {
  readonly code: number | null;
  readonly trouble: Trouble | null;
}

/** Gives the prompt to the session and waits for the turn’s end; a run that is to pause or stop cancels it first. */
export async function converse(
  agent: ClientContext,
  call: FrameworkCall,
  on: {
    readonly begin: () => void;
    readonly usage: (usage: readonly HeardUsage[]) => void;
    /** Milliseconds since the agent's last update. */
    readonly quiet_ms: () => number;
  },
): Promise<TalkEnd> {
  const { session_id: sessionId, retold } = await openSession(agent, call);
  // What a session that is gone on with tells again is not said now.
  if (retold) await whenQuiet(on.quiet_ms, call.signal);
  on.begin();
  const prompt = agent.request(methods.agent.session.prompt, {
    sessionId,
    prompt: [{ type: 'text', text: call.prompt }],
  });
  const stop = whenAborted(AbortSignal.any([call.signal, ...(call.pause === undefined ? [] : [call.pause])]));
  try {
    const first = await Promise.race([prompt, stop.aborted]);
    if (first !== undefined) {
      on.usage(usageOfTurn(first));
      return endOf(first.stopReason);
    }
    await agent.notify(methods.agent.session.cancel, { sessionId });
    const last = await Promise.race([prompt, delay(CANCEL_MS, undefined, { ref: false })]);
    if (last !== undefined) on.usage(usageOfTurn(last));
    return { code: null, trouble: null };
  } finally {
    stop.forget();
    // The connection may close while it is still awaited by nobody.
    prompt.catch(() => undefined);
  }
}

/** Waits until the agent has told its session again: Gemini CLI goes on with that after it has answered. */
async function whenQuiet(quiet_ms: () => number, signal: AbortSignal): Promise<void> {
  for (let waited = 0; quiet_ms() < RETOLD_MS && waited < ANY_RETELLING_MS; waited += 20)
    await delay(20, undefined, { signal });
}

/** Only a turn that came to its end is work done. */
function endOf(reason: StopReason): TalkEnd {
  if (reason === 'end_turn') return { code: 0, trouble: null };
  if (reason === 'cancelled')
    return { code: 1, trouble: { message: 'the agent cancelled its turn', class: 'crash' } };
  return { code: 1, trouble: { message: `the agent ended its turn: ${reason}`, class: 'gave_up' } };
}

/** What a conversation broke at. `stderr` is what the agent printed last: of one that is gone it says more than its connection. */
export function brokenAt(error: unknown, stderr: string): TalkEnd {
  if (error instanceof HarnessError) throw error;
  if (!(error instanceof RequestError)) {
    const message =
      stderr.trim() === '' ? `the agent's connection ended: ${messageOf(error)}` : stderr.trim();
    return { code: 1, trouble: { message } };
  }
  const { data } = error;
  const more = data === undefined ? '' : ` ${JSON.stringify(data)}`;
  const message = `${error.message}${more}`.slice(0, 4000);
  return {
    code: 1,
    trouble: { message, ...(error.code === AUTH_REQUIRED ? { class: 'auth' as const } : {}) },
  };
}

/** What an update of the session tells: for the log, and what the agent itself said. */
export function heardOf(update: SessionUpdate): { readonly log: string; readonly said: string } {
  switch (update.sessionUpdate) {
    case 'agent_message_chunk': {
      const text = update.content.type === 'text' ? update.content.text : '';
      return { log: text, said: text };
    }
    case 'tool_call':
      return { log: `\n[${update.kind ?? 'other'}] ${update.title}\n`, said: '\n' };
    case 'tool_call_update':
      return {
        log: update.status === 'failed' ? `[failed] ${update.title ?? update.toolCallId}\n` : '',
        said: '',
      };
    default:
      return { log: '', said: '' };
  }
}

function whenAborted(signal: AbortSignal): { readonly aborted: Promise<undefined>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const listener = (): void => resolve(undefined);
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return { aborted: promise, forget: () => signal.removeEventListener('abort', listener) };
}
