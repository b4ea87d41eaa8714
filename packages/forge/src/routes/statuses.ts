import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { announceCheck } from '../announce.ts';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, notFound } from '../errors.ts';
import { resolveCommit } from '../git/refs.ts';
import {
  CheckConclusion,
  checkRunById,
  checkRunsOf,
  CheckStatus,
  insertCheckRun,
  updateCheckRun,
  type CheckRun,
} from '../model/check-runs.ts';
import type { Repo } from '../model/repos.ts';
import type { User } from '../model/users.ts';
import { combinedStatus, insertStatus, StatusState, statusesOf, type Status } from '../model/statuses.ts';
import { accessOf, bodyOf, idOf, pageOf, sendPage, writeAccess } from '../request.ts';
import { repoJson, repoUrl, userJson } from '../wire/repo.ts';
import { nodeId, seconds, secondsOrNull } from '../wire/time.ts';

const Context = z.string().trim().min(1).max(255);
const NewStatus = z.object({
  state: StatusState,
  context: Context.default('default'),
  description: z.string().max(140).nullish(),
  target_url: z.string().max(2000).nullish(),
});

const Output = z.object({ title: z.string().nullish(), summary: z.string().nullish() });
const NewCheckRun = z.object({
  name: Context,
  head_sha: z.string(),
  status: CheckStatus.optional(),
  conclusion: CheckConclusion.nullish(),
  details_url: z.string().max(2000).nullish(),
  output: Output.nullish(),
});
const ChangedCheckRun = NewCheckRun.partial().omit({ head_sha: true });

function statusJson(ctx: ForgeContext, repo: Repo, status: Status) {
  return {
    id: status.id,
    node_id: nodeId('SC', status.id),
    url: `${repoUrl(ctx, repo)}/statuses/${status.sha}`,
    state: status.state,
    context: status.context,
    description: status.description,
    target_url: status.target_url,
    creator: userJson(ctx, { id: status.creator_id, login: status.creator }),
    created_at: seconds(status.created_ms),
    updated_at: seconds(status.created_ms),
  };
}

function checkRunJson(ctx: ForgeContext, repo: Repo, run: CheckRun) {
  return {
    id: run.id,
    node_id: nodeId('CR', run.id),
    url: `${repoUrl(ctx, repo)}/check-runs/${run.id}`,
    name: run.name,
    head_sha: run.sha,
    status: run.status,
    conclusion: run.conclusion,
    details_url: run.details_url,
    output: { title: run.title, summary: run.summary, text: null, annotations_count: 0 },
    started_at: seconds(run.started_ms),
    completed_at: secondsOrNull(run.completed_ms),
  };
}

type Answer = (
  ctx: ForgeContext,
  request: FastifyRequest,
  reply: FastifyReply,
  repo: Repo,
  sha: string,
) => FastifyReply;

/** What `GET /commits/:ref/status`, `/statuses` and `/check-runs` answer for a commit. */
export const commitAnswers: Readonly<Record<'status' | 'statuses' | 'check-runs', Answer>> = {
  status: (ctx, request, reply, repo, sha) => {
    const page = pageOf(request);
    const { state, statuses } = combinedStatus(ctx.sql, repo.id, sha);
    const shown = statuses.slice(page.offset, page.offset + page.limit);
    return reply.send({
      state,
      sha,
      total_count: statuses.length,
      statuses: shown.map((status) => statusJson(ctx, repo, status)),
      repository: repoJson(ctx, repo, null),
      url: `${repoUrl(ctx, repo)}/commits/${sha}/status`,
    });
  },
  statuses: (ctx, request, reply, repo, sha) => {
    const page = pageOf(request);
    const all = statusesOf(ctx.sql, repo.id, sha);
    const items = all
      .slice(page.offset, page.offset + page.limit)
      .map((status) => statusJson(ctx, repo, status));
    return sendPage(ctx, request, reply, page, { items, total: all.length });
  },
  'check-runs': (ctx, request, reply, repo, sha) => {
    const page = pageOf(request);
    const all = checkRunsOf(ctx.sql, repo.id, sha);
    const shown = all.slice(page.offset, page.offset + page.limit);
    return reply.send({
      total_count: all.length,
      check_runs: shown.map((run) => checkRunJson(ctx, repo, run)),
    });
  },
};

async function knownCommit(ctx: ForgeContext, repo: Repo, word: string): Promise<string> {
  const sha = /^[0-9a-f]{40}$/.test(word) ? await resolveCommit(ctx.gitDir(repo), word) : undefined;
  if (sha !== undefined) return sha;
  throw new LocalForgeError('LOCAL_FORGE_REFUSED', { reason: `No commit found for SHA: ${word}` });
}

