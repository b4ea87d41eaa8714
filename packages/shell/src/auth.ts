import type { Processes } from '@caloron/store';
import type { ProcessRow } from '@caloron/types';
import type { FastifyRequest } from 'fastify';

import { ShellError } from './errors.ts';
import { sameToken, tokenHash } from './token.ts';

/** Who calls: the shell token's holder (scheduler, cli, a person), or one agent's process. */
export type Caller = { readonly kind: 'shell' } | { readonly kind: 'agent'; readonly row: ProcessRow };

/** Checks the header x-caloron-token. Each is an `onRequest` hook: a stranger's body is never read. */
export interface Auth {
  /** The shell token only. */
  readonly shell: (request: FastifyRequest) => Promise<void>;
  /** An agent's own token only. */
  readonly agent: (request: FastifyRequest) => Promise<void>;
  /** Either. */
  readonly either: (request: FastifyRequest) => Promise<void>;
  /** Who passed the hook. */
  readonly callerOf: (request: FastifyRequest) => Caller;
  /** The process whose agent passed the hook. */
  readonly agentOf: (request: FastifyRequest) => ProcessRow;
}

/** Checks tokens against the shell's own and against the agents' hashes. */
export function createAuth(shell_token: string, processes: Pick<Processes, 'byTokenHash'>): Auth {
  const callers = new WeakMap<FastifyRequest, Caller>();

  function identify(request: FastifyRequest): Caller {
    const token = request.headers['x-caloron-token'];
    if (typeof token !== 'string' || token === '') throw new ShellError('TOKEN_INVALID', {});
    if (sameToken(token, shell_token)) return { kind: 'shell' };
    const row = processes.byTokenHash(tokenHash(token));
    if (row === undefined) throw new ShellError('TOKEN_INVALID', {});
    return { kind: 'agent', row };
  }

  async function only(request: FastifyRequest, allowed: readonly Caller['kind'][]): Promise<void> {
    const caller = identify(request);
    if (!allowed.includes(caller.kind)) {
      const reason =
        caller.kind === 'agent'
          ? 'an agent may only beat, report and ask for its credential'
          : 'only an agent may ask this';
      throw new ShellError('TOKEN_FORBIDDEN', { reason });
    }
    callers.set(request, caller);
  }

  function callerOf(request: FastifyRequest): Caller {
    const caller = callers.get(request);
    if (caller === undefined) throw new ShellError('TOKEN_INVALID', {});
    return caller;
  }

  return {
    shell: (request) => only(request, ['shell']),
    agent: (request) => only(request, ['agent']),
    either: (request) => only(request, ['shell', 'agent']),
    callerOf,
    agentOf(request) {
      const caller = callerOf(request);
      if (caller.kind === 'agent') return caller.row;
      throw new ShellError('TOKEN_FORBIDDEN', { reason: 'only an agent may ask this' });
    },
  };
}

/** Refuses ids that are not the token's own. Throws TOKEN_FORBIDDEN. */
export function assertOwn(row: ProcessRow, claimed: Readonly<Partial<ProcessRow>>): void {
  const ids = ['process_id', 'sprint_id', 'task_id', 'agent_id', 'role', 'attempt'] as const;
  const other = ids.find((id) => claimed[id] !== undefined && claimed[id] !== row[id]);
  if (other === undefined) return;
  throw new ShellError('TOKEN_FORBIDDEN', {
    reason: `${other} ${String(claimed[other])} is not this agent's`,
  });
}
