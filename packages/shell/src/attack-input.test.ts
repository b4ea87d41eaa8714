import { ErrorReply } from '@caloron/types';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  createTarget,
  filesOf,
  post,
  rowsOf,
  type Shot,
  shoot,
  shootBytes,
  type Target,
} from './testing/attacker.ts';
import { SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

let target: Target;
let before: unknown;

const lookAt = (): unknown => [rowsOf(target.fixture), filesOf(target.fixture.home)];

beforeAll(async () => {
  target = await createTarget();
});
afterAll(() => target.close());
beforeEach(() => {
  before = lookAt();
});
// The law of every test here: what is refused changes nothing.
afterEach(() => expect(lookAt()).toEqual(before));

const ROUTES = ['/spawn', '/stop', '/cleanup', '/nudge', '/heartbeat', '/report', '/credential'] as const;
type Route = (typeof ROUTES)[number];
const AGENTS_ONLY: readonly Route[] = ['/report', '/credential'];
const SHELLS_ONLY: readonly Route[] = ['/spawn', '/stop', '/cleanup', '/nudge'];

/** A token the route takes. */
const tokenFor = (route: Route): string => (AGENTS_ONLY.includes(route) ? target.tokens[0] : SHELL_TOKEN);

async function refused(shot: Shot): Promise<readonly [status: number, code: string, error: string]> {
  const { status, type, body } = await shoot(target.url, shot);
  expect(type).toContain('application/json');
  const { code, error } = ErrorReply.parse(JSON.parse(body));
  return [status, code, error];
}

const AT = '2026-04-14T08:31:00.000Z';

/** What each route takes, and values each of its fields does not. */
const GOOD: Readonly<Record<Route, () => Readonly<Record<string, unknown>>>> = {
  '/spawn': () => ({ ...spawnOf() }),
  '/stop': () => ({ process_id: 'nobody', grace_ms: 0 }),
  '/cleanup': () => ({ sprint_id: 's1', task_id: 't1', merge_sha: null }),
  '/nudge': () => ({ sprint_id: 's1', agent_id: 'agent-1', message: 'Well?' }),
  '/heartbeat': () => ({ sprint_id: 's1', agent_id: 'agent-1' }),
  '/credential': () => ({ purpose: 'push' }),
  '/report': () => ({
    sprint_id: 's1',
    task_id: 't1',
    agent_id: 'agent-1',
    process_id: target.processes[0].process_id,
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
  }),
};

const NO_ID = [
  '',
  'A',
  '../x',
  's1/t2',
  '__proto__',
  'a'.repeat(65),
  'é',
  'a b',
  'a\n',
  '\ud800',
  7,
  null,
  true,
  [],
  ['s1'],
  {},
];
const NO_SHA = ['', 'main', '0'.repeat(39), 'G'.repeat(40), '-'.repeat(40), '0'.repeat(41), 1, {}];
const NO_COUNT = [-1, 1.5, '1', 1e300, true, [], {}];
const NO_TIME = ['', 'now', '2026-04-14', '2026-04-14T08:31:00Z', '2026-13-45T99:99:99.999Z', 0, {}];
const NO_TEXT = [7, true, [], {}];

const FIELDS: readonly (readonly [Route, string, readonly unknown[]])[] = [
  ['/spawn', 'sprint_id', NO_ID],
  ['/spawn', 'task_id', NO_ID],
  ['/spawn', 'agent_id', NO_ID],
  [
    '/spawn',
    'repo',
    [
      '',
      'widgets',
      'acme/..',
      '../widgets',
      'acme/widgets/x',
      '/etc/passwd',
      'acme/wid gets',
      'acme\0/x',
      1,
      null,
    ],
  ],
  [
    '/spawn',
    'worktree_base',
    ['a/\ud800', `.caloron/worktrees/${'a'.repeat(256)}`, 'x\0', '/'.repeat(1001), ...NO_TEXT, null],
  ],
  ['/spawn', 'action_id', ['', 'x', 'A'.repeat(32), 'a'.repeat(33), '../'.repeat(10), null, 1]],
  ['/spawn', 'role', ['', 'admin', 'toString', null, 1]],
  ['/spawn', 'mode', ['', 'force', null, {}]],
  ['/spawn', 'attempt', [0, ...NO_COUNT, null]],
  ['/spawn', 'issue_number', [0, ...NO_COUNT, null]],
  ['/spawn', 'instruction', NO_TEXT],
  ['/spawn', 'head_sha', NO_SHA],
  ['/stop', 'process_id', ['', 'x'.repeat(101), null, ...NO_TEXT]],
  ['/stop', 'grace_ms', [...NO_COUNT, 600_001, Number.MAX_SAFE_INTEGER, null]],
  ['/cleanup', 'sprint_id', NO_ID],
  ['/cleanup', 'task_id', NO_ID],
  ['/cleanup', 'merge_sha', NO_SHA],
  ['/nudge', 'sprint_id', NO_ID],
  ['/nudge', 'agent_id', NO_ID],
  ['/nudge', 'message', ['', 'x'.repeat(20_001), null, ...NO_TEXT]],
  ['/heartbeat', 'sprint_id', NO_ID],
  ['/heartbeat', 'agent_id', NO_ID],
  ['/heartbeat', 'status', ['x'.repeat(201), ...NO_TEXT]],
  ['/heartbeat', 'tokens_used', NO_COUNT],
  ['/heartbeat', 'progress_at', NO_TIME],
  ['/heartbeat', 'next_by', NO_TIME],
  ['/credential', 'purpose', ['', 'read', 'toString', null, 1, ['push']]],
  ['/report', 'sprint_id', NO_ID],
  ['/report', 'process_id', ['', null, ...NO_TEXT]],
  ['/report', 'outcome', ['', 'won', 'constructor', null]],
  ['/report', 'head_sha', NO_SHA],
  ['/report', 'pr_number', [0, ...NO_COUNT]],
  ['/report', 'exit', [null, {}, [], 'ok', { code: 0 }]],
  ['/report', 'tokens_used', [...NO_COUNT, null]],
  ['/report', 'body', [null, ...NO_TEXT]],
  ['/report', 'receipt', [{}, [], 'passed', { exit_code: 0 }]],
  ['/report', 'feedback', [{}, [], 'fine']],
  ['/report', 'synthetic', [null, 0, 'false']],
];

describe('a request with a wrong field', () => {
  it.each(FIELDS)('%s: %s is refused with 400 and the field’s name', async (route, field, values) => {
    for (const value of values) {
      const answer = await refused(post(route, { ...GOOD[route](), [field]: value }, tokenFor(route)));

      expect(answer, JSON.stringify(value)).toEqual([400, 'REQUEST_INVALID', expect.stringContaining(field)]);
    }
  });

  it.each(ROUTES)('%s without what it needs is refused with 400 and the names', async (route) => {
    const optional = ['grace_ms'];
    for (const field of Object.keys(GOOD[route]()).filter((name) => !optional.includes(name))) {
      const { [field]: _, ...rest } = GOOD[route]();
      const answer = await refused(post(route, rest, tokenFor(route)));

      expect(answer).toEqual([400, 'REQUEST_INVALID', expect.stringContaining(field)]);
    }
  });

  it.each(ROUTES)('%s with a field nobody knows is refused with 400 and its name', async (route) => {
    for (const field of ['extra', 'constructor', 'toString', '0', '']) {
      const answer = await refused(post(route, { ...GOOD[route](), [field]: 1 }, tokenFor(route)));

      expect(answer).toEqual([400, 'REQUEST_INVALID', expect.stringContaining(`"${field}"`)]);
    }
  });

  it('with thousands of wrong fields is told the first few', async () => {
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, n]));

    const [status, code, error] = await refused(post('/stop', many, SHELL_TOKEN));

    expect([status, code]).toEqual([400, 'REQUEST_INVALID']);
    expect(error.length).toBeLessThan(3000);
  });
});