/** Writing statuses and check runs. */
export function statusRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.post('/repos/:owner/:repo/statuses/:sha', async (request, reply) => {
    const { repo, viewer } = writeAccess(ctx, request, 'push');
    const wanted = bodyOf(request, NewStatus, 'Status');
    const sha = await knownCommit(ctx, repo, z.object({ sha: z.string() }).parse(request.params).sha);
    const row = {
      sha,
      state: wanted.state,
      context: wanted.context,
      description: wanted.description ?? null,
      target_url: wanted.target_url ?? null,
      creator_id: viewer.id,
    };
    const made = await ctx.sql.write(() => {
      const created_ms = ctx.stamp();
      const id = insertStatus(ctx.sql, { ...row, created_ms, repo_id: repo.id });
      const shown = { ...statusJson(ctx, repo, { ...row, id, created_ms, creator: viewer.login }) };
      announceCheck(ctx, { repo, actor: viewer }, 'status', null, { ...shown, sha, branches: [] });
      return shown;
    });
    return reply.code(201).send(made);
  });

  app.post('/repos/:owner/:repo/check-runs', async (request, reply) => {
    const { repo, viewer } = writeAccess(ctx, request, 'push');
    const wanted = bodyOf(request, NewCheckRun, 'CheckRun');
    const sha = await knownCommit(ctx, repo, wanted.head_sha);
    const started_ms = ctx.stamp();
    const status = wanted.conclusion == null ? (wanted.status ?? 'queued') : 'completed';
    const run: Omit<CheckRun, 'id'> = {
      sha,
      name: wanted.name,
      status,
      conclusion: wanted.conclusion ?? null,
      details_url: wanted.details_url ?? null,
      title: wanted.output?.title ?? null,
      summary: wanted.output?.summary ?? null,
      started_ms,
      completed_ms: status === 'completed' ? started_ms : null,
    };
    refuseUnfinished(run);
    const made = await ctx.sql.write(() => {
      const shown = checkRunJson(ctx, repo, { id: insertCheckRun(ctx.sql, repo.id, run), ...run });
      announceRun(ctx, { repo, actor: viewer }, shown, true);
      return shown;
    });
    return reply.code(201).send(made);
  });

  app.get('/repos/:owner/:repo/check-runs/:id', async (request) => {
    const { repo } = accessOf(ctx, request);
    return checkRunJson(ctx, repo, known(ctx, repo, idOf(request)));
  });

  app.patch('/repos/:owner/:repo/check-runs/:id', async (request) => {
    const { repo, viewer } = writeAccess(ctx, request, 'push');
    const run = known(ctx, repo, idOf(request));
    const change = bodyOf(request, ChangedCheckRun, 'CheckRun');
    const status = change.conclusion == null ? (change.status ?? run.status) : 'completed';
    const changed: CheckRun = {
      ...run,
      name: change.name ?? run.name,
      status,
      conclusion: status === 'completed' ? (change.conclusion ?? run.conclusion) : null,
      details_url: change.details_url ?? run.details_url,
      title: change.output?.title ?? run.title,
      summary: change.output?.summary ?? run.summary,
      completed_ms: status === 'completed' ? (run.completed_ms ?? ctx.stamp()) : null,
    };
    refuseUnfinished(changed);
    const shown = checkRunJson(ctx, repo, changed);
    await ctx.sql.write(() => {
      updateCheckRun(ctx.sql, changed);
      announceRun(ctx, { repo, actor: viewer }, shown, false);
    });
    return shown;
  });
}

/** GitHub tells of a run when it is made and when it is completed, which can be one moment. */
function announceRun(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: Pick<User, 'id'> },
  check_run: ReturnType<typeof checkRunJson>,
  made: boolean,
): void {
  if (made) announceCheck(ctx, of, 'check_run', 'created', { check_run });
  if (check_run.status === 'completed') announceCheck(ctx, of, 'check_run', 'completed', { check_run });
}

/** A completed run without a conclusion says nothing: GitHub refuses it. */
function refuseUnfinished(run: Pick<CheckRun, 'status' | 'conclusion'>): void {
  if (run.status !== 'completed' || run.conclusion !== null) return;
  throw new LocalForgeError('LOCAL_FORGE_REFUSED', { reason: 'A completed check run needs a conclusion' });
}

function known(ctx: ForgeContext, repo: Repo, id: number): CheckRun {
  const run = checkRunById(ctx.sql, repo.id, id);
  if (run === undefined) throw notFound();
  return run;
}
