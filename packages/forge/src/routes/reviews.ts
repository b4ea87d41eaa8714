import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { announceIssue, announceReview } from '../announce.ts';
import { need } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, notFound, refused } from '../errors.ts';
import { resolveCommit } from '../git/refs.ts';
import { appendEvent } from '../model/events.ts';
import { touchIssue } from '../model/issues.ts';
import { pullById, requestReviewer, unrequestReviewer, type Pull } from '../model/pulls.ts';
import { permissionOf, type Repo } from '../model/repos.ts';
import {
  insertReview,
  listReviews,
  reviewById,
  updateReviewBody,
  updateReviewState,
  type Review,
  type ReviewState,
} from '../model/reviews.ts';
import { userByLogin, type User } from '../model/users.ts';
import { accessOf, Body, bodyOf, idOf, pageOf, pullOf, sendPage, writeAccess } from '../request.ts';
import { pullJson, reviewJson } from '../wire/pull.ts';
import { userJson } from '../wire/repo.ts';

const NewReview = z.object({
  event: z.enum(['APPROVE', 'REQUEST_CHANGES', 'COMMENT']),
  body: Body.nullish(),
  commit_id: z.string().nullish(),
  // Remarks on lines have no place here yet; leaving them out without a word would lose what somebody wrote.
  comments: z
    .array(z.unknown())
    .max(0, 'remarks on lines are not kept by this forge: put them into the body')
    .nullish(),
});

const Reviewers = z.object({ reviewers: z.array(z.string().max(39)).max(15) });

const STATES: Readonly<Record<z.infer<typeof NewReview>['event'], ReviewState>> = {
  APPROVE: 'APPROVED',
  REQUEST_CHANGES: 'CHANGES_REQUESTED',
  COMMENT: 'COMMENTED',
};

function refusal(...errors: readonly string[]): LocalForgeError<'LOCAL_FORGE_REFUSED'> {
  return new LocalForgeError('LOCAL_FORGE_REFUSED', { reason: 'Unprocessable Entity', errors });
}

/** Reviews of pull requests and who is asked for one. */
export function reviewRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const path = '/repos/:owner/:repo/pulls/:number/reviews';

  app.get(path, async (request, reply) => {
    const access = accessOf(ctx, request);
    const pull = pullOf(ctx, request, access);
    const page = pageOf(request);
    const { items, total } = listReviews(ctx.sql, pull.id, page);
    const shown = items.map((review) => reviewJson(ctx, access.repo, pull, review));
    return sendPage(ctx, request, reply, page, { items: shown, total });
  });

  app.post(path, async (request) => {
    const access = writeAccess(ctx, request, 'pull');
    const pull = pullOf(ctx, request, access);
    const wanted = bodyOf(request, NewReview, 'PullRequestReview');
    refuseVerdict(access.viewer, pull, wanted);
    const commit_id = await reviewedCommit(ctx, access.repo, pull, wanted.commit_id ?? null);
    const id = await ctx.sql.write(() => submit(ctx, access, pull, { ...wanted, commit_id }));
    return reviewJson(ctx, access.repo, pull, known(ctx, pull, id));
  });

  app.get(`${path}/:id`, async (request) => {
    const access = accessOf(ctx, request);
    const pull = pullOf(ctx, request, access);
    return reviewJson(ctx, access.repo, pull, known(ctx, pull, idOf(request)));
  });

  app.put(`${path}/:id`, async (request) => {
    const access = writeAccess(ctx, request, 'pull');
    const pull = pullOf(ctx, request, access);
    const review = known(ctx, pull, idOf(request));
    if (review.author_id !== access.viewer.id) need(access, 'admin');
    const { body } = bodyOf(request, z.object({ body: Body }), 'PullRequestReview');
    await ctx.sql.write(() => {
      updateReviewBody(ctx.sql, review.id, body);
      touchIssue(ctx.sql, pull.id, ctx.stamp());
      announceReview(ctx, { ...reviewOf(access, pull), review_id: review.id }, 'edited');
    });
    return reviewJson(ctx, access.repo, pull, known(ctx, pull, review.id));
  });

  app.put(`${path}/:id/dismissals`, async (request) => {
    const access = writeAccess(ctx, request, 'push');
    const pull = pullOf(ctx, request, access);
    const review = known(ctx, pull, idOf(request));
    const { message } = bodyOf(request, z.object({ message: Body.min(1) }), 'PullRequestReview');
    if (review.state === 'COMMENTED' || review.state === 'DISMISSED') {
      throw refusal(`Can not dismiss a ${review.state.toLowerCase()} pull request review`);
    }
    await ctx.sql.write(() => dismiss(ctx, access.repo, pull, review, { by: access.viewer, message }));
    return reviewJson(ctx, access.repo, pull, known(ctx, pull, review.id));
  });

  requestRoutes(app, ctx);
}

function known(ctx: ForgeContext, pull: Pull, id: number): Review {
  const review = reviewById(ctx.sql, pull.id, id);
  if (review === undefined) throw notFound();
  return review;
}

/** GitHub's refusals: no verdict on one's own pull request, no empty request or remark. */
function refuseVerdict(viewer: User, pull: Pull, { event, body }: z.infer<typeof NewReview>): void {
  if (event !== 'COMMENT' && viewer.id === pull.author_id) {
    throw refusal(`Can not ${event === 'APPROVE' ? 'approve' : 'request changes on'} your own pull request`);
  }
  if (event !== 'APPROVE' && (body ?? '').trim() === '')
    throw refusal('Could not submit review: body is required');
}

