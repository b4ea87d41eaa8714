import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { announceIssue } from '../announce.ts';
import { need, type Access } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, refused } from '../errors.ts';
import { changedFiles, diffText, MAX_DIFF_BYTES, patchText } from '../git/diff.ts';
import { countCommits, listCommits } from '../git/history.ts';
import { branchSha, isRefName, mergeBase, setRef } from '../git/refs.ts';
import { changeState, changeText } from '../issue-changes.ts';
import { appendEvent } from '../model/events.ts';
import { insertIssue, touchIssue } from '../model/issues.ts';
import { insertPull, listPulls, pullById, updateDraft, updateRefs, type Pull } from '../model/pulls.ts';
import type { Repo } from '../model/repos.ts';
import type { User } from '../model/users.ts';
import { forkPoint, nothingBetween, type PullFacts } from '../pull-facts.ts';
import { openTwin, refuseReopen } from '../reopen.ts';
import { accessOf, Body, bodyOf, pageOf, pullOf, queryOf, sendPage, Title, writeAccess } from '../request.ts';
import { pullRef, syncPulls } from '../sync.ts';
import { commitJson, fileJson, pullDetailJson, pullJson } from '../wire/pull.ts';

const Branch = z.string().refine(isRefName, 'not a branch name');

const NewPull = z.object({
  title: Title,
  body: Body.nullish(),
  head: z.string(),
  base: Branch,
  draft: z.boolean().default(false),
});

const ChangedPull = z.object({
  title: Title.optional(),
  body: Body.nullish(),
  state: z.enum(['open', 'closed']).optional(),
  base: Branch.optional(),
  draft: z.boolean().optional(),
});

const PullQueryText = z.object({
  state: z.enum(['open', 'closed', 'all']).default('open'),
  head: z.string().optional(),
  base: z.string().nullable().default(null),
  sort: z.enum(['created', 'updated', 'popularity', 'long-running']).default('created'),
  direction: z.enum(['asc', 'desc']).optional(),
});

/** Pull requests: listing, opening, changing, and what git says of them. */
export function pullRoutes(
  app: FastifyInstance,
  ctx: ForgeContext,
  facts: (repo: Repo, pull: Pull) => Promise<PullFacts>,
): void {
  const detail = async (repo: Repo, id: number) => {
    const pull = pullById(ctx.sql, id);
    return pullDetailJson(ctx, repo, pull, await facts(repo, pull));
  };

  app.get('/repos/:owner/:repo/pulls', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const page = pageOf(request);
    const query = queryOf(request, PullQueryText, 'PullRequest');
    const head_ref = headFilter(repo, query.head);
    if (head_ref === undefined) return sendPage(ctx, request, reply, page, { items: [], total: 0 });
    const sort = query.sort === 'updated' ? 'updated' : 'created';
    const direction = query.direction ?? (query.sort === 'created' ? 'desc' : 'asc');
    const wanted = { state: query.state, head_ref, base_ref: query.base, sort, direction } as const;
    const { items, total } = listPulls(ctx.sql, repo.id, wanted, page);
    return sendPage(ctx, request, reply, page, {
      items: items.map((pull) => pullJson(ctx, repo, pull)),
      total,
    });
  });

  app.post('/repos/:owner/:repo/pulls', async (request, reply) => {
    const { repo, viewer } = writeAccess(ctx, request, 'pull');
    const wanted = bodyOf(request, NewPull, 'PullRequest');
    const id = await ctx.alone(repo, () => openPull(ctx, repo, viewer, wanted));
    return reply.code(201).send(await detail(repo, id));
  });

  app.get('/repos/:owner/:repo/pulls/:number', async (request, reply) => {
    const access = accessOf(ctx, request);
    const { id, state } = pullOf(ctx, request, access);
    if (state === 'open') await ctx.alone(access.repo, () => syncPulls(ctx, access.repo, null));
    const kind = /vnd\.github(?:\.v3)?\.(diff|patch)/.exec(request.headers.accept ?? '')?.[1];
    if (kind === undefined) return detail(access.repo, id);
    return sendText(ctx, reply, access.repo, pullById(ctx.sql, id), kind === 'patch' ? 'patch' : 'diff');
  });

  app.patch('/repos/:owner/:repo/pulls/:number', async (request) => {
    const access = writeAccess(ctx, request, 'pull');
    const pull = pullOf(ctx, request, access);
    if (pull.author_id !== access.viewer.id) need(access, 'push');
    const change = bodyOf(request, ChangedPull, 'PullRequest');
    await ctx.alone(access.repo, () => changePull(ctx, access, access.viewer, pull, change));
    return detail(access.repo, pull.id);
  });

  contentRoutes(app, ctx);
}

