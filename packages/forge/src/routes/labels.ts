import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, notFound, refused } from '../errors.ts';
import { addLabels, removeLabels, replaceLabels } from '../issue-changes.ts';
import {
  countLabels,
  deleteLabel,
  insertLabel,
  labelByName,
  labelsOfIssue,
  labelsOfRepo,
  updateLabel,
  type Label,
} from '../model/labels.ts';
import type { Repo } from '../model/repos.ts';
import { accessOf, bodyOf, issueOf, pageOf, sendPage, writeAccess } from '../request.ts';
import { labelJson } from '../wire/repo.ts';

const Name = z.string().trim().min(1).max(50);
const Color = z
  .string()
  .regex(/^#?[0-9a-fA-F]{6}$/)
  .transform((color) => color.replace('#', '').toLowerCase());
const Description = z.string().max(100).nullish();

const NewLabel = z.object({ name: Name, color: Color.optional(), description: Description });
const ChangedLabel = z.object({
  new_name: Name.optional(),
  color: Color.optional(),
  description: Description,
});

/** Label names as GitHub takes them: texts or objects with a name. */
export const LabelNames = z.array(z.union([Name, z.object({ name: Name }).transform(({ name }) => name)]));

/** `{labels: [...]}` or the bare list. */
const Wanted = z.union([LabelNames, z.object({ labels: LabelNames }).transform(({ labels }) => labels)]);

/** Labels of a repository and of its issues. */
export function labelRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/repos/:owner/:repo/labels', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const items = labelsOfRepo(ctx.sql, repo.id, page).map((label) => labelJson(ctx, repo, label));
    return sendPage(ctx, request, reply, page, { items, total: countLabels(ctx.sql, repo.id) });
  });

  app.post('/repos/:owner/:repo/labels', async (request, reply) => {
    const { repo } = writeAccess(ctx, request, 'push');
    const wanted = bodyOf(request, NewLabel, 'Label');
    const label = await ctx.sql.write(() => {
      refuseTaken(ctx, repo, wanted.name);
      return insertLabel(ctx.sql, repo.id, wanted);
    });
    return reply.code(201).send(labelJson(ctx, repo, label));
  });

  app.get('/repos/:owner/:repo/labels/:name', async (request) => {
    const { repo } = accessOf(ctx, request);
    return labelJson(ctx, repo, namedLabel(ctx, request, repo));
  });

  app.patch('/repos/:owner/:repo/labels/:name', async (request) => {
    const { repo } = writeAccess(ctx, request, 'push');
    const label = namedLabel(ctx, request, repo);
    const change = bodyOf(request, ChangedLabel, 'Label');
    const changed = {
      id: label.id,
      name: change.new_name ?? label.name,
      color: change.color ?? label.color,
      description: change.description === undefined ? label.description : change.description,
    };
    await ctx.sql.write(() => {
      if (changed.name.toLowerCase() !== label.name.toLowerCase()) refuseTaken(ctx, repo, changed.name);
      updateLabel(ctx.sql, changed);
    });
    return labelJson(ctx, repo, changed);
  });

  app.delete('/repos/:owner/:repo/labels/:name', async (request, reply) => {
    const { repo } = writeAccess(ctx, request, 'push');
    const label = namedLabel(ctx, request, repo);
    await ctx.sql.write(() => deleteLabel(ctx.sql, label));
    return reply.code(204).send();
  });

  issueLabelRoutes(app, ctx);
}

function refuseTaken(ctx: ForgeContext, repo: Repo, name: string): void {
  if (labelByName(ctx.sql, repo.id, name) === undefined) return;
  throw refused({ resource: 'Label', field: 'name', code: 'already_exists' });
}

function nameOf(request: FastifyRequest): string {
  return z.object({ name: z.string() }).parse(request.params).name;
}

function namedLabel(ctx: ForgeContext, request: FastifyRequest, repo: Repo): Label {
  const label = labelByName(ctx.sql, repo.id, nameOf(request));
  if (label === undefined) throw notFound();
  return label;
}

function issueLabelRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const path = '/repos/:owner/:repo/issues/:number/labels';
  const shown = (repo: Repo, issue: { readonly id: number }) =>
    labelsOfIssue(ctx.sql, issue.id).map((label) => labelJson(ctx, repo, label));

  app.get(path, async (request, reply) => {
    const access = accessOf(ctx, request);
    const page = pageOf(request);
    const all = shown(access.repo, issueOf(ctx, request, access));
    const items = all.slice(page.offset, page.offset + page.limit);
    return sendPage(ctx, request, reply, page, { items, total: all.length });
  });

  app.post(path, async (request) => {
    const access = writeAccess(ctx, request, 'triage');
    const of = { repo: access.repo, issue: issueOf(ctx, request, access), actor: access.viewer };
    const names = bodyOf(request, Wanted, 'Issue');
    await ctx.sql.write(() => addLabels(ctx, of, names));
    return shown(access.repo, of.issue);
  });

  app.put(path, async (request) => {
    const access = writeAccess(ctx, request, 'triage');
    const of = { repo: access.repo, issue: issueOf(ctx, request, access), actor: access.viewer };
    const names = bodyOf(request, Wanted, 'Issue');
    await ctx.sql.write(() => replaceLabels(ctx, of, names));
    return shown(access.repo, of.issue);
  });

  app.delete(path, async (request, reply) => {
    const access = writeAccess(ctx, request, 'triage');
    const of = { repo: access.repo, issue: issueOf(ctx, request, access), actor: access.viewer };
    await ctx.sql.write(() => replaceLabels(ctx, of, []));
    return reply.code(204).send();
  });

  app.delete(`${path}/:name`, async (request) => {
    const access = writeAccess(ctx, request, 'triage');
    const of = { repo: access.repo, issue: issueOf(ctx, request, access), actor: access.viewer };
    const missing = await ctx.sql.write(() => removeLabels(ctx, of, [nameOf(request)]));
    if (missing.length > 0)
      throw new LocalForgeError('LOCAL_FORGE_NOT_FOUND', { reason: 'Label does not exist' });
    return shown(access.repo, of.issue);
  });
}
