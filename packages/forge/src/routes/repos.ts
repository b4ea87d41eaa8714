import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireViewer } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { notFound, refused } from '../errors.ts';
import { commitReadme, initRepository } from '../git/init.ts';
import { branches, branchSha, isRefName, setHead } from '../git/refs.ts';
import { signatureOf } from '../merging.ts';
import {
  allRepos,
  insertRepo,
  markMade,
  type Permission,
  permissionOf,
  removeCollaborator,
  repoByName,
  RepoName,
  setCollaborator,
  type Repo,
} from '../model/repos.ts';
import { saveTip } from '../model/tips.ts';
import { userByLogin, type User } from '../model/users.ts';
import { accessOf, bodyOf, pageOf, sendPage, writeAccess } from '../request.ts';
import { permissionsJson, repoJson, userJson } from '../wire/repo.ts';

const NewRepo = z.object({
  name: RepoName,
  private: z.boolean().default(false),
  description: z.string().max(350).nullish(),
  default_branch: z.string().refine(isRefName, 'not a branch name').default('main'),
  auto_init: z.boolean().default(false),
});

/** Older and newer words for a permission. */
const Granted = z
  .enum(['pull', 'read', 'triage', 'push', 'write', 'maintain', 'admin'])
  .default('push')
  .transform((word): Permission => (word === 'read' ? 'pull' : word === 'write' ? 'push' : word));

const ChangedRepo = z.object({
  description: z.string().max(350).nullish(),
  private: z.boolean().optional(),
  default_branch: z.string().refine(isRefName, 'not a branch name').optional(),
});

/** Repositories and who works in them. */
export function repoRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.post('/user/repos', async (request, reply) => {
    const viewer = requireViewer(request);
    const repo = await createRepo(ctx, viewer, bodyOf(request, NewRepo, 'Repository'));
    return reply.code(201).send(repoJson(ctx, repo, 'admin'));
  });

  app.get('/user/repos', async (request, reply) => {
    const viewer = requireViewer(request);
    const page = pageOf(request);
    const own = allRepos(ctx.sql)
      .map((repo) => ({ repo, permission: permissionOf(ctx.sql, repo, viewer) }))
      .filter(
        ({ repo, permission }) =>
          repo.owner_id === viewer.id || (permission !== null && permission !== 'pull'),
      );
    const items = own
      .slice(page.offset, page.offset + page.limit)
      .map(({ repo, permission }) => repoJson(ctx, repo, permission));
    return sendPage(ctx, request, reply, page, { items, total: own.length });
  });

  app.get('/repos/:owner/:repo', async (request) => {
    const { repo, permission } = accessOf(ctx, request);
    return repoJson(ctx, repo, request.viewer === null ? null : permission);
  });

  app.patch('/repos/:owner/:repo', async (request) => {
    const { repo, permission } = writeAccess(ctx, request, 'admin');
    const change = bodyOf(request, ChangedRepo, 'Repository');
    const description = change.description === undefined ? repo.description : change.description;
    const hidden = change.private ?? repo.private === 1;
    if (change.default_branch !== undefined) await setDefaultBranch(ctx, repo, change.default_branch);
    await ctx.sql.write(() => {
      const text = 'UPDATE repos SET description = ?, private = ?, updated_ms = ? WHERE id = ?';
      ctx.sql.run(text, description, hidden ? 1 : 0, ctx.stamp(), repo.id);
    });
    return repoJson(ctx, accessOf(ctx, request).repo, permission);
  });

  collaboratorRoutes(app, ctx);
}

/** Throws LOCAL_FORGE_REFUSED for a branch that is not there. */
async function setDefaultBranch(ctx: ForgeContext, repo: Repo, branch: string): Promise<void> {
  await ctx.alone(repo, async () => {
    if ((await branchSha(ctx.gitDir(repo), branch)) === undefined) {
      const message = `The branch ${branch} was not found. Please push that ref first or create it via the Git Data API.`;
      throw refused({ resource: 'Repository', field: 'default_branch', code: 'custom', message });
    }
    await setHead(ctx.gitDir(repo), branch);
    const text = 'UPDATE repos SET default_branch = ? WHERE id = ?';
    await ctx.sql.write(() => ctx.sql.run(text, branch, repo.id));
  });
}

/** The row and the bare repository. The directory is made inside the queue of the new id; a crash before it is healed at the next start. */
async function createRepo(ctx: ForgeContext, owner: User, wanted: z.infer<typeof NewRepo>): Promise<Repo> {
  const repo = await ctx.sql.write(() => {
    if (repoByName(ctx.sql, owner.login, wanted.name) !== undefined) {
      const message = 'name already exists on this account';
      throw refused({ resource: 'Repository', field: 'name', code: 'custom', message });
    }
    return insertRepo(ctx.sql, {
      owner_id: owner.id,
      name: wanted.name,
      private: wanted.private,
      description: wanted.description ?? null,
      default_branch: wanted.default_branch,
      at_ms: ctx.stamp(),
    });
  });
  await ctx.alone(repo, async () => {
    await initRepository(ctx.gitDir(repo), repo.default_branch);
    if (wanted.auto_init) {
      const text = `# ${repo.name}\n${repo.description === null ? '' : `${repo.description}\n`}`;
      await commitReadme(ctx.gitDir(repo), {
        branch: repo.default_branch,
        text,
        by: signatureOf(ctx, owner),
      });
    }
    const tips = await branches(ctx.gitDir(repo));
    await ctx.sql.write(() => {
      markMade(ctx.sql, repo.id);
      for (const [branch, sha] of tips) saveTip(ctx.sql, repo.id, branch, sha);
    });
  });
  return repo;
}

function collaboratorRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const path = '/repos/:owner/:repo/collaborators/:login';

  app.put(path, async (request, reply) => {
    const { repo } = writeAccess(ctx, request, 'admin');
    const user = namedUser(ctx, request);
    const { permission } = bodyOf(request, z.object({ permission: Granted }), 'Collaborator');
    await ctx.sql.write(() => setCollaborator(ctx.sql, repo, user, permission));
    return reply.code(204).send();
  });

  app.delete(path, async (request, reply) => {
    const { repo } = writeAccess(ctx, request, 'admin');
    const user = namedUser(ctx, request);
    await ctx.sql.write(() => removeCollaborator(ctx.sql, repo, user));
    return reply.code(204).send();
  });

  app.get(path, async (request, reply) => {
    const { repo } = writeAccess(ctx, request, 'push');
    const permission = permissionOf(ctx.sql, repo, namedUser(ctx, request));
    if (permission === null || permission === 'pull') throw notFound();
    return reply.code(204).send();
  });

  app.get(`${path}/permission`, async (request) => {
    const { repo } = writeAccess(ctx, request, 'push');
    const user = namedUser(ctx, request);
    const permission = permissionOf(ctx.sql, repo, user);
    const word = { pull: 'read', triage: 'read', push: 'write', maintain: 'write', admin: 'admin' } as const;
    return {
      permission: permission === null ? 'none' : word[permission],
      role_name: permission ?? 'none',
      user: { ...userJson(ctx, user), permissions: permission === null ? {} : permissionsJson(permission) },
    };
  });
}

function namedUser(ctx: ForgeContext, request: FastifyRequest): User {
  const { login } = z.object({ login: z.string() }).parse(request.params);
  const user = userByLogin(ctx.sql, login);
  if (user === undefined) throw notFound();
  return user;
}
