import { readdirSync, readFileSync } from 'node:fs';

import { CredentialReply, ErrorReply, SpawnRequest } from '@caloron/types';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  type Answer,
  createTarget,
  filesOf,
  rowsOf,
  type Shot,
  shoot,
  type Target,
} from './testing/attacker.ts';
import { FORGE_TOKEN, REVIEWER_TOKEN, SHELL_TOKEN } from './testing/fixture.ts';

/** `pnpm test:long` sends many, `pnpm test` a sample. */
const LONG = process.env['CALORON_TEST_LONG'] === '1';
const REQUESTS = LONG ? 100_000 : 2000;
/** Sent at once and looked at together. */
const BATCH = 50;
/** A shell that has served every request may have grown by this much, in MiB; measured: about 60, all of it the heap's own slack. */
const GROWTH_MIB = 200;

type Caller = 'none' | 'wrong' | 'shell' | 'first' | 'second';

/** Who may ask what; the same table as the documentation's. */
const ROUTES: readonly (readonly [method: string, path: RegExp, allowed: readonly Caller[]])[] = [
  ['POST', /^\/(spawn|stop|cleanup|nudge)$/, ['shell']],
  ['POST', /^\/heartbeat$/, ['shell', 'first', 'second']],
  ['POST', /^\/(report|credential)$/, ['first', 'second']],
  ['GET', /^\/(status|agents\/[^/]+\/logs)$/, ['shell']],
  ['GET', /^\/health$/, ['none', 'wrong', 'shell', 'first', 'second']],
];

const AT = '2026-04-14T08:31:00.000Z';

/** A body each route accepts but for what it is about; none of them has an effect on processes or files. */
const GOOD: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  '/spawn': { sprint_id: 's1', task_id: 't1', agent_id: 'agent-1', repo: 'acme/widgets' },
  '/stop': { process_id: 'nobody', grace_ms: 0 },
  '/cleanup': { sprint_id: 's1', task_id: 't1', merge_sha: null },
  '/nudge': { sprint_id: 's1', agent_id: 'agent-1', message: 'Still there?' },
  '/heartbeat': {
    sprint_id: 's1',
    agent_id: 'agent-1',
    status: 'working',
    tokens_used: 1,
    progress_at: AT,
    next_by: null,
  },
  '/credential': { purpose: 'push' },
  '/report': {
    sprint_id: 's1',
    task_id: 't1',
    agent_id: 'agent-1',
    process_id: 'nobody',
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    head_sha: null,
    pr_number: null,
    exit: { code: 0, signal: null, at: AT, known: true },
    tokens_used: 1,
    duration_ms: 1,
    body: 'done',
    receipt: null,
    feedback: null,
    synthetic: false,
  },
};

const paths = Object.keys(GOOD);

const ids = [
  's1',
  't1',
  't2',
  't9',
  'agent-1',
  'agent-2',
  'constructor',
  '__proto__',
  'a'.repeat(64),
  'a'.repeat(65),
];
const tricks = [
  '',
  ' ',
  '.',
  '..',
  '../..',
  '/etc/passwd',
  '.caloron/worktrees/../../..',
  '.caloron/worktrees/s1/t2',
  'x\0y',
  '\ud800',
  'é',
  '%2e%2e',
  '$(id)',
  '`id`',
  "'; DROP TABLE events; --",
  '-rf',
  '\r\nx: y',
  'nobody',
];
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...ids, ...tricks),
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1,
    1.5,
    1e300,
    Number.MAX_SAFE_INTEGER,
    '1',
    [],
    [[]],
    {},
    ['s1'],
    { length: 1 },
  ),
  fc.constantFrom<unknown>(
    'push',
    'api',
    'author',
    'reviewer',
    'resume',
    'rebase',
    'completed',
    '0'.repeat(40),
    'f'.repeat(32),
    AT,
    '9999-99-99T99:99:99.999Z',
    '9999-12-31T23:59:59.999Z',
    '0000-01-01T00:00:00.000Z',
    'owner/name',
    'acme/widgets',
    '../..',
    'a/..',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer({ min: 1, max: 30_000 }).map((n) => 'x'.repeat(n)),
  fc.jsonValue({ maxDepth: 2 }),
);

