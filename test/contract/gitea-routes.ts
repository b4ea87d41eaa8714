import { type GiteaState, isWip, now, type Pull, type Review, type Ticket } from './gitea-state.ts';
import { giteaWire } from './gitea-wire.ts';
import type { Login } from './host.ts';

/** What was asked. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly login: Login;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What is answered: one thing, or a list that goes out in pages; nothing is a 200 without a body. */
export interface Reply {
  readonly status?: number;
  readonly json?: unknown;
  readonly list?: readonly unknown[];
}

type Route = (asked: Asked, ...parts: string[]) => Reply;

const MISSING: Reply = {
  status: 404,
  json: { message: 'The target couldn’t be found.', url: '', errors: null },
};
const CLOSING = /\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\s+#(\d+)/gi;

const refuse = (status: number, message: string): Reply => ({ status, json: { message, url: '' } });
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const mayWrite = ({ login }: Asked): boolean => login !== 'mallory';
const isIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'number');

/** The answers of Gitea 1.22 and later, as its handlers in routers/api/v1/repo give them. */
export function giteaRoutes(state: GiteaState, address: string): (asked: Asked) => Reply {
  const wire = giteaWire(state, address);
  const { git } = state;

  function issues({ url }: Asked): Reply {
    const names = (url.searchParams.get('labels') ?? '').split(',');
    // Names that are no label are dropped, and no label at all is no condition.
    const wanted = state.labels.filter(({ name }) => names.includes(name)).map(({ id }) => id);
    const since = Date.parse(url.searchParams.get('since') ?? '');
    const found = state.tickets.filter(
      ({ labels, updated_at }) =>
        wanted.every((id) => labels.includes(id)) && !(Date.parse(updated_at) < since),
    );
    return { list: found.map((ticket) => wire.issue(ticket)).reverse() };
  }

  function createIssue(asked: Asked): Reply {
    const { login, body } = asked;
    if (!isIds(body['labels'] ?? []))
      return refuse(422, 'json: cannot unmarshal string into Go struct field');
    const ticket = state.add(login, { title: text(body['title']), body: text(body['body']) }, null);
    ticket.labels = isIds(body['labels']) ? [...body['labels']] : [];
    return { status: 201, json: wire.issue(ticket) };
  }

  function edit(asked: Asked, ticket: Ticket): Reply | undefined {
    if (!mayWrite(asked) && asked.login !== ticket.poster) return { status: 403 };
    const { body } = asked;
    if (typeof body['body'] === 'string') ticket.body = body['body'];
    ticket.updated_at = now();
    if (body['state'] === 'open' || body['state'] === 'closed') state.setState(ticket, body['state']);
    return undefined;
  }

  function createPull({ login, body }: Asked): Reply {
    const [head, base] = [text(body['head']), text(body['base'])];
    const head_sha = git.branches.get(head);
    if (head_sha === undefined || !git.branches.has(base)) return MISSING;
    const twin = state.tickets.find(
      (one) => one.state === 'open' && one.pull?.head === head && one.pull.base === base,
    );
    if (twin !== undefined) return refuse(409, 'pull request already exists for these targets');
    const unmerged = { checking: false, merged_at: null, merge_commit_sha: null };
    const pull: Pull = { head, base, head_sha, ...unmerged, reviews: [] };
    const ticket = state.add(login, { title: text(body['title']), body: text(body['body']) }, pull);
    return { status: 201, json: wire.pull(ticket) };
  }

  function merge(asked: Asked, ticket: Ticket, pull: Pull): Reply {
    const { body } = asked;
    if (pull.merged_at !== null) return refuse(405, '');
    if (ticket.state === 'closed') return MISSING;
    if (!mayWrite(asked)) return refuse(405, 'User not allowed to merge PR');
    if (isWip(ticket)) return refuse(405, 'Work in progress PRs cannot be merged');
    if (pull.checking || !git.canMerge(git.branches.get(pull.base) ?? '', pull.head_sha))
      return refuse(405, 'Please try again later');
    if (text(body['head_commit_id']) !== pull.head_sha) return refuse(409, 'head out of date');
    pull.merge_commit_sha = git.merge(
      pull.base,
      pull.head_sha,
      text(body['Do']),
      text(body['MergeTitleField']),
    );
    state.setState(ticket, 'closed');
    pull.merged_at = ticket.closed_at;
    for (const [, number] of ticket.body.matchAll(CLOSING)) {
      const named = state.find(Number(number));
      if (named !== undefined) state.setState(named, 'closed');
    }
    return {};
  }

  function review({ login, body }: Asked, ticket: Ticket, pull: Pull): Reply {
    const event = body['event'];
    if (event !== 'APPROVED' && event !== 'REQUEST_CHANGES' && event !== 'COMMENT')
      return { json: { id: 1, state: 'PENDING', user: wire.user(login), body: '', commit_id: '' } };
    const said = text(body['body']).trim();
    if (login === ticket.poster && event !== 'COMMENT')
      return refuse(422, `${event === 'APPROVED' ? 'approve' : 'reject'} your own pull is not allowed`);
    if (event !== 'APPROVED' && said === '') return refuse(422, `review event ${event} requires a body`);
    const commit_id = text(body['commit_id']) || pull.head_sha;
    const made: Review = {
      id: state.nextId(),
      reviewer: login,
      state: event,
      body: said,
      commit_id,
      submitted_at: now(),
    };
    pull.reviews.push(made);
    return { json: wire.review(made) };
  }

  function comment({ login, body }: Asked, ticket: Ticket): Reply {
    const made = {
      id: state.nextId(),
      ticket: ticket.number,
      poster: login,
      body: text(body['body']),
      at: now(),
    };
    state.comments.push(made);
    ticket.updated_at = made.at;
    return { status: 201, json: wire.comment(made) };
  }

  function editComment({ body }: Asked, id?: string): Reply {
    const found = state.comments.find((one) => one.id === Number(id));
    if (found === undefined) return MISSING;
    Object.assign(found, { body: text(body['body']), edited_at: now() });
    return { json: wire.comment(found) };
  }

  function statusOf(_: Asked, sha = ''): Reply {
    const word = state.statuses.get(sha);
    return word === undefined
      ? {}
      : { json: { state: word, sha, total_count: 1, statuses: [{ status: word }] } };
  }

  const ticketed =
    (act: (asked: Asked, ticket: Ticket, rest: string) => Reply): Route =>
    (asked, number = '', rest = '') => {
      const ticket = state.find(Number(number));
      return ticket === undefined ? MISSING : act(asked, ticket, rest);
    };
  const pulled = (act: (asked: Asked, ticket: Ticket, pull: Pull) => Reply): Route =>
    ticketed((asked, ticket) => (ticket.pull === null ? MISSING : act(asked, ticket, ticket.pull)));

  const table: readonly (readonly [string, RegExp, Route])[] = [
    ['GET', /^\/user$/, ({ login }) => ({ json: wire.user(login) })],
    ['GET', /^\/repos\/alice\/app$/, () => ({ json: wire.repo })],
    [
      'GET',
      /\/app\/commits$/,
      () => ({ list: git.history(git.branches.get('main') ?? '').map((sha) => wire.commit(sha)) }),
    ],
    ['GET', /\/app\/commits\/(\w+)\/status$/, statusOf],
    [
      'GET',
      /\/app\/compare\/(.+)\.\.\.(.+)$/,
      (_, one = '', other = '') => {
        const [base, head] = [git.resolve(one), git.resolve(other)];
        return base === undefined || head === undefined
          ? MISSING
          : { json: { total_commits: git.ahead(base, head), commits: [] } };
      },
    ],
    ['GET', /\/app\/issues$/, issues],
    ['POST', /\/app\/issues$/, createIssue],
    [
      'GET',
      /\/app\/issues\/comments$/,
      ({ url }) => {
        const since = Date.parse(url.searchParams.get('since') ?? '');
        return {
          list: state.comments.filter(({ at }) => !(Date.parse(at) < since)).map((one) => wire.comment(one)),
        };
      },
    ],
    ['GET', /\/app\/issues\/(\d+)$/, ticketed((_, ticket) => ({ json: wire.issue(ticket) }))],
    [
      'PATCH',
      /\/app\/issues\/(\d+)$/,
      ticketed((asked, ticket) => edit(asked, ticket) ?? { status: 201, json: wire.issue(ticket) }),
    ],
    [
      'GET',
      /\/app\/issues\/(\d+)\/comments$/,
      ticketed((_, { number }) => ({
        json: state.comments.filter((one) => one.ticket === number).map((one) => wire.comment(one)),
      })),
    ],
    ['POST', /\/app\/issues\/(\d+)\/comments$/, ticketed(comment)],
    ['PATCH', /\/app\/issues\/comments\/(\d+)$/, editComment],
    [
      'POST',
      /\/app\/issues\/(\d+)\/labels$/,
      ticketed((asked, ticket) => {
        if (!mayWrite(asked)) return refuse(403, 'write permission is required');
        if (!isIds(asked.body['labels'])) return refuse(422, 'labels are ids');
        ticket.labels = [...new Set([...ticket.labels, ...asked.body['labels']])];
        ticket.updated_at = now();
        return { json: state.labels };
      }),
    ],
    [
      'DELETE',
      /\/app\/issues\/(\d+)\/labels\/(\d+)$/,
      ticketed((_, ticket, id) => {
        ticket.labels = ticket.labels.filter((one) => one !== Number(id));
        return { status: 204 };
      }),
    ],
    ['GET', /\/app\/labels$/, () => ({ list: state.labels })],
    [
      'POST',
      /\/app\/labels$/,
      (asked) => {
        if (!mayWrite(asked)) return refuse(403, 'write permission is required');
        const made = { id: state.nextId(), name: text(asked.body['name']), color: text(asked.body['color']) };
        state.labels.push(made);
        return { status: 201, json: made };
      },
    ],
    [
      'GET',
      /\/app\/pulls$/,
      () => {
        const found = state.tickets.filter(({ pull }) => pull !== null);
        const newest = found.sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at));
        return { list: newest.map((ticket) => wire.pull(ticket)) };
      },
    ],
    ['POST', /\/app\/pulls$/, createPull],
    ['GET', /\/app\/pulls\/(\d+)$/, pulled((_, ticket) => ({ json: wire.pull(ticket) }))],
    [
      'PATCH',
      /\/app\/pulls\/(\d+)$/,
      pulled((asked, ticket) => edit(asked, ticket) ?? { status: 201, json: wire.pull(ticket) }),
    ],
    ['POST', /\/app\/pulls\/(\d+)\/merge$/, pulled(merge)],
    [
      'GET',
      /\/app\/pulls\/(\d+)\/reviews$/,
      pulled((_, __, pull) => ({ list: pull.reviews.map((one) => wire.review(one)) })),
    ],
    ['POST', /\/app\/pulls\/(\d+)\/reviews$/, pulled(review)],
    [
      'POST',
      /\/app\/pulls\/(\d+)\/requested_reviewers$/,
      pulled((_, __, pull) => {
        const asked = { reviewer: 'bob', state: 'REQUEST_REVIEW', body: '', commit_id: '' } as const;
        pull.reviews.push({ ...asked, id: state.nextId(), submitted_at: now() });
        return { status: 201, json: [] };
      }),
    ],
    [
      'DELETE',
      /\/app\/branches\/(.+)$/,
      (_, branch = '') => (git.branches.delete(branch) ? { status: 204 } : MISSING),
    ],
  ];

  return (asked) => {
    const path = decodeURIComponent(asked.url.pathname.replace(/^\/api\/v1/, ''));
    for (const [method, pattern, route] of table) {
      const parts = method === asked.method ? pattern.exec(path) : null;
      if (parts !== null) return route(asked, ...parts.slice(1));
    }
    return MISSING;
  };
}
