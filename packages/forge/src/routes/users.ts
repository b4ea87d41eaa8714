import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { requireViewer } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { notFound } from '../errors.ts';
import { userByLogin } from '../model/users.ts';
import { userJson } from '../wire/repo.ts';

/** `GET /user`, `GET /users/:login`, `GET /rate_limit`. */
export function userRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/user', async (request) => userJson(ctx, requireViewer(request)));

  app.get('/users/:login', async (request) => {
    const { login } = z.object({ login: z.string() }).parse(request.params);
    const user = userByLogin(ctx.sql, login);
    if (user === undefined) throw notFound();
    return userJson(ctx, user);
  });

  app.get('/rate_limit', async (request) => {
    const { limit, used, remaining, reset_at } = ctx.limits.look(request.viewer?.login ?? '(anonymous)');
    const core = { limit, used, remaining, reset: reset_at };
    return { resources: { core }, rate: core };
  });
}
