import type { ForgeContext } from './context.ts';
import { listComments } from './model/comments.ts';
import { listEvents } from './model/events.ts';
import type { Issue } from './model/issues.ts';
import { pullById } from './model/pulls.ts';
import type { Repo } from './model/repos.ts';
import { listReviews } from './model/reviews.ts';
import { commentJson, eventJson } from './wire/issue.ts';
import { reviewJson } from './wire/pull.ts';

/** No limit, in SQLite's words. */
const ALL = { limit: -1, offset: 0 };

/** Everything that was said and done on an issue or pull request, oldest first. */
export function timelineOf(ctx: ForgeContext, repo: Repo, issue: Issue): readonly object[] {
  const query = {
    repo_id: repo.id,
    issue_id: issue.id,
    since_ms: null,
    sort: 'created',
    direction: 'asc',
  } as const;
  const comments = listComments(ctx.sql, query, ALL).items.map((comment) => ({
    at_ms: comment.created_ms,
    entry: {
      ...commentJson(ctx, repo, comment),
      event: 'commented',
      actor: commentJson(ctx, repo, comment).user,
    },
  }));
  const events = listEvents(ctx.sql, { issue_id: issue.id }, ALL).items.map((event) => ({
    at_ms: event.created_ms,
    entry: eventJson(ctx, repo, event, false),
  }));
  const all = [...comments, ...events, ...reviewsOf(ctx, repo, issue)];
  return all.sort((a, b) => a.at_ms - b.at_ms).map(({ entry }) => entry);
}

function reviewsOf(ctx: ForgeContext, repo: Repo, issue: Issue) {
  if (issue.is_pull === 0) return [];
  const pull = pullById(ctx.sql, issue.id);
  return listReviews(ctx.sql, issue.id, ALL).items.map((review) => ({
    at_ms: review.submitted_ms,
    entry: { ...reviewJson(ctx, repo, pull, review), event: 'reviewed' },
  }));
}