const fields = [
  ...new Set([
    ...Object.values(GOOD).flatMap(Object.keys),
    'worktree_base',
    'action_id',
    'mode',
    'issue_number',
    'instruction',
    'toString',
    '__proto__',
    'constructor',
    'token',
    '0',
    '',
  ]),
];

type Change = { readonly name: string; readonly value: unknown; readonly gone: boolean };

const change: fc.Arbitrary<Change> = fc.record({
  name: fc.constantFrom(...fields),
  value: odd,
  gone: fc.boolean().map((all) => all),
});

/** A body that was right before some of its fields were changed, added or taken away. */
const mutated = (good: Readonly<Record<string, unknown>>): fc.Arbitrary<string> =>
  fc.array(change, { maxLength: 3 }).map((changes) => {
    const entries = new Map(Object.entries(good));
    for (const { name, value, gone } of changes) {
      if (gone && entries.has(name)) entries.delete(name);
      else entries.set(name, value);
    }
    // By hand: an object would not keep the key __proto__, nor one key twice.
    const text = [...entries]
      .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      .join(',');
    return `{${text}}`;
  });

const broken = fc.constantFrom<string | Uint8Array | null>(
  null,
  '',
  'null',
  '[]',
  '{}',
  '"text"',
  '{"a":',
  '{"sprint_id":"s1",}',
  '{"__proto__":{"ok":true}}',
  '{"constructor":{"prototype":{"ok":true}}}',
  '{"attempt":1e999}',
  '\uFEFF{}',
  '{"process_id":"\\ud800"}',
  '['.repeat(20_000),
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  `{${Array.from({ length: 5000 }, (_, n) => `"k${n}":1`).join(',')}}`,
  `{"${'k'.repeat(100_000)}":1}`,
  new Uint8Array([0xff, 0xfe, 0x00, 0x7b]),
  new Uint8Array([0x1f, 0x8b, 0x08, 0x00]),
);

const large = fc.constantFrom(1, 2).map((mib) => `{"status":"${'x'.repeat(mib * 1024 * 1024)}"}`);

const bodyFor = (path: string): fc.Arbitrary<string | Uint8Array | null> =>
  fc.oneof(
    { weight: 14, arbitrary: mutated(GOOD[path] ?? {}) },
    { weight: 3, arbitrary: fc.constantFrom(...paths).chain((other) => mutated(GOOD[other] ?? {})) },
    { weight: 3, arbitrary: broken },
    { weight: 2, arbitrary: fc.json({ maxDepth: 4 }) },
    { weight: 1, arbitrary: large },
  );

const queries = [
  '',
  '',
  '',
  '?tail=1',
  '?tail=0',
  '?tail=1&tail=2',
  '?tail=1e9',
  '?sprint_id=..',
  '?__proto__=1',
  '?a=%zz',
  '?%00',
  `?x=${'y'.repeat(5000)}`,
];
const wild = fc.oneof(
  fc.constantFrom(
    '/',
    '*',
    '//status',
    '/status/',
    '/STATUS',
    '/status;x',
    '/status%00',
    '/%73tatus',
    '/%zz',
    '/agents//logs',
    '/agents/%ff/logs',
    '/agents/../status',
    '/agents/..%2f..%2f..%2fetc%2fpasswd/logs',
    '/agents/%2e%2e/logs',
    '/agents/agent-1/logs/',
    '/agents/agent-1/../../shell-token',
    '/.caloron/shell-token',
    '/spawn/..;/health',
    'http://evil.example/status',
    '/health/../status',
    '/__proto__',
    '/constructor',
  ),
  fc.webPath().map((path) => `/${path}`),
  fc
    .constantFrom(...ids, 'agent-7', '%00', 'a'.repeat(500))
    .map((id) => `/agents/${encodeURIComponent(id)}/logs`),
);
const target = fc.tuple(
  fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...paths) },
    { weight: 1, arbitrary: fc.constantFrom('/status', '/health') },
    { weight: 2, arbitrary: wild },
  ),
  fc.constantFrom(...queries),
);

