import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { announceIssue } from '../announce.ts';
import { need, type Access } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, notFound } from '../errors.ts';
import { addLabels, changeState, changeText, replaceAssignees, replaceLabels } from '../issue-changes.ts';
import { listEvents } from '../model/events.ts';
import { insertIssue, issueById, listIssues, type Issue } from '../model/issues.ts';
import { pullById } from '../model/pulls.ts';
import { allows, type Repo } from '../model/repos.ts';
import type { User } from '../model/users.ts';
import { refuseReopen } from '../reopen.ts';
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
  Title,
  writeAccess,
} from '../request.ts';
import { timelineOf } from '../timeline.ts';
import { eventJson, issueJson } from '../wire/issue.ts';
import { LabelNames } from './labels.ts';

const Text = z.union([Title, z.number().transform(String)]);
const Logins = z.array(z.string().max(39)).max(10);

const NewIssue = z.object({
  title: Text,
  body: Body.nullish(),
  labels: LabelNames.optional(),
  assignee: z.string().nullish(),
  assignees: Logins.optional(),
});

const ChangedIssue = z.object({
  title: Text.optional(),
  body: Body.nullish(),
  state: z.enum(['open', 'closed']).optional(),
  state_reason: z.enum(['completed', 'not_planned', 'duplicate', 'reopened']).nullish(),
  labels: LabelNames.optional(),
  assignee: z.string().nullish(),
  assignees: Logins.optional(),
});

const IssueQueryText = z.object({
  state: z.enum(['open', 'closed', 'all']).default('open'),
  labels: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    ),
  since: Since,
  creator: z.string().nullable().default(null),
  assignee: z.string().nullable().default(null),
  sort: z.enum(['created', 'updated', 'comments']).default('created'),
  direction: z.enum(['asc', 'desc']).default('desc'),
});

/** Issues, their events and timelines. */
export function issueRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/repos/:owner/:repo/issues', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const { since, ...query } = queryOf(request, IssueQueryText, 'Issue');
    const { items, total } = listIssues(ctx.sql, repo.id, { ...query, since_ms: since }, page);
    const shown = items.map((issue) => issueJson(ctx, repo, issue));
    return sendPage(ctx, request, reply, page, { items: shown, total });
  });

  app.post('/repos/:owner/:repo/issues', async (request, reply) => {
    const access = writeAccess(ctx, request, 'pull');
    const wanted = bodyOf(request, NewIssue, 'Issue');
    const issue = await ctx.sql.write(() => createIssue(ctx, access, access.viewer, wanted));
    return reply.code(201).send(issueJson(ctx, access.repo, issue));
  });

  app.get('/repos/:owner/:repo/issues/:number', async (request) => {
    const access = accessOf(ctx, request);
    return issueJson(ctx, access.repo, issueOf(ctx, request, access));
  });

  app.patch('/repos/:owner/:repo/issues/:number', async (request) => {
    const access = writeAccess(ctx, request, 'pull');
    const issue = issueOf(ctx, request, access);
    const change = bodyOf(request, ChangedIssue, 'Issue');
    refuseForeignChange(access, access.viewer, issue, change);
    if (issue.is_pull === 1 && change.state === 'open' && issue.state === 'closed') {
      await refuseReopen(ctx, access.repo, pullById(ctx.sql, issue.id));
    }
    await ctx.sql.write(() => changeIssue(ctx, access.repo, access.viewer, issue, change));
    return issueJson(ctx, access.repo, issueById(ctx.sql, issue.id));
  });

  eventRoutes(app, ctx);
}

function createIssue(
  ctx: ForgeContext,
  access: Access,
  author: User,
  wanted: z.infer<typeof NewIssue>,
): Issue {
  const { repo } = access;
  const issue = insertIssue(ctx.sql, {
    repo_id: repo.id,
    is_pull: false,
    title: wanted.title,
    body: wanted.body ?? null,
    author_id: author.id,
    at_ms: ctx.stamp(),
  });
  const of = { repo, issue, actor: author };
  // Who may not label or assign may still open an issue: the rest is left out without a word, as on GitHub.
  if (allows(access.permission, 'triage')) {
    addLabels(ctx, of, wanted.labels ?? []);
    const logins = wanted.assignees ?? (typeof wanted.assignee === 'string' ? [wanted.assignee] : []);
    if (logins.length > 0) replaceAssignees(ctx, of, logins);
  }
  announceIssue(ctx, of, 'opened');
  return issueById(ctx.sql, issue.id);
}

/** The author may change their issue's text and state; all else needs triage permission. */
function refuseForeignChange(
  access: Access,
  viewer: User,
  issue: Issue,
  change: z.infer<typeof ChangedIssue>,
): void {
  const own = issue.author_id === viewer.id;
  const sorting =
    change.labels !== undefined || change.assignees !== undefined || change.assignee !== undefined;
  if (!own || sorting) need(access, 'triage');
}

function changeIssue(
  ctx: ForgeContext,
  repo: Repo,
  actor: User,
  issue: Issue,
  change: z.infer<typeof ChangedIssue>,
): void {
  const of = { repo, issue, actor };
  changeText(ctx, of, change);
  if (change.labels !== undefined) replaceLabels(ctx, of, change.labels);
  const single =
    change.assignee === undefined ? undefined : change.assignee === null ? [] : [change.assignee];
  const logins = change.assignees ?? single;
  if (logins !== undefined) replaceAssignees(ctx, of, logins);
  if (change.state !== undefined) {
    const reason = change.state_reason;
    if (change.state === 'closed' && reason === 'reopened') {
      throw new LocalForgeError('LOCAL_FORGE_REFUSED', { reason: 'A closed issue has no reason "reopened"' });
    }
    changeState(ctx, of, { state: change.state, ...(reason === undefined ? {} : { reason }) });
  }
}

function eventRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/repos/:owner/:repo/issues/events', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const { items, total } = listEvents(ctx.sql, { repo_id: repo.id }, page);
    const shown = items.map((event) => eventJson(ctx, repo, event, true));
    return sendPage(ctx, request, reply, page, { items: shown, total });
  });

  app.get('/repos/:owner/:repo/issues/events/:id', async (request) => {
    const { repo } = accessOf(ctx, request);
    const wanted = idOf(request);
    const all = listEvents(ctx.sql, { repo_id: repo.id }, { limit: -1, offset: 0 });
    const event = all.items.find(({ id }) => id === wanted);
    if (event === undefined) throw notFound();
    return eventJson(ctx, repo, event, true);
  });

  app.get('/repos/:owner/:repo/issues/:number/events', async (request, reply) => {
    const access = accessOf(ctx, request);
    const issue = issueOf(ctx, request, access);
    const page = pageOf(request);
    const { items, total } = listEvents(ctx.sql, { issue_id: issue.id }, page);
    const shown = items.map((event) => eventJson(ctx, access.repo, event, false));
    return sendPage(ctx, request, reply, page, { items: shown, total });
  });

  app.get('/repos/:owner/:repo/issues/:number/timeline', async (request, reply) => {
    const access = accessOf(ctx, request);
    const issue = issueOf(ctx, request, access);
    const page = pageOf(request);
    const all = timelineOf(ctx, access.repo, issue);
    const items = all.slice(page.offset, page.offset + page.limit);
    return sendPage(ctx, request, reply, page, { items, total: all.length });
  });
}
