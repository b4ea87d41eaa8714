import type { Store } from '@caloron/store';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';

import { SchedulerError } from './errors.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';
import type { Scheduler } from './scheduler.ts';

/** The scheduler's port: `GET /health`, `GET /jobs`, `GET /slots` and `GET /metrics` where there are any, and what else is given to it. */
export interface SchedulerServer {
  readonly url: string;
  /** Takes no more requests; those that are not answered within a second are cut off. */
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
  /** What became of slots. */
  readonly slots?: Pick<Store['slots'], 'list'>;
}

/** A request that takes longer to arrive is given up, so that none is held open. */
const REQUEST_TIMEOUT_MS = 60_000;

/** The end of a process does not wait longer for those who ask it. */
const CLOSE_GRACE_MS = 1_000;

/** Slots that are told at once, unless asked for others. */
const SLOTS = 20;
const MOST_SLOTS = 1_000;

const LIMIT = `expected a whole number from 1 to ${MOST_SLOTS}`;
const SlotsQuery = z.strictObject({
  job: z.string({ error: 'expected one name' }).optional(),
  limit: z.coerce.number(LIMIT).int(LIMIT).min(1, LIMIT).max(MOST_SLOTS, LIMIT).default(SLOTS),
});

/** Which slots are asked for. Throws SCHEDULER_QUERY_INVALID. */
function slotsQuery(query: unknown): { readonly job?: string; readonly limit: number } {
  const { success, data, error } = SlotsQuery.safeParse(query);
  if (success) return { limit: data.limit, ...(data.job !== undefined && { job: data.job }) };
  const [issue] = error.issues;
  const name = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path[0];
  const reason = issue?.code === 'unrecognized_keys' ? 'there are job and limit' : (issue?.message ?? '');
  throw new SchedulerError('SCHEDULER_QUERY_INVALID', { name: String(name), reason });
}

/** Listens. `add` registers further routes before. Throws SCHEDULER_PORT_IN_USE or SCHEDULER_HOST_INVALID. */
export async function startServer(
  scheduler: Pick<Scheduler, 'jobs'>,
  { db_id, port, host = '127.0.0.1', health, metrics, slots }: ServerFacts,
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
  if (slots !== undefined)
    app.get('/slots', (request, reply) => {
      try {
        return { slots: slots.list(slotsQuery(request.query)) };
      } catch (error) {
        if (!(error instanceof SchedulerError)) throw error;
        return reply.status(400).send({ ok: false, code: error.code, error: error.message });
      }
    });
  add?.(app);
  try {
    const url = await app.listen({ host, port });
    return {
      url,
      close: async () => {
        const late = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
        await app.close();
        clearTimeout(late);
      },
    };
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
