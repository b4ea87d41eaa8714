import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ForgeContext } from '../context.ts';
import { requireViewer } from '../auth.ts';
import { changes } from '../diff-page.ts';
import { discussion, labelChips, stateWord } from '../discussion-page.ts';
import { notFound } from '../errors.ts';
import { countOpen, listIssues, type Issue } from '../model/issues.ts';
import { pullById, type Pull } from '../model/pulls.ts';
import { allRepos, permissionOf, type Repo } from '../model/repos.ts';
import { html, page, type Html } from '../html.ts';
import type { PullFacts } from '../pull-facts.ts';
import { accessOf, issueOf, pageOf, pullByWord, pullOf } from '../request.ts';
import { sendText } from './pulls.ts';

/** Seconds between two looks of a page that is watched. */
const WATCH_S = 5;

/** Pages for a person: repositories, issues, pull requests. They show and change nothing. */
export function pageRoutes(
  app: FastifyInstance,
  ctx: ForgeContext,
  facts: (repo: Repo, pull: Pull) => Promise<PullFacts>,
): void {
  app.get('/', async (_request, reply) => reply.redirect('/ui/'));
  signIn(app);
  knownAddresses(app, ctx);

  app.get('/ui', async (request, reply) => {
    const repos = allRepos(ctx.sql).filter((repo) => permissionOf(ctx.sql, repo, request.viewer) !== null);
    const rows = repos.map(
      (repo) =>
        html`<tr>
          <td class="wide">
            <a href="/ui/${repo.owner}/${repo.name}">${repo.owner}/${repo.name}</a>
            ${repo.private === 1 ? '(private)' : ''} <bdi class="soft">${repo.description ?? ''}</bdi>
          </td>
          <td class="few">${countOpen(ctx.sql, repo.id)} open</td>
        </tr>`,
    );
    const table = html`<table>
      ${rows}
    </table>`;
    const list = rows.length === 0 ? html`<p>There is none yet.</p>` : table;
    const more = html`<p><a href="/ui/sign-in">sign in to see private ones</a></p>`;
    return send(request, reply, 'Repositories', html`${list} ${request.viewer === null ? more : html``}`);
  });

  app.get('/ui/:owner/:repo', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    return send(request, reply, `${repo.owner}/${repo.name}`, issueList(ctx, request, repo));
  });

  app.get('/ui/:owner/:repo/issues/:number', async (request, reply) => {
    const access = accessOf(ctx, request);
    const issue = issueOf(ctx, request, access);
    const trail = trailOf(access.repo);
    return send(request, reply, title(issue), discussion(ctx, access.repo, issue), trail);
  });

  app.get('/ui/:owner/:repo/pulls/:number', async (request, reply) => {
    const access = accessOf(ctx, request);
    const word = z.object({ number: z.string() }).parse(request.params).number;
    const [, number = '', kind] = /^(\d+)\.(diff|patch)$/.exec(word) ?? [];
    if (kind === 'diff' || kind === 'patch') {
      const pull = pullByWord(ctx, access, number);
      void reply.headers({ 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' });
      return sendText(ctx, reply, access.repo, pull, kind, 'text/plain');
    }
    const pull = pullOf(ctx, request, access);
    const changed = await changes(ctx, access.repo, pull, await facts(access.repo, pull));
    const body = html`${discussion(ctx, access.repo, pullById(ctx.sql, pull.id))} ${changed}`;
    return send(request, reply, title(pull), body, trailOf(access.repo));
  });
}

/** Browsers ask for a token where they are refused without one, and send it below the same path from then on. */
function signIn(app: FastifyInstance): void {
  app.get('/ui/sign-in', async (request, reply) => {
    requireViewer(request);
    return reply.redirect('/ui/');
  });
}

/** Addresses as a person knows them from GitHub, and a page for those that lead nowhere. */
function knownAddresses(app: FastifyInstance, ctx: ForgeContext): void {
  for (const list of ['issues', 'pulls'])
    app.get(`/ui/:owner/:repo/${list}`, async (request, reply) => {
      const { repo } = accessOf(ctx, request);
      return reply.redirect(`/ui/${repo.owner}/${repo.name}`);
    });
  app.get('/ui/:owner/:repo/pull/:number', async (request, reply) => {
    const access = accessOf(ctx, request);
    const { number } = pullOf(ctx, request, access);
    return reply.redirect(`/ui/${access.repo.owner}/${access.repo.name}/pulls/${number}`);
  });
  app.get('/ui/*', () => {
    throw notFound();
  });
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** Answers with a page: it may hold nothing from elsewhere and run nothing. */
export function send(
  request: FastifyRequest,
  reply: FastifyReply,
  heading: string,
  body: Html,
  trail: Html = html``,
): FastifyReply {
  const query = z.record(z.string(), z.unknown()).parse(request.query);
  const watched = query['watch'] !== undefined;
  const toggle = watched
    ? html`<a href="?">stop watching</a>`
    : html`<a href="?watch=1">watch (every ${WATCH_S} s)</a>`;
  const options = { trail: html`${trail}${toggle}`, refresh: watched ? WATCH_S : undefined };
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'no-store')
    .send(page(heading, body, options).text);
}

function trailOf(repo: Repo): Html {
  return html`<a href="/ui/${repo.owner}/${repo.name}">${repo.owner}/${repo.name}</a>`;
}

function title(issue: Issue): string {
  return `#${issue.number} ${issue.title}`;
}

function issueList(ctx: ForgeContext, request: FastifyRequest, repo: Repo): Html {
  const at = pageOf(request);
  const query = { state: 'all', labels: [], since_ms: null, creator: null, assignee: null } as const;
  const order = { sort: 'created', direction: 'desc' } as const;
  const { items, total } = listIssues(ctx.sql, repo.id, { ...query, ...order }, at);
  const newer = at.number > 1 ? html`<a href="?page=${at.number - 1}">newer</a>` : html``;
  const older = at.offset + at.limit < total ? html`<a href="?page=${at.number + 1}">older</a>` : html``;
  if (total === 0) return html`<p>No issue and no pull request yet.</p>`;
  return html`<table>
      <tr class="head">
        <th class="few">number</th>
        <th class="few">kind</th>
        <th class="few">state</th>
        <th>title</th>
        <th class="few">by</th>
      </tr>
      ${items.map((issue) => row(ctx, repo, issue))}
    </table>
    <p>${newer} ${older}</p>`;
}

function row(ctx: ForgeContext, repo: Repo, issue: Issue): Html {
  const kind = issue.is_pull === 1 ? 'pulls' : 'issues';
  return html`<tr>
    <td class="few">#${issue.number}</td>
    <td class="few">${issue.is_pull === 1 ? 'pull request' : 'issue'}</td>
    <td class="few">${stateWord(ctx, issue)}</td>
    <td class="wide">
      <a href="/ui/${repo.owner}/${repo.name}/${kind}/${issue.number}"><bdi>${issue.title}</bdi></a>
      ${labelChips(ctx, issue)}
    </td>
    <td class="few">${issue.author}</td>
  </tr>`;
}