describe('a request with a wrong body', () => {
  it.each(ROUTES)('%s takes objects of JSON alone', async (route) => {
    const cases: readonly (readonly [body: string, code: string])[] = [
      ['null', 'REQUEST_INVALID'],
      ['[]', 'REQUEST_INVALID'],
      ['"text"', 'REQUEST_INVALID'],
      ['1', 'REQUEST_INVALID'],
      ['true', 'REQUEST_INVALID'],
      [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, 'REQUEST_INVALID'],
      ['', 'REQUEST_NOT_JSON'],
      ['{"sprint_id":', 'REQUEST_NOT_JSON'],
      ['{"sprint_id":"s1",}', 'REQUEST_NOT_JSON'],
      ["{'a':1}", 'REQUEST_NOT_JSON'],
      ['NaN', 'REQUEST_NOT_JSON'],
      ['['.repeat(50_000), 'REQUEST_NOT_JSON'],
      ['{"__proto__":{"ok":true}}', 'REQUEST_NOT_JSON'],
      ['{"constructor":{"prototype":{"ok":true}}}', 'REQUEST_NOT_JSON'],
    ];
    for (const [body, code] of cases) {
      const [status, ...said] = await refused(post(route, body, tokenFor(route)));

      expect([status, said[0]], body.slice(0, 40)).toEqual([400, code]);
    }
  });

  it.each(ROUTES)('%s takes application/json alone', async (route) => {
    for (const type of [
      'text/plain',
      'text/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '*/*',
      '',
    ]) {
      const shot = post(route, GOOD[route](), tokenFor(route));
      const [status, code] = await refused({ ...shot, headers: { ...shot.headers, 'content-type': type } });

      expect([status, code], type).toEqual([415, 'REQUEST_TYPE_UNSUPPORTED']);
    }
  });

  it.each(ROUTES)('%s takes at most 1 MiB', async (route) => {
    // The length alone is enough to be refused: nothing of the body is waited for.
    const head = `POST ${route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n`;
    const answer = await shootBytes(
      target.url,
      `${head}x-caloron-token: ${tokenFor(route)}\r\nContent-Length: 1048577\r\n\r\n`,
    );

    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"REQUEST_TOO_LARGE"');
  });

  it('of which more comes than was announced is refused', async () => {
    const head = `POST /stop HTTP/1.1\r\nHost: x\r\nx-caloron-token: ${SHELL_TOKEN}\r\nContent-Type: application/json\r\n`;
    const chunk = `${(1_100_000).toString(16)}\r\n${'x'.repeat(1_100_000)}\r\n0\r\n\r\n`;

    const answer = await shootBytes(target.url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`).catch(
      () => 'HTTP/1.1 413 reset',
    );

    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('a request with a wrong token', () => {
  const everywhere = [
    ...ROUTES.map((route) => ['POST', route] as const),
    ['GET', '/status'] as const,
    ['GET', '/agents/agent-1/logs'] as const,
  ];

  it.each(everywhere)('%s %s is refused with 401, whatever else is wrong with it', async (method, path) => {
    for (const token of [
      null,
      '',
      ' ',
      'x',
      `${SHELL_TOKEN}x`,
      SHELL_TOKEN.slice(1),
      SHELL_TOKEN.toUpperCase(),
      'x'.repeat(8000),
    ]) {
      for (const body of method === 'GET' ? [null] : ['{}', '{"broken', '']) {
        const headers = {
          'content-type': 'application/json',
          ...(token === null ? {} : { 'x-caloron-token': token }),
        };
        const [status, code] = await refused({ method, path, headers, body });

        expect([status, code], String(token).slice(0, 40)).toEqual([401, 'TOKEN_INVALID']);
      }
    }
  });

  it.each(everywhere)(
    '%s %s finds no token in its address, its cookies or its authorization',
    async (method, path) => {
      const headers = {
        authorization: `Bearer ${SHELL_TOKEN}`,
        cookie: `x-caloron-token=${SHELL_TOKEN}`,
        'content-type': 'application/json',
      };
      const [status, code, error] = await refused({
        method,
        path: `${path}?x-caloron-token=${SHELL_TOKEN}`,
        headers,
        body: method === 'GET' ? null : '{}',
      });

      expect([status, code]).toEqual([401, 'TOKEN_INVALID']);
      expect(error).not.toContain(SHELL_TOKEN);
    },
  );

  it('sent twice is refused with 401', async () => {
    const twice = `x-caloron-token: ${SHELL_TOKEN}\r\nx-caloron-token: ${SHELL_TOKEN}\r\n`;

    expect(
      await shootBytes(target.url, `GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${twice}\r\n`),
    ).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each(SHELLS_ONLY)('POST %s of an agent is refused with 403', async (route) => {
    for (const token of target.tokens) {
      const [status, code] = await refused(post(route, GOOD[route](), token));
      expect([status, code]).toEqual([403, 'TOKEN_FORBIDDEN']);
    }
  });

  it.each(['/status', '/agents/agent-1/logs', '/agents/agent-2/logs'])(
    'GET %s of an agent is refused with 403',
    async (path) => {
      for (const token of target.tokens) {
        const [status, code] = await refused({
          method: 'GET',
          path,
          headers: { 'x-caloron-token': token },
          body: null,
        });
        expect([status, code]).toEqual([403, 'TOKEN_FORBIDDEN']);
      }
    },
  );

  it.each(AGENTS_ONLY)('POST %s with the shell’s is refused with 403', async (route) => {
    const [status, code] = await refused(post(route, GOOD[route](), SHELL_TOKEN));
    expect([status, code]).toEqual([403, 'TOKEN_FORBIDDEN']);
  });

  it('of another agent is refused with 403 for a heartbeat and a report', async () => {
    const [, second] = target.tokens;
    for (const route of ['/heartbeat', '/report'] as const) {
      const [status, code] = await refused(post(route, GOOD[route](), second));
      expect([status, code]).toEqual([403, 'TOKEN_FORBIDDEN']);
    }
  });

  it.each([
    { task_id: 't2' },
    { agent_id: 'agent-2' },
    { role: 'reviewer' },
    { attempt: 2 },
    { sprint_id: 's2' },
    { process_id: 'other' },
  ])('of the agent’s own, but in the name of %j, is refused with 403', async (changes) => {
    const [first] = target.tokens;
    const [status, code] = await refused(post('/report', { ...GOOD['/report'](), ...changes }, first));
    expect([status, code]).toEqual([403, 'TOKEN_FORBIDDEN']);
  });
});

describe('a request for what there is not', () => {
  it.each([
    ['/spawn', { sprint_id: 's9' }, 404, 'SPRINT_UNKNOWN'],
    ['/spawn', { task_id: 't9' }, 404, 'TASK_UNKNOWN'],
    ['/spawn', { task_id: 'constructor' }, 404, 'TASK_UNKNOWN'],
    ['/spawn', { repo: 'acme/gadgets' }, 409, 'REPO_MISMATCH'],
    ['/spawn', { worktree_base: '../..' }, 409, 'AGENT_BUSY'],
    ['/spawn', {}, 409, 'AGENT_BUSY'],
    ['/spawn', { agent_id: 'agent-5' }, 409, 'TASK_BUSY'],
    ['/stop', {}, 404, 'PROCESS_UNKNOWN'],
    ['/stop', { process_id: '../../etc' }, 404, 'PROCESS_UNKNOWN'],
    ['/stop', { process_id: "' OR 1=1 --" }, 404, 'PROCESS_UNKNOWN'],
    ['/cleanup', { sprint_id: 's9' }, 404, 'SPRINT_UNKNOWN'],
    ['/cleanup', { task_id: 'toString'.toLowerCase() }, 404, 'TASK_UNKNOWN'],
    ['/nudge', { agent_id: 'agent-5' }, 404, 'AGENT_UNKNOWN'],
    ['/nudge', { sprint_id: 's9' }, 404, 'AGENT_UNKNOWN'],
    ['/heartbeat', { agent_id: 'agent-5' }, 404, 'AGENT_UNKNOWN'],
  ] as const)('%s %j is refused with %i %s', async (route, changes, status, code) => {
    const answer = await refused(post(route, { ...GOOD[route](), ...changes }, SHELL_TOKEN));

    expect(answer.slice(0, 2)).toEqual([status, code]);
  });

  it.each([
    ['GET', '/', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/spawn', 404, 'ROUTE_UNKNOWN'],
    ['PUT', '/spawn', 404, 'ROUTE_UNKNOWN'],
    ['DELETE', '/status', 404, 'ROUTE_UNKNOWN'],
    ['OPTIONS', '/status', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/status/', 404, 'ROUTE_UNKNOWN'],
    ['GET', '//status', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/agents/../status', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/agents/agent-1/../../shell-token', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/.caloron/shell-token', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/agents//logs', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/..%2f..%2fshell-token/logs', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/%00/logs', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/%zz/logs', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/%ff/logs', 400, 'REQUEST_INVALID'],
    ['GET', `/agents/${'a'.repeat(500)}/logs`, 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?tail=0', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?tail=10001', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?tail=1&tail=2', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?tail=x', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?file=/etc/passwd', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?__proto__=1', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?sprint_id=..', 400, 'REQUEST_INVALID'],
    ['GET', '/agents/agent-1/logs?sprint_id=s9', 404, 'AGENT_UNKNOWN'],
    ['GET', '/agents/agent-5/logs', 404, 'AGENT_UNKNOWN'],
    ['GET', '/agents/__proto__/logs', 400, 'REQUEST_INVALID'],
  ] as const)('O8 %s %s is refused with %i %s', async (method, path, status, code) => {
    const answer = await refused({ method, path, headers: { 'x-caloron-token': SHELL_TOKEN }, body: null });

    expect(answer.slice(0, 2)).toEqual([status, code]);
  });
});

describe('bytes that are no request', () => {
  it.each([
    'GARBAGE\r\n\r\n',
    'GET /status HTTP/9.9\r\n\r\n',
    'GET /st\0atus HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /é HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /stop HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
    'POST /stop HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
    'POST /stop HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked, x\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\n folded: x\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
  ])('%j are answered with 400 in the shell’s own form, and the connection ends', async (bytes) => {
    const answer = await shootBytes(target.url, bytes);

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('{"ok":false,"code":"REQUEST_INVALID"');
  });
});
