import { timingSafeEqual } from 'node:crypto';

import type { Processes } from '@caloron/store';
import type { ProcessRow } from '@caloron/types';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { ShellError } from './errors.ts';
import { tokenHash } from './token.ts';

/** An `onRequest` hook that answers at once. */
type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

/** Who calls: the shell token's holder (scheduler, cli, a person), or one agent's process. */
export type Caller = { readonly kind: 'shell' } | { readonly kind: 'agent'; readonly row: ProcessRow };

/** Where a request holds who passed the hook: an entry of a WeakMap costs more than the rest of the check. */
const CALLER = Symbol('caller');

type Checked = FastifyRequest & { [CALLER]?: Caller };

/** Checks the header x-caloron-token. Each is an `onRequest` hook: a stranger's body is never read. */
export interface Auth {
  /** The shell token only. */
  readonly shell: Hook;
  /** An agent's own token only. */
  readonly agent: Hook;
  /** Either. */
  readonly either: Hook;
  /** Who passed the hook. */
  readonly callerOf: (request: FastifyRequest) => Caller;
  /** The process whose agent passed the hook. */
  readonly agentOf: (request: FastifyRequest) => ProcessRow;
}

/** Checks tokens against the shell's own and against the agents' hashes. */
export function createAuth(shell_token: string, processes: Pick<Processes, 'byTokenHash'>): Auth {
  const shell_hash = Buffer.from(tokenHash(shell_token), 'latin1');
  const the_shell: Caller = { kind: 'shell' };

  function identify(request: FastifyRequest): Caller {
    const token = request.headers['x-caloron-token'];
    if (typeof token !== 'string' || token === '') throw new ShellError('TOKEN_INVALID', {});
    // What is compared or looked up is never the token itself, and hashes are equally long.
    const hash = tokenHash(token);
    if (timingSafeEqual(Buffer.from(hash, 'latin1'), shell_hash)) return the_shell;
    const row = processes.byTokenHash(hash);
    if (row === undefined) throw new ShellError('TOKEN_INVALID', {});
    return { kind: 'agent', row };
  }

  function admit(request: Checked, allowed: readonly Caller['kind'][]): void {
    const caller = identify(request);
    if (!allowed.includes(caller.kind)) {
      const reason =
        caller.kind === 'agent'
          ? 'an agent may only beat, report and ask for its credential'
          : 'only an agent may ask this';
      throw new ShellError('TOKEN_FORBIDDEN', { reason });
    }
    request[CALLER] = caller;
  }

  const only =
    (...allowed: readonly Caller['kind'][]): Hook =>
    (request, _reply, done) => {
      try {
        admit(request, allowed);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      done();
    };

  function callerOf(request: Checked): Caller {
    const caller = request[CALLER];
    if (caller === undefined) throw new ShellError('TOKEN_INVALID', {});
    return caller;
  }

  return {
    shell: only('shell'),
    agent: only('agent'),
    either: only('shell', 'agent'),
    callerOf,
    agentOf(request) {
      const caller = callerOf(request);
      if (caller.kind === 'agent') return caller.row;
      throw new ShellError('TOKEN_FORBIDDEN', { reason: 'only an agent may ask this' });
    },
  };
}

/** What an agent says of itself and its token knows. */
const OWN = ['process_id', 'sprint_id', 'task_id', 'agent_id', 'role', 'mode', 'attempt'] as const;

/** Refuses ids that are not the token's own. Throws TOKEN_FORBIDDEN. */
export function assertOwn(
  row: ProcessRow,
  claimed: { readonly [Field in (typeof OWN)[number]]?: ProcessRow[Field] | undefined },
): void {
  const other = OWN.find((id) => claimed[id] !== undefined && claimed[id] !== row[id]);
  if (other === undefined) return;
  throw new ShellError('TOKEN_FORBIDDEN', {
    reason: `${other} ${String(claimed[other])} is not this agent's`,
  });
}