/** The branch of a `head` filter; null without one, undefined when it names another owner's. */
function headFilter(repo: Repo, head: string | undefined): string | null | undefined {
  if (head === undefined || head === '') return null;
  const [owner = '', ...branch] = head.split(':');
  if (branch.length === 0) return head;
  return owner.toLowerCase() === repo.owner.toLowerCase() ? branch.join(':') : undefined;
}

/** Opens a pull request; gives its issue id. Throws LOCAL_FORGE_REFUSED as GitHub does. */
async function openPull(
  ctx: ForgeContext,
  repo: Repo,
  author: User,
  wanted: z.infer<typeof NewPull>,
): Promise<number> {
  const git_dir = ctx.gitDir(repo);
  const invalid = (field: string) => refused({ resource: 'PullRequest', field, code: 'invalid' });
  const custom = (message: string) => refused({ resource: 'PullRequest', code: 'custom', message });
  const head_ref = headFilter(repo, wanted.head);
  if (head_ref === undefined || head_ref === null) throw invalid('head');
  const head_sha = await branchSha(git_dir, head_ref);
  if (head_sha === undefined) throw invalid('head');
  const base_ref = wanted.base;
  const base_sha = await branchSha(git_dir, base_ref);
  if (base_sha === undefined) throw invalid('base');
  if (await nothingBetween(git_dir, base_sha, head_sha))
    throw custom(`No commits between ${base_ref} and ${head_ref}`);
  if ((await mergeBase(git_dir, base_sha, head_sha)) === undefined) {
    throw custom(`The ${head_ref} branch has no history in common with ${base_ref}`);
  }
  if (openTwin(ctx, repo, { head_ref, base_ref }) !== undefined) {
    throw custom(`A pull request already exists for ${repo.owner}:${head_ref}.`);
  }
  const pull = await ctx.sql.write(() => {
    const { title, draft } = wanted;
    const body = wanted.body ?? null;
    const at_ms = ctx.stamp();
    const issue = insertIssue(ctx.sql, {
      repo_id: repo.id,
      is_pull: true,
      title,
      body,
      author_id: author.id,
      at_ms,
    });
    insertPull(ctx.sql, {
      issue_id: issue.id,
      repo_id: repo.id,
      head_ref,
      head_sha,
      base_ref,
      base_sha,
      draft,
    });
    announceIssue(ctx, { repo, issue, actor: author }, 'opened');
    return issue;
  });
  await setRef(git_dir, pullRef(pull.number), head_sha);
  return pull.id;
}

