import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { need, requireViewer, seeRepo, type Access } from './auth.ts';
import type { ForgeContext } from './context.ts';
import { LocalForgeError, notFound, refused, type FieldProblem } from './errors.ts';
import { issueByNumber, type Issue } from './model/issues.ts';
import { pullByNumber, type Pull } from './model/pulls.ts';
import type { Permission } from './model/repos.ts';
import type { User } from './model/users.ts';
import { linkHeader, Page, type PageRequest } from './pagination.ts';

const RepoParams = z.object({ owner: z.string(), repo: z.string() });
const NumberParams = z.object({ number: z.string().regex(/^\d{1,10}$/) });

/** A title: 1 to 256 characters. Source: GitHub's limit. */
export const Title = z.string().trim().min(1).max(256);
/** A body: at most 65,536 characters. Source: GitHub's limit. */
export const Body = z.string().max(65_536);

/** The body of a request in the shape a route takes. Throws LOCAL_FORGE_REFUSED with every problem. */
export function bodyOf<T>(request: FastifyRequest, shape: z.ZodType<T>, resource: string): T {
  return parsed(shape, request.body ?? {}, resource);
}

/** The query of a request in the shape a route takes. Throws LOCAL_FORGE_REFUSED with every problem. */
export function queryOf<T>(request: FastifyRequest, shape: z.ZodType<T>, resource: string): T {
  return parsed(shape, request.query, resource);
}

function parsed<T>(shape: z.ZodType<T>, value: unknown, resource: string): T {
  const result = shape.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw refused(...result.error.issues.map((issue) => problem(issue, resource)));
}

function problem(issue: z.core.$ZodIssue, resource: string): FieldProblem {
  const field = issue.path.join('.');
  const code = issue.input === undefined ? 'missing_field' : 'invalid';
  return { resource, ...(field === '' ? {} : { field }), code, message: issue.message };
}

/** The repository of a request and what its viewer may do there. */
export function accessOf(ctx: ForgeContext, request: FastifyRequest): Access {
  const { owner, repo } = RepoParams.parse(request.params);
  return seeRepo(ctx, request.viewer, owner, repo);
}

/** Like `accessOf`, for a request that changes something: it needs a user, and a permission. */
export function writeAccess(
  ctx: ForgeContext,
  request: FastifyRequest,
  needed: Permission,
): Access & { readonly viewer: User } {
  const viewer = requireViewer(request);
  const access = accessOf(ctx, request);
  need(access, needed);
  return { ...access, viewer };
}

function numberOf(request: FastifyRequest): number {
  const result = NumberParams.safeParse(request.params);
  if (!result.success) throw notFound();
  return Number(result.data.number);
}

/** The issue (or pull request) a request's `:number` names. */
export function issueOf(ctx: ForgeContext, request: FastifyRequest, access: Access): Issue {
  const issue = issueByNumber(ctx.sql, access.repo.id, numberOf(request));
  if (issue === undefined) throw notFound();
  return issue;
}

/** The pull request a request's `:number` names. */
export function pullOf(ctx: ForgeContext, request: FastifyRequest, access: Access): Pull {
  const pull = pullByNumber(ctx.sql, access.repo.id, numberOf(request));
  if (pull === undefined) throw notFound();
  return pull;
}

/** The pull request with this number. Throws LOCAL_FORGE_NOT_FOUND. */
export function pullByWord(ctx: ForgeContext, access: Access, number: string): Pull {
  const pull = /^\d{1,10}$/.test(number) ? pullByNumber(ctx.sql, access.repo.id, Number(number)) : undefined;
  if (pull === undefined) throw notFound();
  return pull;
}

/** A numeric part of the path, like `:id`. */
export function idOf(request: FastifyRequest): number {
  const result = z.object({ id: z.string().regex(/^\d{1,12}$/) }).safeParse(request.params);
  if (!result.success) throw notFound();
  return Number(result.data.id);
}

/** What stands for `*` in the path. */
export function restOf(request: FastifyRequest): string {
  return z.object({ '*': z.string() }).parse(request.params)['*'];
}

/** The page a request asks for. */
export function pageOf(request: FastifyRequest): PageRequest {
  return Page.parse(request.query);
}

/** Answers one page of a list, with the Link header that leads to the others. */
export function sendPage(
  ctx: ForgeContext,
  request: FastifyRequest,
  reply: FastifyReply,
  page: PageRequest,
  list: { readonly items: readonly unknown[]; readonly total: number },
): FastifyReply {
  const link = linkHeader(`${ctx.baseUrl()}${request.url}`, page, list.total);
  if (link !== undefined) void reply.header('link', link);
  return reply.send(list.items);
}

/** An instant of a query, in milliseconds; null when absent. */
export const Since = z
  .string()
  .optional()
  .transform((text, context) => {
    if (text === undefined || text === '') return null;
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
    context.addIssue({ code: 'custom', message: 'expected a time like 2026-04-14T08:30:00Z' });
    return z.NEVER;
  });

/** A 409 for what is there no more or never was complete. */
export function stale(reason: string): LocalForgeError<'LOCAL_FORGE_STALE'> {
  return new LocalForgeError('LOCAL_FORGE_STALE', { reason });
}
