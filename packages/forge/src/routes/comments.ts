import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { announceComment } from '../announce.ts';
import { need, type Access } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { notFound } from '../errors.ts';
import {
  commentById,
  deleteComment,
  insertComment,
  listComments,
  updateComment,
  type Comment,
} from '../model/comments.ts';
import { touchIssue } from '../model/issues.ts';
import type { User } from '../model/users.ts';
import {
  accessOf,
  Body,
  bodyOf,
  idOf,
  issueOf,
  pageOf,
  queryOf,
  sendPage,
  Since,
  writeAccess,
} from '../request.ts';
import { commentJson } from '../wire/issue.ts';

const Text = z.object({ body: Body.refine((text) => text.trim() !== '', 'Body cannot be blank') });

const CommentQuery = z.object({
  since: Since,
  sort: z.enum(['created', 'updated']).default('created'),
  direction: z.enum(['asc', 'desc']).default('asc'),
});

/** Comments on issues and pull requests. */
export function commentRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  listRoutes(app, ctx);

  app.post('/repos/:owner/:repo/issues/:number/comments', async (request, reply) => {
    const access = writeAccess(ctx, request, 'pull');
    const issue = issueOf(ctx, request, access);
    const { body } = bodyOf(request, Text, 'IssueComment');
    const id = await ctx.sql.write(() => {
      const at_ms = ctx.stamp();
      const made = { repo_id: access.repo.id, issue_id: issue.id, author_id: access.viewer.id, body, at_ms };
      touchIssue(ctx.sql, issue.id, at_ms);
      const comment_id = insertComment(ctx.sql, made);
      announceComment(ctx, { repo: access.repo, actor: access.viewer, comment_id }, 'created');
      return comment_id;
    });
    return reply.code(201).send(commentJson(ctx, access.repo, known(ctx, access, id)));
  });

  app.get('/repos/:owner/:repo/issues/comments/:id', async (request) => {
    const access = accessOf(ctx, request);
    return commentJson(ctx, access.repo, known(ctx, access, idOf(request)));
  });

  app.patch('/repos/:owner/:repo/issues/comments/:id', async (request) => {
    const { access, comment } = ownComment(ctx, request);
    const { body } = bodyOf(request, Text, 'IssueComment');
    await ctx.sql.write(() => {
      const at_ms = ctx.stamp();
      updateComment(ctx.sql, comment.id, body, at_ms);
      touchIssue(ctx.sql, comment.issue_id, at_ms);
      const of = { repo: access.repo, actor: access.viewer, comment_id: comment.id };
      announceComment(ctx, of, 'edited', { changes: { body: { from: comment.body } } });
    });
    return commentJson(ctx, access.repo, known(ctx, access, comment.id));
  });

  app.delete('/repos/:owner/:repo/issues/comments/:id', async (request, reply) => {
    const { access, comment } = ownComment(ctx, request);
    await ctx.sql.write(() => {
      const of = { repo: access.repo, actor: access.viewer, comment_id: comment.id };
      announceComment(ctx, of, 'deleted');
      deleteComment(ctx.sql, comment.id);
      touchIssue(ctx.sql, comment.issue_id, ctx.stamp());
    });
    return reply.code(204).send();
  });
}

function known(ctx: ForgeContext, access: Access, id: number): Comment {
  const comment = commentById(ctx.sql, access.repo.id, id);
  if (comment === undefined) throw notFound();
  return comment;
}

/** A comment the viewer may change: their own, or any with push permission. */
function ownComment(
  ctx: ForgeContext,
  request: FastifyRequest,
): { access: Access & { readonly viewer: User }; comment: Comment } {
  const access = writeAccess(ctx, request, 'pull');
  const comment = known(ctx, access, idOf(request));
  if (comment.author_id !== access.viewer.id) need(access, 'push');
  return { access, comment };
}

function listRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/repos/:owner/:repo/issues/comments', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const { since, ...order } = queryOf(request, CommentQuery, 'IssueComment');
    const query = { repo_id: repo.id, issue_id: null, since_ms: since, ...order };
    const { items, total } = listComments(ctx.sql, query, page);
    const shown = items.map((comment) => commentJson(ctx, repo, comment));
    return sendPage(ctx, request, reply, page, { items: shown, total });
  });

  app.get('/repos/:owner/:repo/issues/:number/comments', async (request, reply) => {
    const access = accessOf(ctx, request);
    const issue = issueOf(ctx, request, access);
    const page = pageOf(request);
    const { since } = queryOf(request, CommentQuery, 'IssueComment');
    const order = { sort: 'created', direction: 'asc' } as const;
    const query = { repo_id: access.repo.id, issue_id: issue.id, since_ms: since, ...order };
    const { items, total } = listComments(ctx.sql, query, page);
    const shown = items.map((comment) => commentJson(ctx, access.repo, comment));
    return sendPage(ctx, request, reply, page, { items: shown, total });
  });
}