async function reviewedCommit(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  commit_id: string | null,
): Promise<string> {
  if (commit_id === null) return pull.head_sha;
  const sha = /^[0-9a-f]{40}$/.test(commit_id) ? await resolveCommit(ctx.gitDir(repo), commit_id) : undefined;
  if (sha === undefined) throw refusal('commit_id is not part of the pull request');
  return sha;
}

/** Who does something about a pull request's review, in the words of announcements. */
function reviewOf(access: { readonly repo: Repo; readonly viewer: User }, pull: Pull) {
  return { repo: access.repo, actor: access.viewer, issue_id: pull.id };
}

function submit(
  ctx: ForgeContext,
  access: { readonly repo: Repo; readonly viewer: User },
  pull: Pull,
  review: z.infer<typeof NewReview> & { readonly commit_id: string },
): number {
  const submitted_ms = ctx.stamp();
  unrequestReviewer(ctx.sql, pull.id, access.viewer.id);
  touchIssue(ctx.sql, pull.id, submitted_ms);
  const review_id = insertReview(ctx.sql, {
    issue_id: pull.id,
    author_id: access.viewer.id,
    state: STATES[review.event],
    body: review.body ?? '',
    commit_id: review.commit_id,
    submitted_ms,
  });
  announceReview(ctx, { ...reviewOf(access, pull), review_id }, 'submitted');
  return review_id;
}

function dismiss(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  review: Review,
  dismissal: { readonly by: User; readonly message: string },
): void {
  const at_ms = ctx.stamp();
  updateReviewState(ctx.sql, review.id, 'DISMISSED');
  touchIssue(ctx.sql, pull.id, at_ms);
  appendEvent(ctx.sql, {
    repo_id: repo.id,
    issue_id: pull.id,
    actor_id: dismissal.by.id,
    event: 'review_dismissed',
    extra: {
      dismissed_review: {
        state: review.state.toLowerCase(),
        review_id: review.id,
        dismissal_message: dismissal.message,
      },
    },
    at_ms,
  });
  announceReview(ctx, { repo, actor: dismissal.by, issue_id: pull.id, review_id: review.id }, 'dismissed');
}

function requestRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const path = '/repos/:owner/:repo/pulls/:number/requested_reviewers';

  app.get(path, async (request) => {
    const access = accessOf(ctx, request);
    const { requested_reviewers } = pullJson(ctx, access.repo, pullOf(ctx, request, access));
    return { users: requested_reviewers, teams: [] };
  });

  app.post(path, async (request, reply) => {
    const access = writeAccess(ctx, request, 'triage');
    const pull = pullOf(ctx, request, access);
    const { reviewers } = bodyOf(request, Reviewers, 'PullRequest');
    const users = reviewers.map((login) => possibleReviewer(ctx, access.repo, pull, login));
    await ctx.sql.write(() => {
      for (const user of users) {
        if (!requestReviewer(ctx.sql, pull.id, user.id)) continue;
        requestEvent(ctx, access.repo, pull, access.viewer, user, 'review_requested');
      }
    });
    return reply.code(201).send(pullJson(ctx, access.repo, pullById(ctx.sql, pull.id)));
  });

  app.delete(path, async (request) => {
    const access = writeAccess(ctx, request, 'triage');
    const pull = pullOf(ctx, request, access);
    const { reviewers } = bodyOf(request, Reviewers, 'PullRequest');
    await ctx.sql.write(() => {
      for (const login of reviewers) {
        const user = userByLogin(ctx.sql, login);
        if (user === undefined || !unrequestReviewer(ctx.sql, pull.id, user.id)) continue;
        requestEvent(ctx, access.repo, pull, access.viewer, user, 'review_request_removed');
      }
    });
    return pullJson(ctx, access.repo, pullById(ctx.sql, pull.id));
  });
}

/** GitHub asks collaborators only, and never the author. */
function possibleReviewer(ctx: ForgeContext, repo: Repo, pull: Pull, login: string): User {
  const user = userByLogin(ctx.sql, login);
  if (user?.id === pull.author_id) {
    throw new LocalForgeError('LOCAL_FORGE_REFUSED', {
      reason: 'Review cannot be requested from pull request author.',
    });
  }
  if (user === undefined) {
    throw refused({
      resource: 'PullRequest',
      field: 'reviewers',
      code: 'invalid',
      message: `no user ${login}`,
    });
  }
  const permission = permissionOf(ctx.sql, repo, user);
  if ((permission !== null && permission !== 'pull') || isCollaborator(ctx, repo, user)) return user;
  throw new LocalForgeError('LOCAL_FORGE_REFUSED', {
    reason:
      'Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the repository.',
  });
}

function isCollaborator(ctx: ForgeContext, repo: Repo, user: User): boolean {
  const row = z.strictObject({ n: z.number() });
  const text = 'SELECT count(*) AS n FROM collaborators WHERE repo_id = ? AND user_id = ?';
  return ctx.sql.one(row, text, repo.id, user.id)?.n === 1;
}

function requestEvent(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  actor: User,
  reviewer: User,
  event: 'review_requested' | 'review_request_removed',
): void {
  const at_ms = ctx.stamp();
  touchIssue(ctx.sql, pull.id, at_ms);
  const extra = { requested_reviewer: userJson(ctx, reviewer) };
  appendEvent(ctx.sql, { repo_id: repo.id, issue_id: pull.id, actor_id: actor.id, event, extra, at_ms });
  announceIssue(ctx, { repo, actor, issue: pull }, event, extra);
}
