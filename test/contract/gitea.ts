import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Sha } from '@caloron/types';

import { giteaRoutes, type Reply } from './gitea-routes.ts';
import { GiteaState } from './gitea-state.ts';
import { clients, type ContractHost, type ContractWorld, type Login } from './host.ts';
import { openWire } from './wire.ts';

const TOKENS = { alice: 'gitea_alice', bob: 'gitea_bob', mallory: 'gitea_mallory' };
const LOGINS = new Map<string, Login>(
  (Object.keys(TOKENS) as Login[]).map((login) => [`token ${TOKENS[login]}`, login]),
);

/** The most one page holds, whatever was asked for. */
const MAX_PAGE = 50;

function send(response: ServerResponse, url: URL, { status = 200, json, list }: Reply): void {
  if (list !== undefined) {
    const limit = Math.min(Number(url.searchParams.get('limit') ?? 30), MAX_PAGE);
    const page = Number(url.searchParams.get('page') ?? 1);
    const next = new URL(url);
    next.searchParams.set('page', String(page + 1));
    const more = list.length > page * limit;
    response.writeHead(200, {
      'content-type': 'application/json;charset=utf-8',
      'x-total-count': String(list.length),
      ...(more ? { link: `<${next.href}>; rel="next"` } : {}),
    });
    response.end(JSON.stringify(list.slice((page - 1) * limit, page * limit)));
    return;
  }
  response.writeHead(status, json === undefined ? {} : { 'content-type': 'application/json;charset=utf-8' });
  response.end(json === undefined ? undefined : JSON.stringify(json));
}

/** The world of a scripted Gitea, and what it knows. */
export interface GiteaWorld extends ContractWorld {
  readonly state: GiteaState;
}

/** Gitea as a script of what its source answers (docs/forge-compat.md tells where): none can be installed on the machine that tests. */
export const scriptedGitea: Omit<ContractHost, 'start'> & { start(): Promise<GiteaWorld> } = {
  name: 'a scripted Gitea',
  lacks: {
    'read: knows the common ancestor of two branches': 'compare answers total_commits and commits alone',
    'poll: is three times 304 when nothing is new':
      'its lists carry no ETag: an idle tick is three times 200',
  },
  async start() {
    const state = new GiteaState();
    let routes: ReturnType<typeof giteaRoutes> | undefined;
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = new URL(request.url ?? '/', `http://${request.headers.host ?? ''}`);
        const login = LOGINS.get(request.headers.authorization ?? '');
        const text = Buffer.concat(chunks).toString();
        const body = text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
        const unknown = { status: 401, json: { message: 'invalid username, password or token' } };
        const method = request.method ?? 'GET';
        send(
          response,
          url,
          login === undefined ? unknown : (routes?.({ method, url, login, body }) ?? { status: 404 }),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    routes = giteaRoutes(state, address);
    const wire = await openWire(address);
    return {
      state,
      wire,
      merge_verb: 'POST',
      conflict_code: 'FORGE_MERGE_UNSETTLED',
      ...clients(wire, TOKENS, '/api/v1'),
      async commit(branch, files) {
        const sha = Sha.parse(state.git.write(branch, files));
        state.follow(branch);
        return sha;
      },
      async fill(count) {
        for (let made = 0; made < count; made += 1)
          state.add('alice', { title: 'one of many', body: '' }, null);
      },
      async setStatus(sha, word) {
        state.statuses.set(sha, word);
      },
      async close() {
        await wire.close();
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      },
    };
  },
};
