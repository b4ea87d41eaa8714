import { type HealthReply, Id, type StatusReply } from '@caloron/types';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

import type { AppDeps } from '../app.ts';
import { ShellError } from '../errors.ts';
import { lastLines } from '../log-tail.ts';
import { parse } from '../parse.ts';
import { agentFiles } from '../paths.ts';

const LogsParams = z.object({ agent_id: Id });

/** `tail` is a number of lines; `sprint_id` narrows an agent that worked in several. */
const LogsQuery = z.strictObject({
  tail: z.coerce.number().int().min(1).max(10_000).default(200),
  sprint_id: Id.optional(),
});

/** `GET /status`, `/agents/:agent_id/logs` with the shell token; `GET /health` open. */
export function viewRoutes(app: FastifyInstance, deps: AppDeps): void {
  const { auth, paths, store, table } = deps;

  app.get('/health', (): HealthReply => ({ ok: true, db_id: store.db_id, version: deps.version }));

  app.get('/status', { onRequest: auth.shell }, (): StatusReply => {
    const agents = store.processes.agents().map((agent) => {
      const row = store.processes.get(agent.process_id);
      // A row that is being started has no pid to look at yet: the store's word counts.
      const alive = row === undefined || row.pid === null ? agent.alive : table.alive(row);
      return { ...agent, alive, last_heartbeat: agent.last_heartbeat_at };
    });
    return { agents, listening_since: deps.listening.since() };
  });

  app.get('/agents/:agent_id/logs', { onRequest: auth.shell }, async (request, reply) => {
    const { agent_id } = parse(LogsParams, request.params);
    const { tail, sprint_id } = parse(LogsQuery, request.query);
    const row = store.processes.list(sprint_id).findLast((each) => each.agent_id === agent_id);
    if (row === undefined) throw new ShellError('AGENT_UNKNOWN', { sprint_id: sprint_id ?? null, agent_id });
    // Before the agent's CLI says anything only the harness has spoken.
    const text =
      lastLines(row.log_file, tail) || lastLines(agentFiles(paths, row.process_id).harness_log, tail);
    return reply.type('text/plain; charset=utf-8').send(text);
  });
}
