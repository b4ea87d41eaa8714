import Fastify, { type FastifyInstance } from 'fastify';

import { SchedulerError } from './errors.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';
import type { Scheduler } from './scheduler.ts';

/** The scheduler's port: `GET /health`, `GET /jobs`, `GET /metrics` where there are any, and what else is given to it. */
export interface SchedulerServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Where it listens and what it tells of itself. */
export interface ServerFacts {
  readonly db_id: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Address to listen on; 127.0.0.1 when absent. */
  readonly host?: string;
  /** How the scheduler is; that it answers when absent. */
  readonly health?: () => Promise<Health>;
  readonly metrics?: Pick<Metrics, 'text' | 'content_type'>;
}

/** A request that takes longer to arrive is given up, so that none is held open. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Listens. `add` registers further routes before. Throws SCHEDULER_PORT_IN_USE or SCHEDULER_HOST_INVALID. */
export async function startServer(
  scheduler: Pick<Scheduler, 'jobs'>,
  { db_id, port, host = '127.0.0.1', health, metrics }: ServerFacts,
  add?: (app: FastifyInstance) => void,
): Promise<SchedulerServer> {
  const app = Fastify({ requestTimeout: REQUEST_TIMEOUT_MS });
  app.get('/health', async (_request, reply) => {
    const said = (await health?.()) ?? { ok: true, db_id };
    return reply.status(said.ok ? 200 : 503).send(said);
  });
  app.get('/jobs', () => ({ jobs: scheduler.jobs() }));
  if (metrics !== undefined)
    app.get('/metrics', async (_request, reply) =>
      reply.type(metrics.content_type).send(await metrics.text()),
    );
  add?.(app);
  try {
    return { url: await app.listen({ host, port }), close: () => app.close() };
  } catch (error) {
    await app.close();
    throw listenError(error, port, host);
  }
}

function listenError(error: unknown, port: number, host: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    const hint = `find it: ss -ltnp 'sport = :${port}', or take a free port: --port 0`;
    return new SchedulerError('SCHEDULER_PORT_IN_USE', { port, host }, { cause: error, hint });
  }
  if (code !== 'EADDRNOTAVAIL' && code !== 'ENOTFOUND' && code !== 'EAI_AGAIN') return error;
  const reason = 'it is no address of this machine';
  return new SchedulerError('SCHEDULER_HOST_INVALID', { host, reason }, { cause: error });
}
