import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';

import { fixedClock } from '@caloron/capabilities/clock';
import { createEnvironment } from '@caloron/capabilities/host/environment';
import { createFolders } from '@caloron/capabilities/host/folders';
import { createFiles } from '@caloron/capabilities/host/fs';
import { createHttp } from '@caloron/capabilities/host/http';
import { createProcesses } from '@caloron/capabilities/host/process';
import { createStdio } from '@caloron/capabilities/host/stdio';
import { createTimer } from '@caloron/capabilities/host/timer';
import { openStore } from '@caloron/store/store';
import type { Llm, ProcessHost, StageCatalog } from '@caloron/types';

/** What an effectful stage's examples run in: real files, servers and processes, made for one example. */
export interface World {
  /** The clients of the stage's capabilities. */
  readonly context: object;
  /** Text of an example → what stands there in this world, e.g. a server's address; read before and after the run. */
  readonly places: Readonly<Record<string, string>>;
  readonly close: () => Promise<void> | void;
}

const AT = '2026-04-14T08:30:00.000Z';
const STARTED_AT = '1776155400';
const PID = '424242';
const ENDED_PID = '434343';

const clock = fixedClock(AT);
const nothing = (): void => undefined;

function still(context: object): World {
  return { context, places: {}, close: nothing };
}

async function kvWorld(): Promise<World> {
  const store = openStore(':memory:', { clock, uuid: () => '00000000-0000-4000-8000-000000000000' });
  await store.kv.put('colour', 'red');
  await store.kv.put('nothing', null);
  await store.kv.put('colour', { r: 255, g: 0, b: 0 }, { namespace: 'ui' });
  await store.kv.put('col_1', 1, { namespace: 'ui' });
  return { context: { kv: store.kv }, places: {}, close: () => store.close() };
}

/** A server that knows one item, tells a header, and echoes what it is sent. */
async function httpWorld(): Promise<World> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const type = request.headers['content-type'] ?? '';
      const answers: Readonly<Record<string, readonly [number, string, string]>> = {
        '/items/1': [200, 'application/json', '{"id":1}'],
        '/header': [200, 'text/plain', String(request.headers['x-one'])],
        '/echo': [200, 'text/plain', `${request.method} ${type} ${body}`],
      };
      const [status, contentType, text] = answers[request.url ?? ''] ?? [404, 'text/plain', 'nothing here'];
      response.sendDate = false;
      response.shouldKeepAlive = false;
      response.removeHeader('connection');
      response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
      response.end(text);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    context: { http: createHttp({ hosts: [host] }) },
    places: { 'http://api.example.org': `http://${host}` },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A project with a text and a folder. */
function project(): { readonly root: string; readonly remove: () => void } {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'caloron-library-')));
  mkdirSync(join(root, 'docs'));
  writeFileSync(join(root, 'notes.txt'), 'grün\n');
  writeFileSync(join(root, 'docs/empty.md'), '');
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

function fileWorld(): World {
  const { root, remove } = project();
  const fs = createFiles(createFolders({ root, allow: [], deny: [] }));
  return { context: { fs }, places: { '/project': root }, close: remove };
}

function processHost(): { readonly process: ProcessHost; readonly dir: string; readonly close: () => void } {
  const { root, remove } = project();
  const dir = join(root, '.caloron');
  const env = { PATH: process.env['PATH'] ?? '' };
  const folders = createFolders({ root, allow: [], deny: [] });
  const close = (): void => {
    for (const { pid } of recordsOf(dir)) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    remove();
  };
  return { process: createProcesses({ folders, dir, env, clock }), dir, close };
}

function recordsOf(dir: string): readonly { readonly pid: number; readonly output_path: string }[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as { pid: number; output_path: string });
}

/** The one process that was started stands for the example's. */
function startingWorld(): World {
  const host = processHost();
  mkdirSync(host.dir, { recursive: true });
  return {
    context: { process: host.process },
    get places() {
      const [record] = recordsOf(host.dir);
      return record === undefined ? {} : { [PID]: String(record.pid), '/process.log': record.output_path };
    },
    close: host.close,
  };
}

/** Two processes: one goes on, one has ended with code 3. */
async function startedWorld(): Promise<World> {
  const { process, close } = processHost();
  const order = { cwd: null, env: {} };
  const running = await process.spawn({ cmd: 'sleep', args: ['60'], ...order });
  const ended = await process.spawn({ cmd: 'sh', args: ['-c', 'exit 3'], ...order });
  await process.wait({ pid: ended.pid, started_at: null }, 10_000);
  const places = { [PID]: String(running.pid), [ENDED_PID]: String(ended.pid), [STARTED_AT]: STARTED_AT };
  return { context: { process }, places, close };
}

function environmentWorld(): World {
  const variables = { LANG: 'C.UTF-8', EMPTY: '', TOKEN: 'secret' };
  return still({ environment: createEnvironment({ variables, allow: ['LANG', 'EMPTY', 'NOT_SET'] }) });
}

function stdioWorld(): World {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  return still({ stdio: createStdio({ input: Readable.from(['gr', 'ün\n']), output }) });
}

const random = { uuid: () => '6f1c8d52-3f0e-4b7a-9a45-0c3f0e5b7a9a', fraction: () => 0.5 };

const UPPER = {
  id: 'c0ffee',
  name: 'text_upper',
  description: 'Gives a text in upper case.',
  input: 'Text',
  output: 'Text',
  effects: ['pure'],
  lifecycle: 'Active',
  examples_count: 3,
};

/** A catalog of one stage; the real one is tried in the scheduler's tests. */
function catalogWorld(): World {
  const catalog: StageCatalog = {
    describe: async () => UPPER,
    search: async (question, limit) =>
      question === 'upper case' ? [{ ...UPPER, score: 1 }].slice(0, limit) : [],
  };
  return still({ catalog });
}

/** A model that says the same to everyone. */
function llmWorld(text: string): () => World {
  const complete: Llm['complete'] = async ({ model = 'example-1' }) => ({ text, model, tokens_used: 12 });
  return () => still({ llm: { available: true, complete } });
}

/** One world for each effectful stage. */
export const worlds: Readonly<Record<string, () => Promise<World> | World>> = {
  env_get: environmentWorld,
  file_exists: fileWorld,
  http_delete: httpWorld,
  http_get: httpWorld,
  http_head: httpWorld,
  http_patch: httpWorld,
  http_post: httpWorld,
  http_put: httpWorld,
  http_request: httpWorld,
  kill_process: startedWorld,
  kv_delete: kvWorld,
  kv_exists: kvWorld,
  kv_get: kvWorld,
  kv_list: kvWorld,
  kv_set: kvWorld,
  list_dir: fileWorld,
  llm_classify: llmWorld('{"category":"bug","confidence":0.9}'),
  llm_complete: llmWorld('hello'),
  llm_extract: llmWorld('{"extracted":{"name":"Ada","age":36}}'),
  now: () => still({ clock }),
  random_int: () => still({ random }),
  random_text: () => still({ random }),
  read_file: fileWorld,
  run_command: startingWorld,
  signal_process: startedWorld,
  sleep: () => still({ timer: createTimer(clock) }),
  spawn_process: startingWorld,
  stdin_read: stdioWorld,
  stdout_write: stdioWorld,
  stage_describe: catalogWorld,
  store_search: catalogWorld,
  trace_read: () =>
    still({ trace: { read: async () => ({ run: { run_id: 'run-1', status: 'ok' }, steps: [] }) } }),
  uuid: () => still({ random }),
  wait_process: startedWorld,
  write_file: fileWorld,
};
