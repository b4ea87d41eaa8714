import type { Logger } from '@caloron/capabilities/logger';
import type { Store } from '@caloron/store';
import type { Clock } from '@caloron/types';
import fastify, { type FastifyInstance } from 'fastify';

import type { Auth } from './auth.ts';
import type { Cleanup } from './cleanup.ts';
import type { Gc } from './gc.ts';
import type { Credentials } from './credentials.ts';
import { ShellError } from './errors.ts';
import type { Listening } from './listening.ts';
import type { Nudges } from './nudges.ts';
import type { ShellPaths } from './paths.ts';
import type { ProcessTable } from './process-table.ts';
import { BODY_LIMIT, refuse, refuseBytes } from './refusal.ts';
import { agentRoutes } from './routes/agent.ts';
import { controlRoutes } from './routes/control.ts';
import { viewRoutes } from './routes/view.ts';
import type { Spawner } from './spawner.ts';

/** What the routes are made of. */
export interface AppDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly paths: ShellPaths;
  readonly auth: Auth;
  readonly table: ProcessTable;
  readonly spawn: Spawner;
  readonly cleanup: Cleanup;
  readonly gc: Gc;
  readonly credentials: Credentials;
  readonly nudges: Nudges;
  readonly listening: Listening;
  readonly version: string;
}

/** The shell's HTTP server, not yet listening. */
export function createApp(deps: AppDeps): FastifyInstance {
  // Ids are in the bodies and logged where they matter; a line per heartbeat would drown them.
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: 'idle',
    // What the server refuses before there is a route is answered in the same form as everything else.
    frameworkErrors: (error, request, reply) => refuse(error, request, reply, deps.log),
    clientErrorHandler: refuseBytes,
  });
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, deps.log));
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?');
    refuse(new ShellError('ROUTE_UNKNOWN', { method: request.method, path }), request, reply, deps.log);
  });
  app.addHook('onClose', async () => deps.listening.close());
  controlRoutes(app, deps);
  agentRoutes(app, deps);
  viewRoutes(app, deps);
  return app;
}
