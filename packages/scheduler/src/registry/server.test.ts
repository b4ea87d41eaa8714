import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createLoggerTo } from '@caloron/capabilities/logger';
import { type StageRecord } from '@caloron/noether';
import { sealRecord, signingKey, type SigningKey, signRecord } from '@caloron/noether/records';
import { openStageStore, readVerifiedStages } from '@caloron/store';
import { trustKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { archived as withCode } from '../testing/archived-stage.ts';
import { type Registry, type RegistryOptions, startRegistry } from './server.ts';
import { ErrorAnswer, HealthAnswer, PushAnswer, StageAnswer, StagesAnswer } from './wire.ts';
import { specStage as spec } from '../testing/spec-stage.ts';

const READ = 'read-key-of-the-test-0001';
const WRITE = 'write-key-of-the-test-001';

let dir: string;
let file: string;
let log: string[];
let registry: Registry | undefined;
const author = signingKey('11'.repeat(32));
const stranger = signingKey('22'.repeat(32));

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-registry-'));
  file = join(dir, 'store.json');
  log = [];
  await trustKey(dir, { public_key: author.public_key, name: 'author' });
});
afterEach(async () => {
  await registry?.close();
  registry = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const by = (key: SigningKey, record: StageRecord): StageRecord => sealRecord(signRecord(record, key), key);

async function put(...names: readonly string[]): Promise<readonly StageRecord[]> {
  const store = openStageStore({ file });
  const records: StageRecord[] = [];
  for (const name of names) records.push((await store.put(spec(name))).record);
  return records;
}

async function serve(options: Partial<RegistryOptions> = {}): Promise<string> {
  const logger = createLoggerTo({ name: 'registry' }, { write: (line) => void log.push(line) });
  const keys = { read: undefined, write: WRITE };
  registry = await startRegistry({ file, port: 0, keys, version: '0.1.0', logger, ...options });
  return registry.url;
}

interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Told> {
  const response = await fetch(url, { headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
}

async function push(url: string, record: unknown, key: string | null = WRITE): Promise<Told> {
  const response = await fetch(`${url}/stages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== null && { 'x-api-key': key }) },
    body: typeof record === 'string' ? record : JSON.stringify(record),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe('what a registry answers', () => {
  it('to /health: how many stages, without a key', async () => {
    await put('one', 'two');
    const url = await serve({ keys: { read: READ, write: undefined } });

    const { status, body } = await get(`${url}/health`);

    expect(status).toBe(200);
    expect(HealthAnswer.parse(body)).toEqual(body);
    expect(body).toEqual({
      ok: true,
      data: { status: 'ok', stages: 2, version: '0.1.0', problem: null },
    });
  });

  it('to /stages: the records as the store keeps them, by id, in pages', async () => {
    const records = (await put('one', 'two', 'three')).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const url = await serve();

    const all = StagesAnswer.parse((await get(`${url}/stages`)).body);
    const page = StagesAnswer.parse((await get(`${url}/stages?limit=1&offset=1`)).body);
    const past = StagesAnswer.parse((await get(`${url}/stages?offset=9`)).body);

    expect(all.data).toEqual({ stages: records, count: 3, total: 3, limit: 200, offset: 0 });
    expect(page.data).toEqual({ stages: [records[1]], count: 1, total: 3, limit: 1, offset: 1 });
    expect(past.data).toMatchObject({ stages: [], count: 0, total: 3 });
  });

  it('lists by lifecycle, the active ones when not asked', async () => {
    await put('one', 'two');
    const store = openStageStore({ file });
    await store.put({ ...spec('draft'), lifecycle: 'Draft' });
    await store.bury('one');
    await store.put(spec('two', { implementation: 'def execute(value):\n    return value\n' }));
    const url = await serve();
    const names = async (query: string): Promise<readonly string[]> =>
      StagesAnswer.parse((await get(`${url}/stages${query}`)).body)
        .data.stages.map(({ name }) => name)
        .toSorted();

    expect(await names('')).toEqual(['two']);
    expect(await names('?lifecycle=draft')).toEqual(['draft']);
    expect(await names('?lifecycle=tombstone')).toEqual(['one']);
    expect(await names('?lifecycle=deprecated')).toEqual(['two']);
    expect(await names('?lifecycle=all')).toEqual(['draft', 'one', 'two', 'two']);
  });

  it('to /stages/:id: the one of an id or of a unique beginning', async () => {
    const [record] = await put('one', 'two');
    const url = await serve();
    const id = record!.id;

    for (const reference of [id, id.slice(0, 8), id.slice(0, 12).toUpperCase()]) {
      const { status, body } = await get(`${url}/stages/${reference}`);
      expect(status).toBe(200);
      expect(StageAnswer.parse(body).data).toEqual(record);
    }
    expect((await get(`${url}/stages/${'0'.repeat(64)}`)).status).toBe(404);
    expect((await get(`${url}/stages/${id.slice(0, 7)}`)).status).toBe(400);
    expect((await get(`${url}/stages/__proto__`)).status).toBe(400);
  });

  it.each([
    ['/stages?limit=0', 400, 'REGISTRY_QUERY_INVALID'],
    ['/stages?limit=201', 400, 'REGISTRY_QUERY_INVALID'],
    ['/stages?limit=1&limit=2', 400, 'REGISTRY_QUERY_INVALID'],
    ['/stages?offset=-1', 400, 'REGISTRY_QUERY_INVALID'],
    ['/stages?lifecycle=Active', 400, 'REGISTRY_QUERY_INVALID'],
    ['/stages?lifecycel=all', 400, 'REGISTRY_QUERY_INVALID'],
    ['/stages/%', 400, 'REGISTRY_BODY_INVALID'],
    ['/nothing', 404, 'REGISTRY_ROUTE_UNKNOWN'],
  ])('to %s: %i', async (path, expected, code) => {
    await put('one');
    const url = await serve();

    const { status, body } = await get(`${url}${path}`);

    expect(status).toBe(expected);
    expect(ErrorAnswer.parse(body).error.code).toBe(code);
  });

  it('tells every problem of a question at once', async () => {
    await put('one');
    const url = await serve();

    const { body } = await get(`${url}/stages?limit=0&offset=x&lifecycle=no`);

    expect(ErrorAnswer.parse(body).error.problems).toHaveLength(3);
  });
});

describe('an ETag', () => {
  it('saves an answer until the catalogue changes, page by page', async () => {
    await put('one', 'two');
    const url = await serve();
    const first = await get(`${url}/stages`);
    const etag = first.headers.get('etag')!;

    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    const again = await get(`${url}/stages`, { 'if-none-match': etag });
    expect(again).toMatchObject({ status: 304, body: null });
    expect(again.headers.get('etag')).toBe(etag);
    expect((await get(`${url}/stages`, { 'if-none-match': `"x", W/${etag}` })).status).toBe(304);
    expect((await get(`${url}/stages?limit=1`, { 'if-none-match': etag })).status).toBe(200);

    await put('three');
    const changed = await get(`${url}/stages`, { 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(StagesAnswer.parse(changed.body).data.total).toBe(3);
  });

  it('of one stage changes with that stage alone', async () => {
    const [record] = await put('one');
    const url = await serve();
    const of = async (): Promise<string | null> =>
      (await get(`${url}/stages/${record!.id}`)).headers.get('etag');
    const before = await of();

    await put('two');
    expect(await of()).toBe(before);
    await openStageStore({ file }).bury('one');
    expect(await of()).not.toBe(before);
  });
});

describe('keys', () => {
  it('of reading open the stages, those of writing too, and no other', async () => {
    await put('one');
    const url = await serve({ keys: { read: `${READ},  old-${READ}`, write: WRITE } });
    const status = async (key?: string): Promise<number> =>
      (await get(`${url}/stages`, key === undefined ? {} : { 'x-api-key': key })).status;

    expect(await status(READ)).toBe(200);
    expect(await status(`old-${READ}`)).toBe(200);
    expect(await status(WRITE)).toBe(200);
    expect(await status(`${READ}x`)).toBe(401);
    expect(await status()).toBe(401);
    const { headers, body } = await get(`${url}/stages/${'0'.repeat(64)}`);
    expect(headers.get('www-authenticate')).toContain('X-API-Key');
    expect(body).toMatchObject({ ok: false, error: { code: 'REGISTRY_KEY_REQUIRED' } });
  });

  it('of writing are needed to push: 401 without, 403 with one that may read, 403 where there is none', async () => {
    await put('one');
    const pushed = by(author, spec('two'));
    let url = await serve({ keys: { read: READ, write: WRITE } });

    expect((await push(url, pushed, null)).status).toBe(401);
    expect((await push(url, pushed, 'somebody-elses-key')).status).toBe(401);
    expect(await push(url, pushed, READ)).toMatchObject({
      status: 403,
      body: { error: { code: 'REGISTRY_PUSH_FORBIDDEN' } },
    });
    await registry?.close();
    url = await serve({ keys: { read: READ, write: undefined } });
    expect((await push(url, pushed, READ)).status).toBe(403);
    expect((await push(url, pushed, null)).status).toBe(403);
    expect((await readVerifiedStages({ file })).records).toHaveLength(1);
  });

  it('that can be guessed are refused, and none is in a message or the log', async () => {
    await put('one');
    const start = (keys: RegistryOptions['keys']): Promise<unknown> =>
      serve({ keys }).catch((error: unknown) => error);

    const short = await start({ read: 'short-one', write: undefined });
    expect(short).toMatchObject({ code: 'REGISTRY_KEY_INVALID' });
    expect(String(short)).not.toContain('short-one');
    expect(await start({ read: undefined, write: `${WRITE},grün-grün-grün-grün` })).toMatchObject({
      code: 'REGISTRY_KEY_INVALID',
    });
    const url = await serve({ keys: { read: READ, write: WRITE } });
    await get(`${url}/stages?key=${READ}`, { 'x-api-key': READ });
    await push(url, '{', WRITE);
    await expect.poll(() => log.length).toBeGreaterThan(1);
    expect(log.join('')).not.toMatch(new RegExp(`${READ}|${WRITE}`));
  });
});

describe('where it listens', () => {
  it('is refused where other machines could read without a key, unless that is meant', async () => {
    await put('one');
    const keys = { read: undefined, write: undefined };

    await expect(serve({ host: '0.0.0.0', keys })).rejects.toMatchObject({
      code: 'REGISTRY_READS_OPEN',
      hint: expect.stringMatching(/NOETHER_REGISTRY_READ_KEY.*--public/) as string,
    });
    await expect(serve({ host: '0.0.0.0', keys, public: true })).resolves.toMatch(
      /^http:\/\/0\.0\.0\.0:\d+$/,
    );
    await registry?.close();
    await expect(serve({ host: '0.0.0.0', keys: { ...keys, read: READ } })).resolves.toMatch(/^http/);
  });

  it('is told when it cannot be had', async () => {
    await put('one');
    const url = await serve();
    const first = registry;
    const port = Number(new URL(url).port);

    await expect(serve({ port })).rejects.toMatchObject({ code: 'REGISTRY_PORT_IN_USE', details: { port } });
    registry = first;
    await expect(serve({ host: '192.0.2.1', public: true })).rejects.toMatchObject({
      code: 'REGISTRY_HOST_INVALID',
    });
    registry = first;
  });
});

describe('the store of a registry', () => {
  it('that is not there, or was tampered with, is refused at the start', async () => {
    await expect(serve()).rejects.toMatchObject({
      code: 'REGISTRY_STORE_MISSING',
      hint: expect.stringContaining('./noether stage sync --store') as string,
    });
    await put('one');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"input": "a"', '"input": "b"'));
    await expect(serve()).rejects.toMatchObject({ code: 'STAGE_TAMPERED' });
  });

  it('that becomes bad is served as it was when it was good, and /health and the log say so', async () => {
    await put('one');
    const url = await serve();
    const good = readFileSync(file, 'utf8');
    const health = async (): Promise<unknown> => (await get(`${url}/health`)).body;

    for (const [bad, problem] of [
      [good.replace('"input": "a"', '"input": "b"'), 'STAGE_TAMPERED'],
      ['{"stages": [', 'STORE_STAGES_INVALID'],
      [null, 'REGISTRY_STORE_MISSING'],
    ] as const) {
      if (bad === null) rmSync(file);
      else writeFileSync(file, bad);
      expect(await health()).toMatchObject({ data: { status: 'stale', stages: 1, problem } });
      expect(StagesAnswer.parse((await get(`${url}/stages`)).body).data.total).toBe(1);
      expect(await push(url, by(author, spec('two')))).toMatchObject({
        status: 503,
        body: { error: { code: 'REGISTRY_STORE_STALE' } },
      });
      expect(log.filter((line) => line.includes(problem) && line.includes('store refused'))).toHaveLength(1);
    }
    writeFileSync(file, good);
    await put('two');
    expect(await health()).toMatchObject({ data: { status: 'ok', stages: 2, problem: null } });
  });
});

describe('a pushed stage', () => {
  it('is in the store under its seal when 201 is answered, and again changes nothing', async () => {
    const [own] = await put('one');
    const url = await serve();
    const pushed = by(author, spec('two'));

    const created = await push(url, pushed);
    const { records, distrust } = await readVerifiedStages({ file });
    const again = await push(url, pushed);

    expect(created.status).toBe(201);
    expect(PushAnswer.parse(created.body).data).toEqual({
      id: pushed.id,
      name: 'two',
      lifecycle: 'active',
      created: true,
      supersedes: [],
    });
    expect(distrust.size).toBe(0);
    const stored = records.find(({ id }) => id === pushed.id);
    expect(stored).toMatchObject({
      signer_public_key: author.public_key,
      record_signer: own!.record_signer,
      examples: pushed.examples,
    });
    expect(again).toMatchObject({ status: 200, body: { data: { created: false } } });
    expect(StageAnswer.parse((await get(`${url}/stages/${pushed.id}`)).body).data).toEqual(stored);
    expect((await readVerifiedStages({ file })).records).toEqual(records);
  });

  it('ten at once lose nothing, nor what another process adds meanwhile', async () => {
    await put('one');
    const url = await serve();
    const pushed = Array.from({ length: 10 }, (_, i) => by(author, spec(`pushed_${i}`)));

    const [statuses] = await Promise.all([
      Promise.all(pushed.map(async (record) => (await push(url, record)).status)),
      put('beside'),
    ]);

    expect(statuses).toEqual(Array.from({ length: 10 }, () => 201));
    const { records } = await readVerifiedStages({ file });
    expect(records.map(({ name }) => name).toSorted()).toEqual(
      ['one', 'beside', ...pushed.map(({ name }) => name)].toSorted(),
    );
    expect(StagesAnswer.parse((await get(`${url}/stages`)).body).data.total).toBe(12);
  });

  it('the same ten times at once is made once', async () => {
    await put('one');
    const url = await serve();
    const pushed = by(author, spec('two'));

    const statuses = await Promise.all(
      Array.from({ length: 10 }, async () => (await push(url, pushed)).status),
    );

    expect(statuses.toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
  });

  it('of a signature that is there takes its place', async () => {
    const [old] = await put('one');
    const url = await serve();
    const next = by(author, spec('one', { implementation: 'def execute(value):\n    return value\n' }));

    expect(await push(url, next)).toMatchObject({
      status: 201,
      body: { data: { supersedes: [old!.id] } },
    });
    expect((await get(`${url}/stages/${old!.id}`)).body).toMatchObject({
      data: { lifecycle: { Deprecated: { successor_id: next.id } } },
    });
  });

  it('that is there with other content is 409 and names the fields; who signed it is not its content', async () => {
    const [own] = await put('one');
    const url = await serve();

    expect(await push(url, by(author, spec('one', { description: 'other' })))).toMatchObject({
      status: 409,
      body: {
        error: { code: 'REGISTRY_STAGE_DIFFERS', message: expect.stringContaining('description') as string },
      },
    });
    expect((await push(url, by(author, spec('one')))).status).toBe(200);
    expect((await readVerifiedStages({ file })).records).toEqual([own]);
  });

  const changed = (record: StageRecord, changes: object): StageRecord => ({ ...record, ...changes });
  const archived = (): StageRecord => {
    const { implementation_code: _code, ...rest } = by(author, spec('two'));
    return rest;
  };
  it.each<readonly [string, () => unknown, RegExp]>([
    ['that nobody signed', () => spec('two'), /ed25519_signature is absent/],
    ['of a stranger', () => by(stranger, spec('two')), /signer_public_key 7?[0-9a-f]+ is not trusted/],
    ['sealed by a stranger', () => sealRecord(signRecord(spec('two'), author), stranger), /record_signer/],
    [
      'with another signature',
      () => changed(by(author, spec('two')), { ed25519_signature: by(author, spec('x')).ed25519_signature }),
      /ed25519_signature .*does not hold/,
    ],
    ['with another id', () => changed(by(author, spec('two')), { id: 'f'.repeat(64) }), /id is f+: expected/],
    [
      'with other code',
      () => changed(by(author, spec('two')), { implementation_code: 'def execute(v): return 1' }),
      /implementation_hash/,
    ],
    ['with another description', () => changed(by(author, spec('two')), { description: 'x' }), /description/],
    ['without code', archived, /carries no code/],
    [
      'with other code beside',
      () => sealRecord(changed(by(author, spec('two')), { archive: { 'a.ts': '' } }), author),
      /both archive and implementation_code/,
    ],
    [
      'with a file outside of its archive, which no reader runs',
      () => by(author, withCode({ name: 'two', files: { '../../etc/x.ts': '' } })),
      /its archive has a file "\.\.\/\.\.\/etc\/x\.ts"/,
    ],
    ['whose name turns a terminal red', () => by(author, spec('\u001b[31mtwo')), /name expected a text/],
    [
      'with an example of another type',
      () => sealRecord(changed(by(author, spec('two')), { examples: [{ input: 1, output: 'a' }] }), author),
      /examples\[0\]\.input: expected/,
    ],
    [
      'that is retired',
      () => sealRecord(changed(by(author, spec('two')), { lifecycle: 'Tombstone' }), author),
      /Tombstone/,
    ],
    [
      'with a successor that is not here',
      () =>
        sealRecord(
          changed(by(author, spec('two')), { lifecycle: { Deprecated: { successor_id: 'a'.repeat(64) } } }),
          author,
        ),
      /push it first/,
    ],
    [
      'whose types are none',
      () =>
        changed(by(author, spec('two')), {
          signature: { input: { kind: 'x' }, output: 1, effects: { effects: [] }, implementation_hash: '' },
        }),
      /signature\.input/,
    ],
  ])('%s is 422 and nothing is written', async (_what, make, problem) => {
    await put('one');
    const url = await serve();
    const before = readFileSync(file, 'utf8');

    const { status, body } = await push(url, make());

    expect(status).toBe(422);
    const { error } = ErrorAnswer.parse(body);
    expect(error.code).toBe('REGISTRY_RECORD_REFUSED');
    expect(error.problems?.join('\n')).toMatch(problem);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('with several faults is told all of them', async () => {
    await put('one');
    const url = await serve();
    const record = { ...spec('two'), id: 'f'.repeat(64), implementation_code: 'x' };

    const { error } = ErrorAnswer.parse((await push(url, record)).body);

    expect(error.problems?.map((problem) => problem.split(' ')[0])).toEqual([
      'id',
      'implementation_hash',
      'ed25519_signature',
    ]);
  });

  it.each<readonly [string, () => string, number, string]>([
    ['no JSON', () => '{', 400, 'REGISTRY_BODY_INVALID'],
    ['nothing', () => '', 400, 'REGISTRY_BODY_INVALID'],
    ['a list', () => '[]', 400, 'REGISTRY_RECORD_INVALID'],
    ['an empty object', () => '{}', 400, 'REGISTRY_RECORD_INVALID'],
    ['a key that is none', () => '{"__proto__": {"x": 1}}', 400, 'REGISTRY_BODY_INVALID'],
    [
      'deeper than JSON goes',
      () => `{"id":${'['.repeat(2000)}${']'.repeat(2000)}}`,
      400,
      'REGISTRY_RECORD_INVALID',
    ],
    [
      'larger than a stage',
      () => JSON.stringify({ x: 'x'.repeat(9 * 1024 * 1024) }),
      413,
      'REGISTRY_BODY_TOO_LARGE',
    ],
  ])('that is %s is refused', async (_what, make, expected, code) => {
    await put('one');
    const url = await serve();

    const { status, body } = await push(url, make());

    expect([status, ErrorAnswer.parse(body).error.code]).toEqual([expected, code]);
  });

  it('that is no record is told every field', async () => {
    await put('one');
    const url = await serve();

    const { error } = ErrorAnswer.parse((await push(url, {})).body);

    expect(error.problems?.length).toBeGreaterThan(5);
    expect(error.problems?.join('\n')).toContain('signature_id');
  });
});

describe('a slow client', () => {
  it('is answered 408 and its connection ends', async () => {
    await put('one');
    const url = await serve({ timeout_ms: 150 });
    const { port, hostname } = new URL(url);

    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `POST /stages HTTP/1.1\r\nHost: x\r\nX-API-Key: ${WRITE}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`,
        ),
      );
      socket.on('data', (chunk) => (text += String(chunk)));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
      socket.setTimeout(30_000, () => reject(new Error('the connection stays')));
    });

    expect(answer).toMatch(/^HTTP\/1\.1 408 .*REGISTRY_BODY_INVALID/s);
    // The limit holds for this question, too, where the machine is slow.
    await expect.poll(async () => (await get(`${url}/health`).catch(() => undefined))?.status).toBe(200);
  });
});
