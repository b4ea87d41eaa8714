import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import {
  BINS,
  editJson,
  type Ended,
  environment,
  type ForgeWorld,
  forgeWorld,
  must,
  run,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from '../support/bins.ts';
import { killProcessesOf, processesOf } from '../support/processes.ts';
import { ROOT } from '../support/tree.ts';

/** `pnpm test` has a sample of what starts many processes, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
const TICK = join(ROOT, 'compositions/sprint_tick.json');

let dir: string;
/** A home with an open sprint of two tasks. */
let home: string;
/** A home without a sprint. */
let empty: string;
let world: ForgeWorld;
/** A repository without a commit. */
let blank: string;
let shell: Serving;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  empty = join(dir, 'empty');
  world = await forgeWorld(dir);
  const tokens = environment(world.tokens);
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  for (const at of [home, empty]) {
    await must('caloron', ['init', ...forge, '--home', at], { cwd: dir });
    editJson(join(at, 'caloron.json'), { framework: 'stub', framework_options: { script_dir: dir } });
  }
  // A run puts caloron.json into the database.
  const graph = join(dir, 'nothing.json');
  writeText(
    graph,
    JSON.stringify({ description: 'nothing', version: '0.1.0', root: { op: 'Const', value: 1 } }),
  );
  await must('noether', ['run', graph, '--home', empty], { cwd: dir });
  shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env: tokens });
  env = { ...tokens, CALORON_SHELL_URL: shell.url };
  const brief = '- [first] The first\n- [second] The second (after: first)';
  const kickoff = ['kickoff', brief, '--repo', world.repo, '--sprint-id', 'open', '--home', home];
  await must('caloron', kickoff, { cwd: dir, env });
  const made = await post(`${world.forge.url}/user/repos`, JSON.stringify({ name: 'blank' }), {
    authorization: `token ${world.tokens.CALORON_FORGE_TOKEN}`,
  });
  blank = z.object({ full_name: z.string() }).parse(JSON.parse(made.text)).full_name;
  // The first agent works as long as the tests do.
  const steps = [{ say: 'working' }, { wait_ms: 600_000 }];
  writeText(join(dir, 'first.json'), JSON.stringify({ v: 1, attempts: [{ steps }] }));
  expect(await must('caloron', ['tick', '--home', home], { cwd: dir, env })).toMatch(/spawn:agent-1/);
});

afterAll(async () => {
  await shell.stop();
  await world.forge.stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

const caloron = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  run('caloron', [...args, '--home', home], { cwd: dir, env: { ...env, ...more } });
const noether = (args: readonly string[]): Promise<Ended> =>
  run('noether', [...args, '--home', home], { cwd: dir, env });

function sql<T>(at: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(at, '.caloron/caloron.db'));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** All that could have changed: the log, the kv rows, the forge's database by its row counts. */
function everything(at: string): unknown {
  const known = sql(at, (db) => ({
    seq: db.prepare('SELECT max(seq) AS seq FROM events').get(),
    kv: db.prepare('SELECT namespace, key, value, rev FROM kv ORDER BY namespace, key').all(),
    outbox: db.prepare('SELECT * FROM outbox ORDER BY 1').all(),
    processes: db.prepare('SELECT count(*) AS n FROM processes').get(),
  }));
  const forge = readdirSync(world.data)
    .filter((name) => name.endsWith('.db'))
    .map((name) => {
      const db = new DatabaseSync(join(world.data, name), { readOnly: true });
      const tables = z
        .array(z.object({ name: z.string() }))
        .parse(db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all())
        .filter((table) => /^(issues|comments|pulls|reviews|repos|users)$/.test(table.name))
        .map((table) => [table.name, db.prepare(`SELECT count(*) AS n FROM ${table.name}`).get()]);
      db.close();
      return tables;
    });
  return { known, forge };
}

/** What a failed command must say; its code, its place in the sentence, its next step. */
function refusal(
  { code, stdout, stderr }: Ended,
  expected: { readonly exit: number; readonly code: string; readonly says: RegExp; readonly next: RegExp },
): void {
  expect({ exit: code, stdout }, stderr).toEqual({ exit: expected.exit, stdout: '' });
  expect(stderr).toContain(`[${expected.code}]`);
  expect(stderr).toMatch(expected.says);
  expect(/^ {2}next: (.*)$/m.exec(stderr)?.[1] ?? stderr).toMatch(expected.next);
  // A stranger reads sentences, and each place once.
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+|\[object|ZodError/);
  const place = /\b(root[\w.[\]]*): /.exec(stderr)?.[1];
  if (place !== undefined) expect(stderr.split(`${place}: `)).toHaveLength(2);
}

const Refused = z.object({ ok: z.literal(false).optional(), code: z.string(), error: z.string() });

async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, text: await response.text() };
}