const methods = fc.oneof(
  { weight: 6, arbitrary: fc.constant('usual') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'GET',
      'HEAD',
      'POST',
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'TRACE',
      'PROPFIND',
      'QUERY',
    ),
  },
);

const types = fc.oneof(
  { weight: 10, arbitrary: fc.constant('application/json') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      'text/plain',
      'application/JSON',
      'application/json; charset=utf-16',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/json, text/html',
      '*/*',
      'x'.repeat(3000),
      '__proto__',
    ),
  },
);

const further: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { 'x-http-method-override': 'DELETE' },
      { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' },
      { 'x-original-url': '/status', 'x-rewrite-url': '/status' },
      { authorization: `Bearer ${SHELL_TOKEN}` },
      { cookie: `x-caloron-token=${SHELL_TOKEN}` },
      { 'content-encoding': 'gzip' },
      { host: 'evil.example' },
      { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
      { range: 'bytes=0-', 'if-none-match': '*' },
      { accept: 'application/xml', 'accept-encoding': 'br' },
      { 'x-long': 'y'.repeat(8000) },
      { constructor: 'y' },
    ),
  },
);

interface Wish extends Shot {
  readonly caller: Caller;
}

/** The requests of nobody and everybody; only what would rightly start a process is left out. */
const wish: fc.Arbitrary<Wish> = fc
  .tuple(
    target,
    methods,
    fc.constantFrom<Caller>('none', 'wrong', 'shell', 'shell', 'shell', 'first', 'first', 'second'),
    types,
    further,
  )
  .chain(([[path, query], method, caller, type, more]) =>
    bodyFor(path)
      .filter((body) => path !== '/spawn' || !startsAnAgent(body))
      .map((body) => {
        const usual = paths.includes(path) ? 'POST' : 'GET';
        const chosen = method === 'usual' ? usual : method;
        const bare = chosen === 'GET' || chosen === 'HEAD' || chosen === 'TRACE';
        return {
          caller,
          method: chosen,
          path: `${path}${query}`,
          headers: { 'content-type': type, ...more },
          body: bare ? null : body,
        };
      }),
  );

function startsAnAgent(body: string | Uint8Array | null): boolean {
  if (typeof body !== 'string') return false;
  try {
    const said = SpawnRequest.safeParse(JSON.parse(body));
    return (
      said.success && !['agent-1', 'agent-2'].includes(said.data.agent_id) && said.data.role === 'reviewer'
    );
  } catch {
    return false;
  }
}

let world: Target;
beforeAll(async () => {
  world = await createTarget();
});
afterAll(() => world.close());

function tokenOf(caller: Caller): string | null {
  const [first, second] = world.tokens;
  return { none: null, wrong: `${SHELL_TOKEN}x`, shell: SHELL_TOKEN, first, second }[caller];
}

async function send({ caller, ...given }: Wish): Promise<Answer> {
  const token = tokenOf(caller);
  // Only a report that names the process of its token comes as far as the log.
  const body =
    typeof given.body === 'string' && given.path === '/report'
      ? given.body.replace('"nobody"', JSON.stringify(world.processes[0].process_id))
      : given.body;
  const shot = { ...given, body };
  return shoot(world.url, {
    ...shot,
    headers: { ...(token === null ? {} : { 'x-caloron-token': token }), ...shot.headers },
  });
}

const STACK = /\n\s+at |node_modules|node:internal|\.ts:\d+|FST_ERR|SQLITE_|ZodError/;

