import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { addUser } from '@caloron/forge';
import autocannon from 'autocannon';

import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';
import { start } from './process.ts';
import type { Row } from './table.ts';

const REPO = 'bench/app';
const ISSUES = 100;
/** Requests under way at once: as many as a sprint of ten agents, its tick and its reader make. */
const CONNECTIONS = 8;
const SECONDS = 1;
const RUNS = 5;
const PULLS = 10;
const AUTHOR = { name: 'bench', email: 'bench@example.com' };

/** A forge in a process of its own, and who uses it. */
interface World {
  readonly url: string;
  readonly token: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One request that must succeed; gives its answer. */
async function ask(
  { url, headers }: World,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly etag: string; readonly json: Readonly<Record<string, unknown>> }> {
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await fetch(`${url}${path}`, init);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  const json = (await answer.json()) as Record<string, unknown>;
  return { etag: answer.headers.get('etag') ?? '', json };
}

/** Requests per second of some connections, for a second. */
async function load(
  world: World,
  request: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body?: string;
    readonly etag?: string;
  },
): Promise<number> {
  const { method, path, body, etag } = request;
  const result = await autocannon({
    url: `${world.url}${path}`,
    method,
    connections: CONNECTIONS,
    duration: SECONDS,
    headers: { ...world.headers, ...(etag === undefined ? {} : { 'if-none-match': etag }) },
    ...(body === undefined ? {} : { body }),
  });
  const wanted = etag === undefined ? result['2xx'] : result['3xx'];
  if (result.errors > 0 || wanted < result.requests.total)
    throw new Error(`${method} ${path}: ${result.requests.total - wanted} wrong answers`);
  return result.requests.average;
}

/** A clone with a first commit on main, as agents have one. */
async function cloneOf(world: World, dir: string): Promise<(...args: string[]) => Promise<string>> {
  mkdirSync(dir);
  const options = { cwd: dir, credential: { username: 'bench', token: world.token }, author: AUTHOR };
  const run = async (...args: string[]): Promise<string> => (await git(args, options)).stdout;
  await run('clone', '--quiet', `${world.url}/${REPO}.git`, '.');
  return run;
}

/** Milliseconds of each push, opening and merge of pull requests, one after the other. */
async function life(
  world: World,
  dir: string,
): Promise<Readonly<Record<'push' | 'open' | 'merge', number[]>>> {
  const run = await cloneOf(world, dir);
  const took = { push: [] as number[], open: [] as number[], merge: [] as number[] };
  const measured = async <T>(what: keyof typeof took, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const value = await work();
    took[what].push(performance.now() - from);
    return value;
  };
  for (let n = 0; n < PULLS; n += 1) {
    const head = `work-${n}`;
    await run('checkout', '--quiet', '-B', head, 'origin/main');
    writeFileSync(join(dir, `file-${n}.txt`), `${n}\n`.repeat(100));
    await run('add', '.');
    await run('commit', '--quiet', '-m', head);
    await measured('push', async () => run('push', '--quiet', 'origin', head));
    const pull = { title: head, head, base: 'main', body: 'Closes #1' };
    const { json } = await measured('open', async () => ask(world, 'POST', `/repos/${REPO}/pulls`, pull));
    const path = `/repos/${REPO}/pulls/${String(json['number'])}/merge`;
    await measured('merge', async () => ask(world, 'PUT', path, { merge_method: 'squash' }));
  }
  return took;
}

/** What the local forge does in a second: it must never be what a test waits for. */
export async function benchForge(): Promise<readonly Row[]> {
  const home = temporaryHome();
  const data = join(home.dir, 'forge');
  const { token } = await addUser(data, 'bench');
  const args = ['--port', '0', '--data', data, '--rate-limit', '1000000000'];
  const env = { PATH: process.env['PATH'] ?? '', CALORON_LOG_LEVEL: 'silent' };
  const forge = await start(join(ROOT, 'packages/forge/bin/caloron-forge.mjs'), args, env);
  try {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const world: World = { url: forge.url, token, headers };
    await ask(world, 'POST', '/user/repos', { name: 'app', auto_init: true });
    for (let n = 0; n < ISSUES; n += 1) {
      await ask(world, 'POST', `/repos/${REPO}/issues`, {
        title: `issue ${n}`,
        body: 'b',
        labels: ['bench'],
      });
    }
    const list = `/repos/${REPO}/issues?state=all&per_page=100&sort=updated&direction=desc`;
    const { etag } = await ask(world, 'GET', list);
    const [lists, same, made]: [number[], number[], number[]] = [[], [], []];
    for (let run = 0; run < RUNS; run += 1) {
      lists.push(await load(world, { method: 'GET', path: list }));
      same.push(await load(world, { method: 'GET', path: list, etag }));
    }
    const took = await life(world, join(home.dir, 'clone'));
    const body = JSON.stringify({ title: 'made', body: 'b' });
    for (let run = 0; run < RUNS; run += 1)
      made.push(await load(world, { method: 'POST', path: `/repos/${REPO}/issues`, body }));
    const what = `local forge, ${CONNECTIONS} connections:`;
    return [
      { what: `${what} a list of ${ISSUES} issues`, unit: 'req/s', values: lists },
      { what: `${what} the same unchanged (304)`, unit: 'req/s', values: same },
      { what: `${what} an issue made, durably`, unit: 'req/s', values: made },
      { what: 'local forge, one push', unit: 'ms', values: took.push },
      { what: 'local forge, one pull request opened', unit: 'ms', values: took.open },
      { what: 'local forge, one squash merge', unit: 'ms', values: took.merge },
    ];
  } finally {
    await forge.stop();
    home.remove();
  }
}