const shellToken = (): string => readFileSync(join(home, '.caloron/shell-token'), 'utf8').trim();

describe('bad input is one clear error and changes nothing:', () => {
  let before: unknown;
  beforeEach(() => {
    before = [everything(home), everything(empty)];
  });
  const unchanged = (): void => expect([everything(home), everything(empty)]).toEqual(before);

  it('a sprint nobody knows', async () => {
    const input = JSON.stringify({ sprint_id: 'nope', repo: world.repo, stall_threshold_m: 20 });
    const known = { exit: 1, code: 'SPRINT_UNKNOWN', says: /no sprint nope .*open/, next: /caloron kickoff/ };

    refusal(await caloron(['tick', '--sprint', 'nope']), known);
    refusal(await caloron(['status', '--sprint', 'nope']), known);
    refusal(await noether(['run', TICK, '--input', input]), {
      ...known,
      says: /: no sprint nope .*\(at root\.bindings\.sprint\)/,
    });
    unchanged();
  });

  if (SLOW)
    it('a command that needs a sprint where there is none, and one where there is no home at all', async () => {
      const bare = join(dir, 'bare');
      mkdirSync(bare);
      refusal(await run('caloron', ['status', '--home', empty], { cwd: dir, env }), {
        exit: 1,
        code: 'CLI_NO_SPRINT',
        says: /no sprint was started in .*empty/,
        next: /caloron kickoff/,
      });
      for (const args of [['status'], ['tick'], ['history'], ['kv', 'list'], ['agents']]) {
        refusal(await run('caloron', args, { cwd: bare, env }), {
          exit: 1,
          code: 'CLI_NO_HOME',
          says: /there is no \.caloron\/ in .*bare or above it/,
          next: /caloron init/,
        });
      }
      expect((await run('caloron', ['doctor'], { cwd: bare, env })).stdout).toMatch(/^MISSING +database/m);
      expect(readdirSync(bare)).toEqual([]);
      unchanged();
    });

  if (SLOW)
    it('a task the sprint does not have', async () => {
      refusal(await caloron(['resolve', 'thrid']), {
        exit: 1,
        code: 'CLI_TASK_UNKNOWN',
        says: /sprint open has no task thrid; its tasks: first, second/,
        next: /caloron status/,
      });
      unchanged();
    });

  it('a composition that does not type-check', async () => {
    const graph = join(dir, 'mistyped.json');
    const root = {
      op: 'Sequential',
      stages: [
        { op: 'Stage', id: 'clock_now' },
        { op: 'Stage', id: 'dag_is_complete' },
      ],
    };
    writeText(graph, JSON.stringify({ description: 'mistyped', version: '0.1.0', root }));
    const expected = { exit: 2, code: 'GRAPH_TYPE_MISMATCH', says: /root\.stages\[1\]: .*state/ };

    refusal(await noether(['check', graph]), { ...expected, next: /noether stage/ });
    for (const bin of ['noether', 'caloron'] as const) {
      const ended = await run(bin, ['run', graph, '--input', '{}', '--home', home], { cwd: dir, env });
      refusal(ended, { ...expected, next: /noether check .*mistyped\.json/ });
    }
    unchanged();
  });

  if (SLOW)
    it('an unknown stage', async () => {
      const graph = join(dir, 'unknown.json');
      const root = { op: 'Stage', id: 'clock_nwo' };
      writeText(graph, JSON.stringify({ description: 'unknown', version: '0.1.0', root }));
      const says = /root: .*`clock_nwo`.*clock_now/;

      refusal(await noether(['check', graph]), {
        exit: 2,
        code: 'GRAPH_STAGE_UNKNOWN',
        says,
        next: /noether stage list/,
      });
      refusal(await noether(['run', graph]), {
        exit: 2,
        code: 'GRAPH_STAGE_UNKNOWN',
        says,
        next: /noether check/,
      });
      unchanged();
    });

  if (SLOW)
    it('a graph that is no JSON, or not there', async () => {
      const graph = join(dir, 'broken.json');
      writeText(graph, '{\n  "root": \n}');

      refusal(await noether(['run', graph]), {
        exit: 1,
        code: 'GRAPH_INVALID',
        says: /broken\.json is not a graph: .*line 3/,
        next: /./,
      });
      refusal(await noether(['run', 'missing.json']), {
        exit: 1,
        code: 'SCHEDULER_GRAPH_MISSING',
        says: /cannot read the graph .*missing\.json: there is no such file/,
        next: /absolute/,
      });
      unchanged();
    });

  if (SLOW)
    it('a DAG with a cycle', async () => {
      const brief = '- [a] A (after: b)\n- [b] B (after: a)';
      const kickoff = ['kickoff', brief, '--repo', world.repo, '--sprint-id', 'round', '--home', empty];

      refusal(await run('caloron', kickoff, { cwd: dir, env }), {
        exit: 1,
        code: 'KICKOFF_DAG_INVALID',
        says: /cycle involving: a, b/,
        next: /./,
      });
      unchanged();
    });

  if (SLOW)
    it('a repository that is none, a host that is a word, and a repository without a commit', async () => {
      const at = ['--home', empty];
      const kickoff = (...more: readonly string[]): Promise<Ended> =>
        run('caloron', ['kickoff', '- [a] A', ...more, ...at], { cwd: dir, env });

      refusal(await kickoff('--repo', 'a/../x'), {
        exit: 1,
        code: 'CLI_USAGE',
        says: /--repo: expected a repository like owner\/name, got "a\/\.\.\/x"/,
        next: /--repo acme\/app/,
      });
      refusal(await run('caloron', ['init', '--repo', 'a/b', '--host', 'github', ...at], { cwd: dir, env }), {
        exit: 1,
        code: 'CLI_USAGE',
        says: /--host: expected the API address of a forge/,
        next: /leave --host out for github\.com/,
      });
      refusal(await kickoff('--repo', blank), {
        exit: 1,
        code: 'KICKOFF_REPO_EMPTY',
        says: /blank has no commit yet/,
        next: /push a first commit .*git push origin HEAD:main/,
      });
      unchanged();
    });

  it('an id with ../', async () => {
    const tick = (sprint_id: string): string => JSON.stringify({ sprint_id, repo: world.repo });
    const usage = { exit: 1, code: 'CLI_USAGE', says: /"\.\.\/x": expected an id/, next: /caloron/ };

    refusal(await caloron(['status', '--sprint', '../x']), usage);
    refusal(await caloron(['kickoff', '- [a] A', '--repo', world.repo, '--sprint-id', '../x']), usage);
    refusal(await caloron(['show', '../x']), { ...usage, code: 'CLI_TASK_UNKNOWN', says: /no task \.\.\/x/ });
    refusal(await noether(['run', TICK, '--input', tick('../x')]), {
      exit: 1,
      code: 'STAGE_INPUT_INVALID',
      says: /sprint_id: expected an id/,
      next: /noether/,
    });
    const spawn = { sprint_id: 'open', task_id: '../x', agent_id: 'agent-1', repo: world.repo };
    const { status, text } = await post(`${shell.url}/spawn`, JSON.stringify(spawn), {
      'x-caloron-token': shellToken(),
    });
    expect({ status, ...Refused.parse(JSON.parse(text)) }).toMatchObject({
      status: 400,
      code: 'REQUEST_INVALID',
      error: expect.stringContaining('task_id') as string,
    });
    unchanged();
  });

  it('a body that is not JSON', async () => {
    const answers = [
      await post(`${shell.url}/spawn`, '{"sprint_id":', { 'x-caloron-token': shellToken() }),
      await post(`${world.forge.url}/repos/${world.repo}/issues`, '{"title":', {
        authorization: `token ${world.tokens.CALORON_FORGE_TOKEN}`,
      }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([400, 400]);
    for (const { text } of answers) expect(text).toMatch(/JSON/);
    refusal(await noether(['run', TICK, '--input', '{"sprint_id":']), {
      exit: 1,
      code: 'CLI_INPUT_INVALID',
      says: /--input cannot be read as JSON/,
      next: /--input '/,
    });
    unchanged();
  });

  it('a wrong token', async () => {
    refusal(await caloron(['tick'], { CALORON_FORGE_TOKEN: 'wrong' }), {
      exit: 3,
      code: 'FORGE_UNAUTHORIZED',
      says: /^caloron tick: (?!root).*127\.0\.0\.1/m,
      next: /new token .* variable/,
    });
    const body = JSON.stringify({ sprint_id: 'open' });
    const answers = [
      await post(`${shell.url}/spawn`, body, { 'x-caloron-token': 'wrong' }),
      await post(`${shell.url}/spawn`, body, {}),
      await post(`${world.forge.url}/repos/${world.repo}/issues`, body, { authorization: 'token wrong' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    for (const { text } of answers) expect(text).not.toContain(shellToken());
    unchanged();
  });

  if (SLOW)
    it('a missing token variable', async () => {
      refusal(await caloron(['tick'], { CALORON_FORGE_TOKEN: '' }), {
        exit: 1,
        code: 'FORGE_TOKEN_MISSING',
        says: /variable CALORON_FORGE_TOKEN/,
        next: /^export CALORON_FORGE_TOKEN=…/,
      });
      refusal(await caloron(['tick'], { CALORON_TOKEN_ENVS: 'GITHUB_TOKEN' }), {
        exit: 1,
        code: 'FORGE_TOKEN_NOT_ALLOWED',
        says: /CALORON_FORGE_TOKEN/,
        next: /CALORON_TOKEN_ENVS/,
      });
      unchanged();
    });

  if (SLOW)
    it('a port in use', async () => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const port = String((taken.address() as AddressInfo).port);
      const at = { cwd: empty, env };
      const own = (args: readonly string[]): readonly string[] => ['--port', port, ...args];
      try {
        const ended = [
          await run('caloron-shell', own(['--home', empty]), at),
          await run('caloron-forge', own(['--data', join(dir, 'other-forge')]), at),
          await run('noether-scheduler', own(['--config', 'scheduler.json']), at),
        ];
        for (const { code, stdout, stderr } of ended) {
          expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
          expect(stderr).toMatch(new RegExp(`port ${port}\\b`));
          expect(stderr).toMatch(/PORT_IN_USE/);
          expect(stderr).toMatch(/--port/);
        }
        const up = ['up', '--shell-port', port, '--home', empty];
        refusal(await run('caloron', up, at), {
          exit: 3,
          code: 'CLI_SERVICE_FAILED',
          says: new RegExp(`caloron-shell did not start: .*port ${port}\\b`),
          next: /tail .*caloron-shell\.log/,
        });
      } finally {
        taken.close();
      }
      expect(processesOf(empty)).toEqual([]);
      unchanged();
    });

  if (SLOW)
    it('processes that are asked for twice, and a missing or wrong scheduler.json', async () => {
      const config = join(empty, 'scheduler.json');
      const text = readFileSync(config, 'utf8');
      const up = (...args: readonly string[]): Promise<Ended> =>
        run('caloron', ['up', ...args, '--home', empty], { cwd: dir, env });
      refusal(await up('--config', 'nowhere.json'), {
        exit: 1,
        code: 'SCHEDULER_CONFIG_MISSING',
        says: /nowhere\.json: there is no such file/,
        next: /caloron init|--config/,
      });
      writeText(config, JSON.stringify({ jobs: [{ name: 'tick', cron: 'often', graph: 'x.json' }] }));
      refusal(await up(), {
        exit: 1,
        code: 'SCHEDULER_CONFIG_INVALID',
        says: /scheduler\.json:\n +- jobs\[0\]\.cron: /,
        next: /correct/,
      });
      writeText(config, text);
      expect(processesOf(empty)).toEqual([]);

      await must('caloron', ['up', '--home', empty], { cwd: dir, env });
      try {
        refusal(await up(), {
          exit: 1,
          code: 'CLI_ALREADY_UP',
          says: /caloron-shell \(pid \d+\)/,
          next: /down/,
        });
        const second = await run('caloron-shell', ['--port', '0', '--home', empty], { cwd: dir, env });
        expect({ code: second.code, stdout: second.stdout }, second.stderr).toEqual({ code: 1, stdout: '' });
        expect(second.stderr).toContain('SHELL_ALREADY_RUNNING');
      } finally {
        await must('caloron', ['down', '--home', empty], { cwd: dir, env });
      }
      expect((await run('caloron', ['down', '--home', empty], { cwd: dir, env })).stdout).toMatch(
        /^nothing was running/,
      );
      unchanged();
    });

  it('an old Node', async () => {
    const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.19.4"})';
    const bins = Object.keys(BINS) as (keyof typeof BINS)[];
    const ended = await Promise.all(
      bins.map((bin) => run(bin, ['status', '--home', home], { cwd: dir, env, node: ['--import', old] })),
    );

    ended.forEach(({ code, stdout, stderr }, at) => {
      expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(`^${bins[at]} needs Node 22\\.18 or newer; this is Node 20\\.19\\.4\\.\n.*npx .*node@24`),
      );
    });
    unchanged();
  });

  it('a line that is no command', async () => {
    refusal(await caloron(['statsu']), {
      exit: 1,
      code: 'CLI_USAGE',
      says: /unknown command 'statsu' .*status/,
      next: /caloron --help/,
    });
    refusal(await caloron(['status', '--all']), {
      exit: 1,
      code: 'CLI_USAGE',
      says: /unknown option '--all' \(usage: caloron status/,
      next: /caloron status --help/,
    });
    const { code, stdout, stderr } = await caloron(['kv', 'get', '--output', 'json']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      command: 'caloron kv get',
      error: { code: 'CLI_USAGE', hint: './caloron kv get --help' },
    });
    unchanged();
  });

  it('a failed run answers in the JSON envelope too', async () => {
    const { code, stdout, stderr } = await caloron(['tick', '--sprint', 'nope', '--output', 'json']);

    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      command: 'caloron tick',
      error: { code: 'SPRINT_UNKNOWN', hint: expect.any(String) as string },
      meta: { version: expect.any(String) as string },
    });
    unchanged();
  });
});

describe('a damaged KV value', () => {
  const DAMAGED = [
    ['caloron:open:state', '{"sprint_id":"open","ta'],
    ['caloron:open:state', '{"sprint_id":"open"}'],
    ['caloron:active_sprint', '{"sprint":1}'],
  ] as const;
  const keep = (key: string): string =>
    sql(
      home,
      (db) =>
        z.object({ value: z.string() }).parse(db.prepare('SELECT value FROM kv WHERE key = ?').get(key))
          .value,
    );
  const write = (key: string, value: string): void =>
    sql(home, (db) => void db.prepare('UPDATE kv SET value = ? WHERE key = ?').run(value, key));

  it.each(SLOW ? DAMAGED : DAMAGED.slice(0, 1))(
    'at %s is named, left as it is, and made whole by a rebuild (%s)',
    async (key, damaged) => {
      const whole = keep(key);
      write(key, damaged);
      const before = everything(home);
      const expected = {
        code: 'STORE_VALUE_INVALID',
        says: new RegExp(`the value at ${key} `),
        next: /caloron kv rebuild/,
      };

      refusal(await caloron(['status']), { exit: 3, ...expected });
      const ticked = await caloron(['tick']);
      refusal(ticked, { exit: 3, ...expected });
      if (key.endsWith(':state')) {
        const input = JSON.stringify({ sprint_id: 'open', repo: world.repo });
        const says = new RegExp(`: the value at ${key} .*\\(at root\\.bindings\\.sprint\\)`);
        refusal(await noether(['run', TICK, '--input', input]), { ...expected, exit: 3, says });
      }
      const checked = await caloron(['kv', 'rebuild', '--check']);
      expect(checked.code).toBe(1);
      expect(checked.stdout).toContain(key);
      expect(everything(home)).toEqual(before);

      await must('caloron', ['kv', 'rebuild', '--home', home], { cwd: dir, env });
      expect(keep(key)).toBe(whole);
      expect((await caloron(['status'])).code).toBe(0);
    },
  );
});

if (SLOW)
  describe('a forge that is down', () => {
    let down: ForgeWorld | undefined;
    afterEach(async () => {
      await down?.forge.stop();
    });

    it('D16 D18 stops no tick: it says since when, and status says it too until the forge is back', async () => {
      const place = join(dir, 'down');
      mkdirSync(place);
      down = await forgeWorld(place);
      const at = join(place, 'home');
      const own = environment(down.tokens);
      const init = [
        'init',
        '--repo',
        down.repo,
        '--host',
        down.forge.url,
        '--token-env',
        'CALORON_FORGE_TOKEN',
      ];
      await must('caloron', [...init, '--home', at], { cwd: dir });
      const brief = '- [first] The first';
      await must('caloron', ['kickoff', brief, '--repo', down.repo, '--home', at], { cwd: dir, env: own });
      // The first tick learns of the issue; polls begin there.
      await must('caloron', ['tick', '--home', at], { cwd: dir, env: own });
      await down.forge.stop();
      const address = down.forge.url.replace('http://', '');

      const tick = await run('caloron', ['tick', '--home', at], { cwd: dir, env: own });
      expect(tick).toMatchObject({ code: 0 });
      expect(tick.stdout).toMatch(
        new RegExp(`error: forge: away since \\d{4}-.*nothing is lost.*FORGE_UNAVAILABLE: .*${address}`),
      );
      const status = await run('caloron', ['status', '--home', at], { cwd: dir, env: own });
      expect(status.stdout).toMatch(/FORGE AWAY for \d+ s, since \d{4}-.*agents go on/);
    });
  });

describe('a command a person interrupts', () => {
  it('stops its run, ends with 130 and starts no sprint', async () => {
    // A forge that takes every request and never answers.
    const asked = new EventEmitter();
    const silent = createServer(() => asked.emit('asked'));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const host = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const before = everything(empty);
    const kickoff = ['kickoff', '- [a] A', '--repo', world.repo, '--host', host, '--home', empty];
    try {
      const child = execa(process.execPath, [BINS.caloron, ...kickoff], {
        cwd: dir,
        env: { ...env, CALORON_TOKEN_HOSTS: `CALORON_FORGE_TOKEN=${host}` },
        extendEnv: false,
        reject: false,
      });
      await Promise.race([once(asked, 'asked'), child]);
      child.kill('SIGINT');
      const { exitCode, stderr } = await child;

      expect(exitCode, stderr).toBe(130);
      expect(stderr).toMatch(/^interrupted: stopping the kickoff/m);
      expect(stderr).toContain('[GRAPH_RUN_ABORTED]');
      expect(everything(empty)).toEqual(before);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
