import type { FastifyRequest } from 'fastify';
import type { ForgeContext } from './context.ts';
import { LocalForgeError, notFound } from './errors.ts';
import { allows, permissionOf, repoByName, type Permission, type Repo } from './model/repos.ts';
import { userByToken, type User } from './model/users.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token came with the request; null for an anonymous one. */
    viewer: User | null;
  }
}

/** The token a request carries: `token X`, `Bearer X`, or the password of Basic authentication as git sends it. */
export function tokenOf(header: string | undefined): string | undefined {
  const match = /^(token|bearer|basic)\s+(\S+)\s*$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, scheme = '', value = ''] = match;
  if (scheme.toLowerCase() !== 'basic') return value;
  const text = Buffer.from(value, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}

/** Whose request it is. Throws LOCAL_FORGE_BAD_CREDENTIALS for a token nobody has. */
export function viewerOf(ctx: ForgeContext, header: string | undefined): User | null {
  if (header === undefined || header === '') return null;
  const token = tokenOf(header);
  const user = token === undefined ? undefined : userByToken(ctx.sql, token);
  if (user === undefined) throw new LocalForgeError('LOCAL_FORGE_BAD_CREDENTIALS', {});
  return user;
}

/** The user of a request that needs one. Throws LOCAL_FORGE_AUTH_REQUIRED. */
export function requireViewer(request: FastifyRequest): User {
  if (request.viewer === null) throw new LocalForgeError('LOCAL_FORGE_AUTH_REQUIRED', {});
  return request.viewer;
}

/** A repository somebody may see, and what they may do there. */
export interface Access {
  readonly repo: Repo;
  readonly permission: Permission;
}

/**
 * A repository the viewer may see. One they may not see is a 404 like one that is not there; an anonymous viewer is asked
 * for a token in both cases, so that neither tells.
 */
export function seeRepo(ctx: ForgeContext, viewer: User | null, owner: string, name: string): Access {
  const repo = repoByName(ctx.sql, owner, name);
  const permission = repo === undefined ? null : permissionOf(ctx.sql, repo, viewer);
  if (repo !== undefined && permission !== null) return { repo, permission };
  if (viewer === null) throw new LocalForgeError('LOCAL_FORGE_AUTH_REQUIRED', {});
  throw notFound();
}

/** Throws LOCAL_FORGE_FORBIDDEN when a permission is less than the needed one. */
export function need(access: Access, needed: Permission): void {
  if (allows(access.permission, needed)) return;
  const reason =
    needed === 'admin'
      ? 'Must have admin rights to Repository.'
      : `Resource not accessible: ${needed} permission on ${access.repo.owner}/${access.repo.name} is needed`;
  throw new LocalForgeError('LOCAL_FORGE_FORBIDDEN', { reason });
}