/** What every answer keeps to, whatever was asked. */
function judge({ caller, method, path, body }: Wish, answer: Answer): void {
  const { status } = answer;
  if (status === 0) return expect(body?.length ?? 0).toBeGreaterThan(1024 * 1024);
  expect(status).toBeGreaterThanOrEqual(200);
  expect(status).toBeLessThan(500);
  const [plain = ''] = path.replace(/^http:\/\/[^/]*/, '').split('?');
  const route = ROUTES.find(
    ([verb, known]) => (verb === method || (verb === 'GET' && method === 'HEAD')) && known.test(plain),
  );
  if (status < 400) {
    expect(status).toBe(200);
    // A percent-encoded letter leads to the same route.
    const decoded = ROUTES.find(([, known]) => known.test(decodeURIComponent(plain)));
    expect(decoded?.[2]).toContain(caller);
  } else if (route !== undefined && caller !== 'none' && caller !== 'wrong' && !route[2].includes(caller)) {
    expect([400, 403]).toContain(status);
  } else if (route !== undefined && !route[2].includes(caller)) {
    expect([400, 401]).toContain(status);
  }
  if (status >= 400 && method !== 'HEAD') {
    const { code } = ErrorReply.parse(JSON.parse(answer.body));
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/);
    expect(answer.body.length).toBeLessThan(25_000);
  }
  expectNoLeak(caller, plain, answer);
}

function expectNoLeak(caller: Caller, path: string, { status, headers, body }: Answer): void {
  const granted =
    path === '/credential' && status === 200 ? CredentialReply.parse(JSON.parse(body)).token : null;
  const said = `${headers}\n${granted === null ? body : body.replace(granted, '')}`;
  if (granted !== null) expect(granted).toBe(FORGE_TOKEN);
  for (const secret of [
    FORGE_TOKEN,
    REVIEWER_TOKEN,
    SHELL_TOKEN,
    ...world.tokens,
    'hunter2',
    'github-secret',
  ])
    expect(said).not.toContain(secret);
  expect(said).not.toMatch(STACK);
  // Only the shell's own caller learns where worktrees lie.
  if (caller !== 'shell' || path !== '/spawn') expect(said).not.toContain(world.fixture.home);
}

/** Everything a request without effect leaves as it is. */
function lookAt(): {
  readonly rows: ReturnType<typeof rowsOf>;
  readonly home: readonly string[];
  readonly remote: readonly string[];
} {
  const { fixture } = world;
  const { events = [], ...rows } = rowsOf(fixture);
  const kept = events.filter((row) => !row.includes('"kind":"agent_reported"'));
  return { rows: { ...rows, events: kept }, home: filesOf(fixture.home), remote: filesOf(fixture.remote) };
}

const memoryMib = (): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${world.pid}/status`, 'utf8'))?.[1]) / 1024;

describe('the shell', () => {
  it(
    `meets ${REQUESTS} requests of any shape with an answer of its own, and neither changes nor tells anything by them`,
    async () => {
      const before = lookAt();
      const statuses = new Map<number, number>();
      const small = memoryMib();

      await fc.assert(
        fc.asyncProperty(fc.array(wish, { minLength: BATCH, maxLength: BATCH }), async (wishes) => {
          const answers = await Promise.all(wishes.map(send));
          for (const [index, each] of wishes.entries()) {
            const answer = answers[index];
            if (answer === undefined) throw new Error('no answer');
            statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
            judge(each, answer);
          }
        }),
        { numRuns: REQUESTS / BATCH, ...(LONG ? {} : { seed: 1 }) },
      );

      // Each kind of answer was met: the requests reach every guard and what lies behind it.
      for (const status of [200, 400, 401, 403, 404, 409, 413, 415])
        expect(statuses.get(status)).toBeGreaterThan(0);
      expect(world.lives()).toBe(true);
      expect(lookAt()).toEqual(before);
      // The one thing an agent may add: what it says of its own process, once.
      const reported = world.fixture.store.events.read({ after: 0, kinds: ['agent_reported'] });
      const own = { process_id: world.processes[0].process_id, task_id: 't1', agent_id: 'agent-1' };
      expect(reported).toMatchObject([{ actor: 'agent-1', payload: { report: own } }]);
      for (const { pid } of world.processes)
        expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).not.toMatch(/\) Z /);
      expect(memoryMib() - small).toBeLessThan(GROWTH_MIB);
      expect(readdirSync(`/proc/${world.pid}/fd`).length).toBeLessThan(200);
      for (const secret of [FORGE_TOKEN, REVIEWER_TOKEN, SHELL_TOKEN, ...world.tokens])
        expect(world.log()).not.toContain(secret);
    },
    LONG ? 1_800_000 : 120_000,
  );
});
