import {
  type CleanupReply,
  CleanupRequest,
  Id,
  type SpawnReply,
  SpawnRequest,
  type StopReply,
  StopRequest,
} from '@caloron/types';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

import type { AppDeps } from '../app.ts';
import { ShellError } from '../errors.ts';
import { parse } from '../parse.ts';

/** How long a stopped agent may take to end by itself, in milliseconds; the harness gives its CLI 5 s of it. */
const DEFAULT_GRACE_MS = 10_000;

/** `POST /nudge`: a message the agent gets with its next heartbeat. */
const NudgeRequest = z.strictObject({ sprint_id: Id, agent_id: Id, message: z.string().min(1).max(20_000) });

/** `POST /spawn`, `/stop`, `/cleanup`, `/nudge`: with the shell token. */
export function controlRoutes(app: FastifyInstance, deps: AppDeps): void {
  const options = { onRequest: deps.auth.shell };
  app.post('/spawn', options, ({ body }): Promise<SpawnReply> => deps.spawn(parse(SpawnRequest, body)));
  app.post('/stop', options, ({ body }) => stop(deps, body));
  app.post('/cleanup', options, ({ body }): Promise<CleanupReply> =>
    deps.cleanup(parse(CleanupRequest, body)),
  );
  app.post('/nudge', options, ({ body }) => nudge(deps, body));
}

async function stop({ table }: AppDeps, body: unknown): Promise<StopReply> {
  const { process_id, grace_ms } = parse(StopRequest, body);
  return { ok: true, ...(await table.stop(process_id, grace_ms ?? DEFAULT_GRACE_MS)) };
}

function nudge({ store, nudges }: AppDeps, body: unknown): { ok: true } {
  const { sprint_id, agent_id, message } = parse(NudgeRequest, body);
  const known = store.processes.list(sprint_id).some((row) => row.agent_id === agent_id);
  if (!known) throw new ShellError('AGENT_UNKNOWN', { sprint_id, agent_id });
  nudges.put(sprint_id, agent_id, message);
  return { ok: true };
}