async function changePull(
  ctx: ForgeContext,
  access: Access,
  actor: User,
  pull: Pull,
  change: z.infer<typeof ChangedPull>,
): Promise<void> {
  const { repo } = access;
  const reopening = change.state === 'open' && pull.state === 'closed';
  if (reopening) await refuseReopen(ctx, repo, pull);
  const base_ref = change.base ?? pull.base_ref;
  const base_sha = base_ref === pull.base_ref ? pull.base_sha : await newBase(ctx, repo, pull, base_ref);
  const of = { repo, issue: pull, actor };
  await ctx.sql.write(() => {
    changeText(ctx, of, change);
    if (base_ref !== pull.base_ref) {
      updateRefs(ctx.sql, pull.id, { head_sha: pull.head_sha, base_ref, base_sha });
      pullEvent(ctx, repo, pull, actor, 'base_ref_changed');
      const from = { ref: { from: pull.base_ref }, sha: { from: pull.base_sha } };
      announceIssue(ctx, of, 'edited', { changes: { base: from } });
    }
    if (change.draft !== undefined && change.draft !== (pull.draft === 1)) {
      updateDraft(ctx.sql, pull.id, change.draft);
      const action = change.draft ? 'converted_to_draft' : 'ready_for_review';
      pullEvent(ctx, repo, pull, actor, action);
      announceIssue(ctx, of, action);
    }
    if (change.state !== undefined) changeState(ctx, of, { state: change.state });
  });
  if (reopening) await syncPulls(ctx, repo, actor);
}

async function newBase(ctx: ForgeContext, repo: Repo, pull: Pull, base_ref: string): Promise<string> {
  const sha = await branchSha(ctx.gitDir(repo), base_ref);
  if (sha !== undefined && pull.state === 'open') return sha;
  throw refused({ resource: 'PullRequest', field: 'base', code: 'invalid' });
}

function pullEvent(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  actor: User,
  event: 'base_ref_changed' | 'converted_to_draft' | 'ready_for_review',
): void {
  const at_ms = ctx.stamp();
  touchIssue(ctx.sql, pull.id, at_ms);
  appendEvent(ctx.sql, { repo_id: repo.id, issue_id: pull.id, actor_id: actor.id, event, at_ms });
}

/**
 * A pull request as text: what it changes, or its commits as mails.
 * Throws LOCAL_FORGE_DIFF_TOO_LARGE for what is longer than is given as one text.
 */
export async function sendText(
  ctx: ForgeContext,
  reply: FastifyReply,
  repo: Repo,
  pull: Pull,
  kind: 'diff' | 'patch',
  type = `application/vnd.github.v3.${kind}`,
): Promise<FastifyReply> {
  const git_dir = ctx.gitDir(repo);
  const from = await forkPoint(git_dir, pull);
  const { text, cut } = await (kind === 'diff' ? diffText : patchText)(git_dir, from, pull.head_sha);
  if (cut) {
    const errors = [{ resource: 'PullRequest', field: kind, code: 'too_large' }] as const;
    throw new LocalForgeError('LOCAL_FORGE_DIFF_TOO_LARGE', { bytes: MAX_DIFF_BYTES, errors });
  }
  return reply.type(`${type}; charset=utf-8`).send(text);
}

function contentRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/repos/:owner/:repo/pulls/:number/files', async (request, reply) => {
    const access = accessOf(ctx, request);
    const pull = pullOf(ctx, request, access);
    const page = pageOf(request);
    const git_dir = ctx.gitDir(access.repo);
    const files = await changedFiles(git_dir, await forkPoint(git_dir, pull), pull.head_sha);
    const items = files
      .slice(page.offset, page.offset + page.limit)
      .map((file) => fileJson(ctx, access.repo, pull.head_sha, file));
    return sendPage(ctx, request, reply, page, { items, total: files.length });
  });

  app.get('/repos/:owner/:repo/pulls/:number/commits', async (request, reply) => {
    const access = accessOf(ctx, request);
    const pull = pullOf(ctx, request, access);
    const page = pageOf(request);
    const git_dir = ctx.gitDir(access.repo);
    const range = `${pull.base_sha}..${pull.head_sha}`;
    const commits = await listCommits(git_dir, range, { ...page, oldest_first: true });
    const total = await countCommits(git_dir, range);
    const items = commits.map((commit) => commitJson(ctx, access.repo, commit));
    return sendPage(ctx, request, reply, page, { items, total });
  });
}
