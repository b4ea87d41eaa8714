import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { type Json, parseGraph, type RunResult } from '@caloron/noether';
import { findHome } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createClients } from './clients.ts';
import { readEnvironment } from './environment.ts';
import { createRuntime, type Runtime } from './runtime.ts';

let dir: string;
let beside: string;
let server: Server;
let host: string;
let runtime: Runtime;

beforeEach(async () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'caloron-host-')));
  dir = join(base, 'project');
  beside = join(base, 'beside');
  mkdirSync(join(dir, '.caloron'), { recursive: true });
  mkdirSync(beside);
  writeFileSync(join(dir, '.caloron/shell-token'), 'shell-secret');
  server = createServer((_request, response) => response.end('here')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const home = findHome({ flag: dir, cwd: dir });
  const variables = {
    PATH: process.env['PATH'],
    OPEN: 'yes-it-is-open',
    GITHUB_TOKEN: 'token-secret',
    CALORON_ENV_ALLOW: 'OPEN, ALSO',
    CALORON_FS_ALLOW: beside,
  };
  const environment = readEnvironment(variables, home);
  runtime = createRuntime({ home, environment, clock: systemClock, random: systemRandom });
});
afterEach(() => {
  runtime.close();
  server.closeAllConnections();
  server.close();
  rmSync(join(dir, '..'), { recursive: true, force: true });
});

function run(root: object, input: Json, more: object = {}, trace_values = false): Promise<RunResult> {
  const text = JSON.stringify({ description: '', version: '0.1.0', root, ...more });
  return runtime.run({ graph: parseGraph(text, 'test'), graph_name: 'test', input, rules: { trace_values } });
}

const stage = (id: string, input: Json, more: object = {}): Promise<RunResult> =>
  run({ op: 'Stage', id }, input, more);

