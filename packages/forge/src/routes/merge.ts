import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ForgeContext } from '../context.ts';
import { notFound } from '../errors.ts';
import { mergePull } from '../merging.ts';
import { accessOf, bodyOf, pullOf, writeAccess } from '../request.ts';

const Wanted = z.object({
  merge_method: z.enum(['merge', 'squash', 'rebase']).default('merge'),
  sha: z.string().optional(),
  commit_title: z.string().max(500).optional(),
  commit_message: z.string().max(65_536).optional(),
});

/** Merging, and asking whether it is done. */
export function mergeRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const path = '/repos/:owner/:repo/pulls/:number/merge';

  app.put(path, async (request) => {
    const { repo, permission, viewer } = writeAccess(ctx, request, 'push');
    const pull = pullOf(ctx, request, { repo, permission });
    const wanted = bodyOf(request, Wanted, 'PullRequest');
    const sha = await mergePull(ctx, { repo, actor: viewer }, pull.id, {
      method: wanted.merge_method,
      sha: wanted.sha,
      title: wanted.commit_title,
      message: wanted.commit_message,
    });
    return { sha, merged: true, message: 'Pull Request successfully merged' };
  });

  app.get(path, async (request, reply) => {
    const access = accessOf(ctx, request);
    if (pullOf(ctx, request, access).merged_ms === null) throw notFound();
    return reply.code(204).send();
  });
}
