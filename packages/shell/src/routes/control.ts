import {
  type CleanupReply,
  CleanupRequest,
  type GcReply,
  GcRequest,
  type NudgeReply,
  NudgeRequest,
  type SpawnReply,
  SpawnRequest,
  type StopReply,
  StopRequest,
} from '@caloron/types';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

import type { AppDeps } from '../app.ts';
import { ShellError } from '../errors.ts';
import { lastLines } from '../log-tail.ts';
import { parse } from '../parse.ts';

/** How long a stopped agent may take to end by itself, in milliseconds; the harness gives its CLI 5 s of it. */
const DEFAULT_GRACE_MS = 10_000;

/** Longest grace that can be asked for, in milliseconds: the request waits for it. */
const MAX_GRACE_MS = 600_000;

/** Longest name of a file or directory on Linux, in bytes. */
const NAME_BYTES = 255;

/** What a path is made of that the file system can take at all; where it leads is looked at later. */
const isPath = (path: string): boolean =>
  path.isWellFormed() &&
  !path.includes('\0') &&
  path.split('/').every((name) => Buffer.byteLength(name) <= NAME_BYTES);

/** `POST /spawn` as the shell takes it. */
const Spawn = SpawnRequest.extend({
  worktree_base: z.string().max(1000).refine(isPath, 'expected a path').optional(),
});

/** `POST /stop` as the shell takes it. */
const Stop = StopRequest.extend({
  process_id: z.string().min(1).max(100),
  grace_ms: z.number().int().min(0).max(MAX_GRACE_MS).optional(),
});

/** What a stop tells of an agent's output: so many lines from its end, and no more than so many characters. */
const TAIL_LINES = 20;
const TAIL_CHARS = 2000;

/** `POST /spawn`, `/stop`, `/cleanup`, `/nudge`: with the shell token. */
export function controlRoutes(app: FastifyInstance, deps: AppDeps): void {
  const options = { onRequest: deps.auth.shell };
  app.post('/spawn', options, ({ body }): Promise<SpawnReply> => deps.spawn(parse(Spawn, body)));
  app.post('/stop', options, ({ body }) => stop(deps, body));
  app.post('/cleanup', options, ({ body }): Promise<CleanupReply> =>
    deps.cleanup(parse(CleanupRequest, body)),
  );
  app.post('/gc', options, ({ body }): Promise<GcReply> => deps.gc(parse(GcRequest, body)));
  app.post('/nudge', options, ({ body }) => nudge(deps, body));
}

async function stop({ table, store, nudges }: AppDeps, body: unknown): Promise<StopReply> {
  const { process_id, grace_ms, reason, pause } = parse(Stop, body);
  if (pause !== undefined) {
    const known = store.processes.get(process_id);
    if (known === undefined) throw new ShellError('PROCESS_UNKNOWN', { process_id });
    // In the store: a shell that is started before the next heartbeat still says it.
    await store.processes.pause(process_id, pause);
    return { ok: true, exit: known.exit, wip_ref: null };
  }
  const ended = await table.stop(process_id, grace_ms ?? DEFAULT_GRACE_MS, reason);
  const row = store.processes.get(process_id);
  // What was said to the one that is gone would puzzle its successor.
  if (row !== undefined) nudges.take(row.sprint_id, row.agent_id);
  const tail = row === undefined ? '' : lastLines(row.log_file, TAIL_LINES).slice(-TAIL_CHARS);
  return { ok: true, ...ended, tail };
}

function nudge({ store, nudges }: AppDeps, body: unknown): NudgeReply {
  const { sprint_id, agent_id, message } = parse(NudgeRequest, body);
  const known = store.processes.list(sprint_id).some((row) => row.agent_id === agent_id);
  if (!known) throw new ShellError('AGENT_UNKNOWN', { sprint_id, agent_id });
  nudges.put(sprint_id, agent_id, message);
  return { ok: true };
}