describe('a graph over the standard library', () => {
  it('keeps values of a namespace in the database of its home', async () => {
    await stage('kv_set', { key: 'k', namespace: 'n', value: [1] });

    expect(await stage('kv_get', { key: 'k', namespace: 'n' })).toMatchObject({ ok: true, output: [1] });
    expect(await stage('kv_get', { key: 'k' })).toMatchObject({ ok: true, output: null });
    expect(await runtime.store.kv.get('k', { namespace: 'n' })).toEqual({ value: [1], rev: 1 });
  });

  it('is meant by names, ids, prefixes and signature ids', async () => {
    const ids = JSON.parse(
      readFileSync(new URL('../../../test/conformance/stdlib-ids.json', import.meta.url), 'utf8'),
    ) as { stages: { name: string; stage_id: string; signature_id: string }[] };
    const { stage_id, signature_id } = ids.stages.find(({ name }) => name === 'text_length')!;

    for (const reference of ['text_length', stage_id, stage_id.slice(0, 12), signature_id])
      expect(await stage(reference, 'four')).toMatchObject({ ok: true, output: 4 });
  });

  it('reaches forges on the hosts of its policy alone, however their address is made', async () => {
    const home = findHome({ flag: dir, cwd: dir });
    const environment = readEnvironment({ GITHUB_TOKEN: 'token-secret', GITEA_TOKEN: 'other-secret' }, home);
    const { store } = runtime;
    const load = createClients({ store, environment, clock: systemClock, random: systemRandom, home });
    const clients = await load(['forge']);
    const open = (hosts: readonly string[] | null, address: string | null): unknown =>
      clients({ run_id: 'r', composition_id: 'c', graph: 'g', lease: null, hosts }).forge?.forge.open({
        repo: 'a/b',
        host: address,
        token_env: address === null ? 'GITHUB_TOKEN' : 'GITEA_TOKEN',
      });

    expect(open(null, `http://${host}/api/v1`)).toBeDefined();
    expect(open(['api.github.com'], null)).toBeDefined();
    expect(open([host], `http://${host}/api/v1`)).toBeDefined();
    const refused = expect.objectContaining({ code: 'HTTP_HOST_REFUSED' });
    for (const [hosts, address] of [
      [[], null],
      [['api.github.com'], `http://${host}/api/v1`],
      [['api.github.com'], 'https://api.github.com@evil.example'],
      [['api.github.com'], 'https://api.github.com.evil.example'],
    ] as const)
      expect(() => open(hosts, address)).toThrow(refused);
  });

  it('reaches any host without a policy, and only the policy’s with one', async () => {
    const url = `http://${host}/`;

    expect(await stage('http_get', { url })).toMatchObject({
      ok: true,
      output: { status: 200, body: 'here' },
    });
    expect(await stage('http_get', { url }, { policy: { hosts: [host] } })).toMatchObject({ ok: true });
    // The address is not known before the run: the client itself refuses it.
    const hidden = {
      op: 'Sequential',
      stages: [
        { op: 'Project', fields: { url: { path: 'address' } } },
        { op: 'Stage', id: 'http_get' },
      ],
    };
    expect(await run(hidden, { address: url }, { policy: { hosts: ['example.org'] } })).toMatchObject({
      ok: false,
      error: { code: 'HTTP_HOST_REFUSED' },
    });
    expect(await run(hidden, { address: url }, { policy: { hosts: [] } })).toMatchObject({ ok: false });
  });

  it('uses files of the project and of allowed folders, not what Caloron keeps', async () => {
    expect(await stage('write_file', { path: 'a.txt', content: 'a' })).toMatchObject({ ok: true });
    expect(await stage('write_file', { path: join(beside, 'b'), content: 'b' })).toMatchObject({ ok: true });
    expect(await stage('read_file', { path: 'a.txt' })).toMatchObject({ output: { content: 'a' } });
    for (const path of [
      '.caloron/shell-token',
      '.caloron/caloron.db',
      '.noether/store.json',
      '../x',
      '/etc/hosts',
    ])
      expect(await stage('read_file', { path })).toMatchObject({
        ok: false,
        error: { code: 'FILE_REFUSED' },
      });
  });

  it('reads allowed variables, and programs see those and no token', async () => {
    expect(await stage('env_get', { name: 'OPEN' })).toMatchObject({ output: 'yes-it-is-open' });
    expect(await stage('env_get', { name: 'ALSO' })).toMatchObject({ output: null });
    expect(await stage('env_get', { name: 'GITHUB_TOKEN' })).toMatchObject({
      error: { code: 'ENV_NOT_ALLOWED' },
    });
    const ran = await stage('run_command', { cmd: 'env' });
    expect(ran).toMatchObject({
      ok: true,
      output: { stdout: expect.stringContaining('OPEN=yes') as string },
    });
    expect(JSON.stringify(ran)).not.toContain('token-secret');
  });

  it('starts a process, reads its output and ends it', async () => {
    const started = await stage('spawn_process', { cmd: 'sh', args: ['-c', 'echo out; sleep 60'] });
    const { pid, output_path } = (started as unknown as { output: { pid: number; output_path: string } })
      .output;

    await expect
      .poll(async () => (await stage('read_file', { path: output_path })) as unknown)
      .toMatchObject({ output: { content: 'out\n' } });
    expect(await stage('kill_process', { pid })).toMatchObject({ output: { killed: true } });
    expect(await stage('wait_process', { pid })).toMatchObject({ output: { exited: true } });
    const forged = { path: `.caloron/processes/${process.pid}.json`, content: '{}' };
    expect(await stage('write_file', forged)).toMatchObject({ ok: false });
    expect(await stage('kill_process', { pid: process.pid })).toMatchObject({
      error: { code: 'PROCESS_UNKNOWN' },
    });
  });

  it('5.5.12 reads caloron.json, which says where tokens go, and writes it by no way', async () => {
    const text = JSON.stringify({ repo: 'a/b' });
    writeFileSync(join(dir, 'caloron.json'), text);
    symlinkSync('caloron.json', join(dir, 'other.json'));

    expect(await stage('read_file', { path: 'caloron.json' })).toMatchObject({ output: { content: text } });
    for (const path of ['caloron.json', './x/../caloron.json', 'other.json', join(dir, 'caloron.json')])
      expect(await stage('write_file', { path, content: '{}' })).toMatchObject({
        ok: false,
        error: { code: 'FILE_REFUSED' },
      });
    rmSync(join(dir, 'caloron.json'));
    expect(await stage('write_file', { path: 'caloron.json', content: '{}' })).toMatchObject({ ok: false });
    expect(await stage('write_file', { path: 'caloron.json.md', content: '{}' })).toMatchObject({ ok: true });
  });

  it('shows no credential in traces and errors', async () => {
    const authorization = 'Bearer abc-def-ghi';
    const request = {
      url: `http://${host}/`,
      headers: { Authorization: authorization, accept: 'text/plain' },
    };
    const sent = await run({ op: 'Stage', id: 'http_get' }, request, {}, true);
    const read = await run({ op: 'Stage', id: 'env_get' }, { name: 'OPEN' }, {}, true);
    expect(read).toMatchObject({ ok: true, output: 'yes-it-is-open' });

    const traces = [sent, read].map(({ run_id }) => JSON.stringify(runtime.store.runs.get(run_id)));
    expect(traces[0]).toContain('text/plain');
    expect(traces.join()).not.toContain('abc-def-ghi');
    expect(traces.join()).not.toContain('yes-it-is-open');
  });

  it('knows stages and traces', async () => {
    expect(await stage('stage_describe', { id: 'write_file' })).toMatchObject({
      output: { name: 'write_file', effects: ['fallible', 'fs-write'], lifecycle: 'Active' },
    });
    expect(await stage('stage_describe', { id: 'no_such_stage' })).toMatchObject({
      error: { code: 'GRAPH_STAGE_UNKNOWN' },
    });
    const found = await stage('store_search', { query: 'upper case', limit: 1 });
    expect(found).toMatchObject({ output: [{ name: 'text_upper', input: 'Text', output: 'Text' }] });
    const { run_id, composition_id } = found;
    expect(await stage('trace_read', { composition_id })).toMatchObject({
      output: { trace: { run: { run_id, status: 'ok' }, steps: [{ stage_name: 'store_search' }] } },
    });
    expect(await stage('trace_read', { composition_id: 'zz' })).toMatchObject({
      error: { code: 'TRACE_UNKNOWN' },
    });
  });

  it('knows the time and chance', async () => {
    expect(await stage('now', null)).toMatchObject({ output: expect.stringMatching(/^20.*Z$/) as string });
    expect(await stage('uuid', null)).toMatchObject({
      output: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    expect(await stage('random_text', { length: 20 })).toMatchObject({
      output: expect.stringMatching(/^[A-Za-z0-9]{20}$/) as string,
    });
    expect(await stage('sleep', { ms: 1, value: 'v' })).toMatchObject({ output: 'v' });
  });
});
