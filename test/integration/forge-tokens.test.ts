import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import type { RunningForge } from '@caloron/forge';
import type { RunResult } from '@caloron/noether';
import { loadGraph, type Runtime } from '@caloron/scheduler';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { temporaryHome } from '../support/home.ts';
import { LIB, libForge, runtimeAt } from '../support/lib-forge.ts';
import { ROOT } from '../support/tree.ts';

const KICKOFF = join(ROOT, 'compositions/kickoff.json');
const TICK = join(ROOT, 'compositions/sprint_tick.json');

let dir: string;
let undo: (() => unknown)[];
let forge: RunningForge;
let token: string;
/** A host that is not the sprint's: what came to it. */
let heard: string[];
let stranger: string;

beforeEach(async () => {
  const home = temporaryHome();
  undo = [() => home.remove()];
  dir = home.dir;
  ({ forge, token } = await libForge(join(dir, 'forge')));
  undo.push(() => forge.close());
  heard = [];
  const server: Server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stranger = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const step of undo.reverse()) await step();
});

/** A home of its own with settings and variables; no shell runs. */
function runtimeOf(settings: object | null, variables: Readonly<Record<string, string>>): Runtime {
  const runtime = runtimeAt(join(dir, 'home'), settings, variables);
  undo.push(() => runtime.close());
  return runtime;
}

const kickoff = (runtime: Runtime, more: object): Promise<RunResult> =>
  runtime.run({
    graph: loadGraph(KICKOFF),
    graph_name: KICKOFF,
    input: { brief: '- [one] Do one thing', repo: LIB, sprint_id: 's1', ...more },
  });

/** Origins that are sent the forge's token. */
function watch(): Set<string> {
  const origins = new Set<string>();
  const { fetch: real } = globalThis;
  vi.spyOn(globalThis, 'fetch').mockImplementation((address, init) => {
    const url = new URL(address instanceof Request ? address.url : address);
    if (new Headers(init?.headers).get('authorization')?.includes(token) === true) origins.add(url.origin);
    return real(address, init);
  });
  return origins;
}

describe('a forge token', () => {
  it('5.5.1 is used on the sprint’s own host alone, for what is written too', async () => {
    const told = watch();
    const runtime = runtimeOf(
      { host: forge.url, token_env: 'CALORON_FORGE_TOKEN', agent_logins: ['agent'] },
      { CALORON_FORGE_TOKEN: token },
    );

    const begun = await kickoff(runtime, {});
    const ticked = await runtime.run({
      graph: loadGraph(TICK),
      graph_name: TICK,
      input: { sprint_id: 's1', repo: LIB },
    });

    expect([begun, ticked]).toEqual([
      expect.objectContaining({ ok: true }),
      expect.objectContaining({ ok: true }),
    ]);
    expect(begun).toMatchObject({ output: { issues_created: [1] } });
    expect([...told]).toEqual([forge.url]);
  });

  it.each([
    ['GITHUB_TOKEN without settings', null, 'GITHUB_TOKEN', /belongs to https:\/\/api\.github\.com/],
    ['one that caloron.json binds', { token_env: 'GITEA_TOKEN', host: 'forge' }, 'GITEA_TOKEN', /belongs to/],
    ['one that caloron.json binds to github.com', { token_env: 'MINE' }, 'MINE', /belongs to https:\/\/api/],
  ])('5.5.12 %s goes to no host that a kickoff names', async (_name, settings, token_env, says) => {
    const bound = settings !== null && 'host' in settings ? { ...settings, host: forge.url } : settings;
    const told = watch();
    const runtime = runtimeOf(bound, { [token_env]: token, CALORON_TOKEN_ENVS: token_env });

    const result = await kickoff(runtime, { host: stranger, token_env });

    expect(result).toMatchObject({ ok: false, error: { code: 'FORGE_TOKEN_OTHER_HOST' } });
    expect(result).toMatchObject({ error: { message: expect.stringMatching(says) as string } });
    expect(heard).toEqual([]);
    expect([...told]).toEqual([]);
  });

  it('5.5.12 of a variable nobody allowed is not read', async () => {
    const runtime = runtimeOf(null, { AWS_SECRET: token });

    const result = await kickoff(runtime, { host: stranger, token_env: 'AWS_SECRET' });

    expect(result).toMatchObject({ ok: false, error: { code: 'FORGE_TOKEN_NOT_ALLOWED' } });
    expect(heard).toEqual([]);
  });

  it('5.4.18 that is not set is told by its variable, before any request', async () => {
    const runtime = runtimeOf({ host: stranger, token_env: 'GITEA_TOKEN' }, { GITEA_TOKEN: ' ' });

    const result = await kickoff(runtime, {});

    expect(result).toMatchObject({
      ok: false,
      error: {
        code: 'FORGE_TOKEN_MISSING',
        message: expect.stringContaining('GITEA_TOKEN') as string,
        hint: expect.stringContaining('export GITEA_TOKEN=') as string,
      },
    });
    expect(heard).toEqual([]);
  });
});
