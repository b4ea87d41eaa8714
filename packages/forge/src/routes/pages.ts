import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ForgeContext } from '../context.ts';
import { diffText } from '../git/diff.ts';
import { listComments } from '../model/comments.ts';
import { listIssues, type Issue } from '../model/issues.ts';
import { labelsOfIssue } from '../model/labels.ts';
import { pullById, type Pull } from '../model/pulls.ts';
import { allRepos, permissionOf, type Repo } from '../model/repos.ts';
import { listReviews } from '../model/reviews.ts';
import { html, page, type Html } from '../html.ts';
import { forkPoint, type PullFacts } from '../pull-facts.ts';
import { accessOf, issueOf, pageOf, pullOf } from '../request.ts';
import { seconds } from '../wire/time.ts';

/** Entries of a discussion that a page shows, and bytes of a diff. */
const SHOWN = 500;
const DIFF_SHOWN = 200_000;

/** Pages for a person: repositories, issues, pull requests. They show and change nothing. */
export function pageRoutes(
  app: FastifyInstance,
  ctx: ForgeContext,
  facts: (repo: Repo, pull: Pull) => Promise<PullFacts>,
): void {
  app.get('/', async (_request, reply) => reply.redirect('/ui/'));

  app.get('/ui', async (request, reply) => {
    const repos = allRepos(ctx.sql).filter((repo) => permissionOf(ctx.sql, repo, request.viewer) !== null);
    const rows = repos.map(
      (repo) =>
        html`<li>
          <a href="/ui/${repo.owner}/${repo.name}">${repo.owner}/${repo.name}</a>
          ${repo.private === 1 ? '(private)' : ''} ${repo.description ?? ''}
        </li>`,
    );
    return send(
      reply,
      'Repositories',
      html`<ul>
        ${rows}
      </ul>`,
    );
  });

  app.get('/ui/:owner/:repo', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const at = pageOf(request);
    const query = { state: 'all', labels: [], since_ms: null, creator: null, assignee: null } as const;
    const order = { sort: 'created', direction: 'desc' } as const;
    const { items, total } = listIssues(ctx.sql, repo.id, { ...query, ...order }, at);
    const rows = items.map((issue) => row(ctx, repo, issue));
    const more =
      at.offset + at.limit < total ? html`<p><a href="?page=${at.number + 1}">older</a></p>` : html``;
    return send(
      reply,
      `${repo.owner}/${repo.name}`,
      html`<table>
          ${rows}
        </table>
        ${more}`,
    );
  });

  app.get('/ui/:owner/:repo/issues/:number', async (request, reply) => {
    const access = accessOf(ctx, request);
    const issue = issueOf(ctx, request, access);
    return send(reply, title(access.repo, issue), discussion(ctx, access.repo, issue));
  });

  app.get('/ui/:owner/:repo/pulls/:number', async (request, reply) => {
    const access = accessOf(ctx, request);
    const pull = pullOf(ctx, request, access);
    const body = html`${discussion(ctx, access.repo, pull)} ${await changes(ctx, access.repo, pull, facts)}`;
    return send(reply, title(access.repo, pull), body);
  });
}

function send(reply: FastifyReply, heading: string, body: Html): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    )
    .header('x-content-type-options', 'nosniff')
    .send(page(heading, body).text);
}

function title(repo: Repo, issue: Issue): string {
  return `${repo.owner}/${repo.name} #${issue.number}: ${issue.title}`;
}

function row(ctx: ForgeContext, repo: Repo, issue: Issue): Html {
  const kind = issue.is_pull === 1 ? 'pulls' : 'issues';
  const labels = labelsOfIssue(ctx.sql, issue.id).map(
    ({ name }) => html`<span class="label">${name}</span> `,
  );
  return html`<tr>
    <td>#${issue.number}</td>
    <td>${issue.is_pull === 1 ? 'pull request' : 'issue'}</td>
    <td>${stateOf(ctx, issue)}</td>
    <td><a href="/ui/${repo.owner}/${repo.name}/${kind}/${issue.number}">${issue.title}</a> ${labels}</td>
    <td>${issue.author}</td>
  </tr>`;
}

function stateOf(ctx: ForgeContext, issue: Issue): string {
  return issue.is_pull === 1 && pullById(ctx.sql, issue.id).merged_ms !== null ? 'merged' : issue.state;
}

function entry(author: string, at_ms: number, what: string, text: string | null): Html {
  return html`<section>
    <p><b>${author}</b> ${what} <time>${seconds(at_ms)}</time></p>
    <pre>${text ?? ''}</pre>
  </section>`;
}

function discussion(ctx: ForgeContext, repo: Repo, issue: Issue): Html {
  const all = { limit: SHOWN, offset: 0 };
  const query = {
    repo_id: repo.id,
    issue_id: issue.id,
    since_ms: null,
    sort: 'created',
    direction: 'asc',
  } as const;
  const comments = listComments(ctx.sql, query, all).items.map((comment) => ({
    at_ms: comment.created_ms,
    shown: entry(comment.author, comment.created_ms, 'commented', comment.body),
  }));
  const given = issue.is_pull === 1 ? listReviews(ctx.sql, issue.id, all).items : [];
  const reviews = given.map((review) => {
    const what = `${review.state.toLowerCase().replace('_', ' ')} ${review.commit_id.slice(0, 7)}`;
    return {
      at_ms: review.submitted_ms,
      shown: entry(review.author, review.submitted_ms, what, review.body),
    };
  });
  const entries = [...comments, ...reviews].sort((a, b) => a.at_ms - b.at_ms).map(({ shown }) => shown);
  return html`<p>
      <a href="/ui/${repo.owner}/${repo.name}">${repo.owner}/${repo.name}</a> · ${stateOf(ctx, issue)}
    </p>
    ${entry(issue.author, issue.created_ms, 'opened', issue.body)} ${entries}`;
}

async function changes(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  facts: (repo: Repo, pull: Pull) => Promise<PullFacts>,
): Promise<Html> {
  const git_dir = ctx.gitDir(repo);
  const numbers = await facts(repo, pull);
  const from = await forkPoint(git_dir, pull);
  const diff = await diffText(git_dir, from, pull.head_sha, DIFF_SHOWN);
  return html`<h2>Changes</h2>
    <p>
      ${pull.head_ref} → ${pull.base_ref}, ${numbers.commits} commits, ${numbers.changed_files} files,
      +${numbers.additions} −${numbers.deletions}, ${pull.state === 'open' ? numbers.mergeable_state : ''}
    </p>
    <pre>${diff.text}${diff.cut ? '\n[cut]' : ''}</pre>`;
}
