import { z } from 'zod';
import type { ForgeContext } from './context.ts';
import { listComments } from './model/comments.ts';
import { listEvents, type IssueEvent } from './model/events.ts';
import type { Issue } from './model/issues.ts';
import { labelsOfIssue } from './model/labels.ts';
import { pullById } from './model/pulls.ts';
import type { Repo } from './model/repos.ts';
import { listReviews } from './model/reviews.ts';
import { html, type Html } from './html.ts';
import { seconds } from './wire/time.ts';

/** Entries of each kind that a discussion shows; the newest are left out, and said to be. */
const SHOWN = 500;

/** A piece of a discussion and when it was. */
interface Entry {
  readonly at_ms: number;
  readonly shown: Html;
}

/** How an issue or pull request stands, in a word and its colour. */
export function stateWord(ctx: ForgeContext, issue: Issue): Html {
  const pull = issue.is_pull === 1 ? pullById(ctx.sql, issue.id) : undefined;
  const merged = pull !== undefined && pull.merged_ms !== null;
  const state = merged ? 'merged' : issue.state;
  const draft = pull?.draft === 1 && issue.state === 'open' ? ' draft' : '';
  return html`<span class="state ${state}">${state}${draft}</span>`;
}

/** The labels of an issue. */
export function labelChips(ctx: ForgeContext, issue: Issue): readonly Html[] {
  return labelsOfIssue(ctx.sql, issue.id).map(
    ({ name }) => html`<span class="label"><bdi>${name}</bdi></span> `,
  );
}

function entry(author: string, at_ms: number, what: string, text: string | null): Entry {
  const shown = html`<section>
    <p><b>${author}</b> ${what} <time>${seconds(at_ms)}</time></p>
    ${text === null || text === '' ? html`` : html`<pre dir="auto">${text}</pre>`}
  </section>`;
  return { at_ms, shown };
}

const Words = z.object({
  label: z.object({ name: z.string() }).optional(),
  rename: z.object({ to: z.string() }).optional(),
});

/** Labels and titles are said by their own words; what comments and reviews say is not said twice. */
function happened(event: IssueEvent): Entry {
  const { data } = Words.safeParse(event.extra);
  const named = data?.label?.name ?? (data?.rename === undefined ? '' : `to ${data.rename.to}`);
  const shown = html`<p class="soft">
    ${event.actor} ${event.event.replaceAll('_', ' ')} <bdi>${named}</bdi>
    <time>${seconds(event.created_ms)}</time>
  </p>`;
  return { at_ms: event.created_ms, shown };
}

/** What was said and done on an issue or pull request, oldest first. */
export function discussion(ctx: ForgeContext, repo: Repo, issue: Issue): Html {
  const all = { limit: SHOWN, offset: 0 };
  const of = { repo_id: repo.id, issue_id: issue.id, since_ms: null };
  const comments = listComments(ctx.sql, { ...of, sort: 'created', direction: 'asc' }, all);
  const events = listEvents(ctx.sql, { issue_id: issue.id }, all);
  const reviews = issue.is_pull === 1 ? listReviews(ctx.sql, issue.id, all) : { items: [], total: 0 };
  const entries = [
    ...comments.items.map(({ author, created_ms, body }) => entry(author, created_ms, 'commented', body)),
    ...events.items.map(happened),
    ...reviews.items.map((review) => {
      const what = `${review.state.toLowerCase().replace('_', ' ')} ${review.commit_id.slice(0, 7)}`;
      return entry(review.author, review.submitted_ms, what, review.body);
    }),
  ].sort((a, b) => a.at_ms - b.at_ms);
  const cut = [comments, events, reviews].some(({ items, total }) => items.length < total);
  return html`<p>${stateWord(ctx, issue)} ${labelChips(ctx, issue)}</p>
    ${entry(issue.author, issue.created_ms, 'opened', issue.body).shown} ${entries.map(({ shown }) => shown)}
    ${cut ? html`<p>The newest entries are not shown.</p>` : html``}`;
}
