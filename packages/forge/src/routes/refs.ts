import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { need } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, notFound } from '../errors.ts';
import { listCommits } from '../git/history.ts';
import { branches, branchSha, isRefName, moveRef, NO_SHA, refsUnder, resolveCommit } from '../git/refs.ts';
import { protectionOf } from '../model/protection.ts';
import type { Repo } from '../model/repos.ts';
import { binds } from '../protection.ts';
import { accessOf, bodyOf, pageOf, restOf, sendPage, writeAccess } from '../request.ts';
import { afterPush } from '../sync.ts';
import { commitJson } from '../wire/pull.ts';
import { repoUrl } from '../wire/repo.ts';
import { nodeId } from '../wire/time.ts';

function refJson(ctx: ForgeContext, repo: Repo, found: { ref: string; sha: string; type: string }) {
  const url = `${repoUrl(ctx, repo)}/git`;
  return {
    ref: found.ref,
    node_id: nodeId('REF', `${repo.id}:${found.ref}`),
    url: `${url}/${found.ref}`,
    object: { sha: found.sha, type: found.type, url: `${url}/${found.type}s/${found.sha}` },
  };
}

function refusal(reason: string): LocalForgeError<'LOCAL_FORGE_REFUSED'> {
  return new LocalForgeError('LOCAL_FORGE_REFUSED', { reason });
}

/** Branches and refs. */
export function refRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  branchRoutes(app, ctx);

  app.get('/repos/:owner/:repo/git/ref/*', async (request) => {
    const { repo } = accessOf(ctx, request);
    const wanted = `refs/${restOf(request)}`;
    const found = (await refsUnder(ctx.gitDir(repo), wanted)).find(({ ref }) => ref === wanted);
    if (found === undefined) throw notFound();
    return refJson(ctx, repo, found);
  });

  app.get('/repos/:owner/:repo/git/matching-refs/*', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const found = await refsUnder(ctx.gitDir(repo), `refs/${restOf(request)}`);
    const items = found.slice(page.offset, page.offset + page.limit).map((ref) => refJson(ctx, repo, ref));
    return sendPage(ctx, request, reply, page, { items, total: found.length });
  });

  app.get('/repos/:owner/:repo/git/refs', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const found = await refsUnder(ctx.gitDir(repo), 'refs/');
    const items = found.slice(page.offset, page.offset + page.limit).map((ref) => refJson(ctx, repo, ref));
    return sendPage(ctx, request, reply, page, { items, total: found.length });
  });

  app.post('/repos/:owner/:repo/git/refs', async (request, reply) => {
    const { repo, viewer } = writeAccess(ctx, request, 'push');
    const wanted = bodyOf(request, z.object({ ref: z.string(), sha: z.string() }), 'Reference');
    if (!/^refs\/(?:heads|tags)\//.test(wanted.ref) || !isRefName(wanted.ref)) {
      throw refusal('Reference name must begin with refs/heads/ or refs/tags/ and be a name git accepts');
    }
    const sha = /^[0-9a-f]{40}$/.test(wanted.sha)
      ? await resolveCommit(ctx.gitDir(repo), wanted.sha)
      : undefined;
    if (sha === undefined) throw refusal('Object does not exist');
    const made = await ctx.alone(repo, async () => {
      const moved = await moveRef(ctx.gitDir(repo), wanted.ref, sha, NO_SHA);
      if (moved) await afterPush(ctx, repo, viewer);
      return moved;
    });
    if (!made) throw refusal('Reference already exists');
    return reply.code(201).send(refJson(ctx, repo, { ref: wanted.ref, sha, type: 'commit' }));
  });

  // Clients write the slash after "heads" as %2F, so it is no part of the route.
  app.delete('/repos/:owner/:repo/git/refs/*', async (request, reply) => {
    const access = writeAccess(ctx, request, 'push');
    const ref = restOf(request);
    if (!ref.startsWith('heads/')) throw refusal('Only branches can be deleted');
    const branch = ref.slice('heads/'.length);
    const { repo, viewer } = access;
    if (branch === repo.default_branch) {
      need(access, 'admin');
      throw refusal('Cannot delete the default branch');
    }
    const rules = protectionOf(ctx.sql, repo.id, branch);
    if (rules !== undefined && !rules.allow_deletions && binds(rules, access.permission))
      throw refusal('Cannot delete this protected branch');
    await ctx.alone(repo, async () => {
      const git_dir = ctx.gitDir(repo);
      const sha = await branchSha(git_dir, branch);
      if (sha === undefined) throw refusal('Reference does not exist');
      if (!(await moveRef(git_dir, `refs/heads/${branch}`, NO_SHA, sha)))
        throw refusal('Reference was modified');
      await afterPush(ctx, repo, viewer);
    });
    return reply.code(204).send();
  });
}

function branchRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const short = (repo: Repo, name: string, sha: string) => ({
    name,
    commit: { sha, url: `${repoUrl(ctx, repo)}/commits/${sha}` },
    protected: protectionOf(ctx.sql, repo.id, name) !== undefined,
  });

  app.get('/repos/:owner/:repo/branches', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const found = [...(await branches(ctx.gitDir(repo)))];
    const items = found
      .slice(page.offset, page.offset + page.limit)
      .map(([name, sha]) => short(repo, name, sha));
    return sendPage(ctx, request, reply, page, { items, total: found.length });
  });

  app.get('/repos/:owner/:repo/branches/*', async (request) => {
    const { repo } = accessOf(ctx, request);
    const name = restOf(request);
    const git_dir = ctx.gitDir(repo);
    const sha = await branchSha(git_dir, name);
    if (sha === undefined) throw notFound('Branch not found');
    const [commit] = await listCommits(git_dir, sha, { limit: 1, offset: 0 });
    if (commit === undefined) throw notFound('Branch not found');
    return { ...short(repo, name, sha), commit: commitJson(ctx, repo, commit) };
  });
}
