import {
  addMs,
  type CredentialReply,
  CredentialRequest,
  Heartbeat,
  type HeartbeatReply,
  type ProcessRow,
  Report,
  type Status,
  type Timestamp,
  totalTokens,
} from '@caloron/types';
import type { FastifyInstance, FastifyRequest } from 'fastify';

import type { AppDeps } from '../app.ts';
import { assertOwn } from '../auth.ts';
import { ShellError } from '../errors.ts';
import { parse } from '../parse.ts';
import { loadState, taskOf } from '../sprint.ts';

/** How long an agent may hold a credential in memory, in milliseconds: it asks anew for each push. */
const CREDENTIAL_MS = 10 * 60_000;

/** How far ahead an agent may say that it will show progress next, in milliseconds. */
const LONGEST_PROMISE_MS = 2 * 60 * 60_000;

/** Where a task stands that wants no more of an agent's work. */
const OVER: ReadonlySet<Status> = new Set(['Done', 'Cancelled', 'HumanAssigned']);

/** `POST /heartbeat`, `/report`, `/credential`: with the agent's own token. */
export function agentRoutes(app: FastifyInstance, deps: AppDeps): void {
  const { either, agent } = deps.auth;
  app.post('/heartbeat', { onRequest: either }, (request) => heartbeat(deps, request));
  app.post('/report', { onRequest: agent }, (request) => report(deps, request));
  app.post('/credential', { onRequest: agent }, (request) => credential(deps, request));
}

async function heartbeat(deps: AppDeps, request: FastifyRequest): Promise<HeartbeatReply> {
  const { auth, listening, store } = deps;
  const { sprint_id, agent_id, turn_ended = false, ...said } = parse(Heartbeat, request.body);
  const caller = auth.callerOf(request);
  const row = caller.kind === 'agent' ? caller.row : undefined;
  if (row !== undefined) assertOwn(row, { sprint_id, agent_id });
  const now = listening.heard(said.sent_at ?? null);
  const beat = {
    status: said.status ?? null,
    tokens_used: said.usage ? totalTokens(said.usage) : (said.tokens_used ?? null),
    usage: said.usage ?? null,
    // Progress that lies ahead would keep its agent from ever counting as stalled.
    progress_at: earlier(said.progress_at ?? null, now),
    progress_kind: said.progress_kind ?? null,
    cpu_at: earlier(said.cpu_at ?? null, now),
    // So would a promise for next year.
    next_by: said.next_by ? earlier(said.next_by, addMs(now, LONGEST_PROMISE_MS)) : null,
  };
  const process_id = row?.process_id ?? null;
  const known = await store.processes.beat({ sprint_id, agent_id, process_id }, beat, now);
  if (!known) throw new ShellError('AGENT_UNKNOWN', { sprint_id, agent_id });
  // As it is now: the caller was known before this beat was written.
  const current = row === undefined ? undefined : store.processes.get(row.process_id);
  if (row !== undefined && mustStop(deps, row.process_id, current))
    return { ok: true, command: 'stop', message: null };
  if (row !== undefined && turn_ended) {
    const over = await overWords(deps, row);
    return { ok: true, command: over === null ? null : 'stop', message: over };
  }
  const pause = current?.pause;
  if (pause !== undefined) return { ok: true, command: 'pause', message: pause };
  // A message waits for the agent itself, not for who beats in its name.
  const message = row === undefined ? null : deps.nudges.take(sprint_id, agent_id);
  return { ok: true, command: message === null ? null : 'nudge', message };
}

/** The earlier of two instants; both are of one form, so their text sorts as they do. */
function earlier<At extends Timestamp | null>(at: At, latest: Timestamp): At | Timestamp {
  return at !== null && at > latest ? latest : at;
}

/** A stop was asked for, or the process counts as ended and nobody waits for it. */
function mustStop({ table }: AppDeps, process_id: string, row: ProcessRow | undefined): boolean {
  const state = row?.state;
  return table.stopping(process_id) || state === 'exited' || state === 'lost';
}

/** That a process works on what is over or a person's, in words; null where it is neither. Reads the sprint's state: once per run, not per beat. */
async function overWords({ store }: AppDeps, { sprint_id, task_id }: ProcessRow): Promise<string | null> {
  const state = await loadState(store, sprint_id);
  const { status } = taskOf(state, task_id);
  if (OVER.has(status)) return `task ${task_id} is ${status}`;
  const ended = state.status === 'completed' || state.status === 'cancelled';
  return ended ? `sprint ${sprint_id} is ${state.status}` : null;
}

async function report({ auth, clock, store }: AppDeps, request: FastifyRequest): Promise<{ ok: true }> {
  const said = parse(Report, request.body);
  assertOwn(auth.agentOf(request), said);
  // One per process: a repeat appends nothing and is no refusal.
  await store.events.appendEvent(said.sprint_id, {
    type: 'agent_reported',
    event_id: `agent_reported:${said.process_id}`,
    created_at: clock.now(),
    actor: said.agent_id,
    trusted: true,
    report: said,
  });
  return { ok: true };
}

async function credential(deps: AppDeps, request: FastifyRequest): Promise<CredentialReply> {
  const { purpose } = parse(CredentialRequest, request.body);
  const { sprint_id, role, process_id } = deps.auth.agentOf(request);
  const state = deps.store.processes.get(process_id)?.state;
  // Its token is known a while longer for its last words; what it would push now might undo its successor's work.
  if (state === 'exited' || state === 'lost')
    throw new ShellError('TOKEN_FORBIDDEN', { reason: `process ${process_id} has ended` });
  const { sprint } = await loadState(deps.store, sprint_id);
  const { username, token, expires_at } = await deps.credentials.forRole(sprint, role);
  const kept_until = addMs(deps.clock.now(), CREDENTIAL_MS);
  deps.log.info({ process_id, purpose }, 'forge token given to an agent');
  return { ok: true, username, token, expires_at: earlier(expires_at ?? kept_until, kept_until) };
}
