import Fastify from 'fastify';

import { SchedulerError } from './errors.ts';
import type { Scheduler } from './scheduler.ts';

/** The scheduler's loopback port: `GET /health`, `GET /jobs`. */
export interface SchedulerServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1; port 0 takes a free one. Throws SCHEDULER_PORT_IN_USE. */
export async function startServer(
  scheduler: Pick<Scheduler, 'jobs'>,
  facts: { readonly db_id: string; readonly port: number },
): Promise<SchedulerServer> {
  const app = Fastify();
  app.get('/health', () => ({ ok: true, db_id: facts.db_id }));
  app.get('/jobs', () => ({ jobs: scheduler.jobs() }));
  try {
    return { url: await app.listen({ host: '127.0.0.1', port: facts.port }), close: () => app.close() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new SchedulerError(
      'SCHEDULER_PORT_IN_USE',
      { port: facts.port },
      { cause: error, hint: `find it: ss -ltnp 'sport = :${facts.port}', or take a free port: --port 0` },
    );
  }
}
