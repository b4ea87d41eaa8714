import { type ChildProcess, execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { probeSandbox } from '@caloron/capabilities/sandbox';
import { CleanupReply, keys, SpawnReply, type Workspace } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { portsInUse } from './free-ports.ts';
import type { RunningShell } from './start.ts';
import { endHooks } from './stop-without-shell.ts';
import { createFixture, eventually, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let fixture: Fixture;
let shell: RunningShell;
const servers: Server[] = [];
const children: ChildProcess[] = [];
/** Ports of this file alone, so that no other test's programs are met. */
const PORTS = { first: 23_100, last: 23_129 };

beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start({ ports: PORTS });
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await fixture.close();
});

const Refusal = z.object({
  ok: z.literal(false),
  code: z.string(),
  error: z.string(),
  retryable: z.boolean(),
});

function post(url: string, payload: object) {
  return shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });
}
const spawn = async (changes: Parameters<typeof spawnOf>[0] = {}) =>
  post('/spawn', spawnOf({ instruction: '{"wait":true}', ...changes }));
async function started(changes: Parameters<typeof spawnOf>[0] = {}): Promise<SpawnReply> {
  const reply = SpawnReply.parse((await spawn(changes)).json());
  await fixture.seen(reply.process_id);
  return reply;
}
const stop = ({ process_id }: SpawnReply) => post('/stop', { process_id, grace_ms: 3000 });
const path = (...parts: string[]): string => join(fixture.home, '.caloron', ...parts);
const sh = (script: string): [string, ...string[]] => ['sh', '-c', script];
const kickoff = (workspace: Workspace) => fixture.kickoff({}, { workspace, isolation: { sandbox: 'off' } });
const words = (file: string): string[] =>
  existsSync(join(fixture.home, '..', file))
    ? readFileSync(join(fixture.home, '..', file), 'utf8')
        .trim()
        .split('\n')
    : [];
const put = (word: string, file = 'said.log'): string =>
  `echo "${word}" >> ${join(fixture.home, '..', file)}`;
/** A shell in the place of the test's own, in a process that can be killed. */
async function dyingShell(): Promise<{ spawn: () => Promise<unknown>; kill: () => void }> {
  await shell.close();
  const { env } = fixture.config;
  const given = { home: fixture.home, remote: fixture.remote, env };
  const script = join(import.meta.dirname, 'testing', 'shell-process.ts');
  const child = execFile(process.execPath, [script, JSON.stringify(given)], { killSignal: 'SIGKILL' });
  children.push(child);
  let said = '';
  child.stdout?.on('data', (chunk) => (said += String(chunk)));
  await eventually(() => said.includes('\n'));
  const { url } = z.object({ url: z.string() }).parse(JSON.parse(said));
  const body = JSON.stringify(spawnOf({ instruction: '{"wait":true}' }));
  const headers = { 'content-type': 'application/json', 'x-caloron-token': SHELL_TOKEN };
  return {
    spawn: () => fetch(`${url}/spawn`, { method: 'POST', headers, body }),
    kill: () => void child.kill('SIGKILL'),
  };
}
/** The task's work, merged into main on the forge. */
async function cleanUp(): Promise<CleanupReply> {
  return CleanupReply.parse(
    (await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null })).json(),
  );
}

describe('after_create', () => {
  it('W8 runs once, when the worktree was made, in it, with facts and without tokens', async () => {
    await kickoff({
      hooks: {
        after_create: sh(
          `${put('$CALORON_HOOK $PWD $CALORON_TASK_ID $CALORON_PORT_FIRST')}; env > ../env.log; echo ready > ready.txt`,
        ),
      },
      ports: 3,
    });

    const first = await started();
    await stop(first);
    const again = await started({ mode: 'resume' });

    expect(words('said.log')).toEqual([`after_create ${first.worktree} t1 23100`]);
    expect(again.worktree).toBe(first.worktree);
    expect(readFileSync(join(first.worktree, 'ready.txt'), 'utf8')).toBe('ready\n');
    expect(readFileSync(join(first.worktree, '..', 'env.log'), 'utf8')).not.toMatch(
      /secret|hunter2|_KEY=|_TOKEN=/i,
    );
    expect(readFileSync(path('logs', `${first.process_id}.log`), 'utf8')).toContain('hook after_create');
  });

  it('W8 that fails refuses the start, says why, and undoes the worktree; the next try begins anew', async () => {
    const flag = join(fixture.home, '..', 'works');
    await kickoff({
      hooks: {
        after_create: sh(
          `${put('tried')}; test -e ${flag} || { echo half > half.txt; echo no network >&2; exit 7; }`,
        ),
      },
      ports: 3,
      cache: true,
    });

    const refused = await spawn();

    const { code, error, retryable } = Refusal.parse(refused.json());
    expect(refused.statusCode).toBe(500);
    expect({ code, retryable }).toEqual({ code: 'HOOK_FAILED', retryable: true });
    expect(error).toMatch(
      /hook after_create \(sh -c .*\) failed in .*\/s1\/t1, which is removed again: exit code 7; it said last: no network/,
    );
    expect(existsSync(path('worktrees', 's1', 't1'))).toBe(false);
    expect(fixture.store.worktreeLeases.list()).toEqual([]);
    expect(fixture.store.processes.list()).toEqual([]);

    writeFileSync(flag, '');
    const { worktree } = await started();
    expect(existsSync(join(worktree, 'half.txt'))).toBe(false);
    expect(words('said.log')).toEqual(['tried', 'tried']);
  });

  if (SLOW)
    it('W8 W12 that takes too long is ended with all it started, and refuses the start', async () => {
      await kickoff({ hooks: { after_create: sh('sleep 600 & sleep 601') }, hook_timeout_ms: 300 });

      const refused = Refusal.parse((await spawn()).json());

      expect(refused).toMatchObject({ code: 'HOOK_FAILED' });
      expect(refused.error).toContain('it was ended after 300 ms');
      const agents = readdirSync(path('agents'));
      expect(taggedProcesses(new Set(agents))).toEqual([]);
      expect(existsSync(path('worktrees', 's1', 't1'))).toBe(false);
    });

  if (SLOW)
    it('W8 a shell that dies during it makes the next one run it again, before any agent comes', async () => {
      const file = join(fixture.home, '..', 'said.log');
      await kickoff({
        hooks: { after_create: sh(`${put('tried')}; test $(wc -l < ${file}) -gt 1 || sleep 600`) },
      });
      const dead = await dyingShell();
      const lost = dead.spawn().catch(() => undefined);
      await eventually(() => words('said.log').length === 1);
      dead.kill();
      await lost;

      shell = await fixture.start({ ports: PORTS });
      const { worktree } = await started();

      expect(words('said.log')).toEqual(['tried', 'tried']);
      expect(fixture.store.worktreeLeases.get(worktree)).toMatchObject({ preparing: null });
    });

  it('comes from the settings of the sprint, never from the repository', async () => {
    const settings = { workspace: { hooks: { after_create: ['touch', join(fixture.home, '..', 'ran')] } } };
    await fixture.commit('main', { 'caloron.json': JSON.stringify(settings) });
    await fixture.kickoff();

    await started();

    expect(existsSync(join(fixture.home, '..', 'ran'))).toBe(false);
    expect(fixture.store.worktreeLeases.list()).toEqual([]);
  });
});

describe('before_remove', () => {
  it('W11 runs before the worktree goes; its failure stops nothing', async () => {
    await kickoff({
      hooks: { before_remove: sh(`${put('$CALORON_HOOK $PWD')}; echo trash > trash.txt; exit 3`) },
    });
    const first = await started();
    await stop(first);

    expect(await cleanUp()).toEqual({ ok: true, removed: true, reason: null });

    expect(words('said.log')).toEqual([`before_remove ${first.worktree}`]);
    expect(existsSync(first.worktree)).toBe(false);
    expect(readFileSync(path('logs', `${first.process_id}.log`), 'utf8')).toContain('hook before_remove');
  });

  if (SLOW)
    it('W11 W12 that hangs is ended, and the worktree goes', async () => {
      await kickoff({ hooks: { before_remove: sh('sleep 600 & sleep 601') }, hook_timeout_ms: 300 });
      const first = await started();
      await stop(first);

      expect(await cleanUp()).toMatchObject({ removed: true });

      expect(taggedProcesses(new Set([first.process_id]))).toEqual([]);
      expect(existsSync(first.worktree)).toBe(false);
    });

  if (SLOW)
    it('W11 is not run for a worktree that stays, and one that turns it into a link leads nowhere', async () => {
      const outside = join(fixture.home, '..', 'precious');
      mkdirSync(outside);
      writeFileSync(join(outside, 'mine.txt'), 'mine');
      await kickoff({
        hooks: { before_remove: sh(`${put('ran')}; cd ..; mv t1 moved; ln -s ${outside} t1`) },
      });
      const first = await started();
      await stop(first);
      writeFileSync(join(first.worktree, 'work.txt'), 'work');
      expect(await cleanUp()).toMatchObject({ removed: false });
      expect(words('said.log')).toEqual([]);

      rmSync(join(first.worktree, 'work.txt'));
      const reply = await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null });

      expect(Refusal.parse(reply.json())).toMatchObject({ code: 'WORKTREE_FOREIGN' });
      expect(readdirSync(outside)).toEqual(['mine.txt']);
    });
});

/** Ends by nothing but SIGKILL, and leaves its group and its session. */
const STUBBORN = `trap '' TERM INT HUP; setsid sh -c "trap '' TERM INT HUP; while :; do sleep 1; done" & while :; do sleep 1; done`;

describe('a hook that is under way', () => {
  const tagged = (): readonly { pid: number }[] => taggedProcesses(new Set(readdirSync(path('agents'))));
  const estop = (): Promise<unknown> =>
    fixture.store.kv.put(keys.paused('s1'), { by: 'ada', at: new Date().toISOString(), stopped: true });

  it('W12 ends with an emergency stop: after_create refuses its start, and none is begun before the sprint goes on', async () => {
    await kickoff({ hooks: { after_create: sh(`${put('begun')}; ${STUBBORN}`) } });
    const start = spawn();
    await eventually(() => words('said.log').length === 1 && tagged().length > 1);

    await estop();

    const { code, error } = Refusal.parse((await start).json());
    expect(code).toBe('HOOK_FAILED');
    expect(error).toContain('it was ended by an emergency stop of the sprint');
    expect(tagged()).toEqual([]);
    expect(existsSync(path('worktrees', 's1', 't1'))).toBe(false);
    expect(Refusal.parse((await spawn()).json()).error).toContain('emergency stop');
    expect(words('said.log')).toEqual(['begun']);
  });

  if (SLOW)
    it('W11 W12 ends with an emergency stop: before_remove leaves its worktree as it is, for the next clean-up', async () => {
      await kickoff({ hooks: { before_remove: sh(`${put('begun')}; ${STUBBORN}`) } });
      const first = await started();
      await stop(first);
      const cleaned = post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null });
      await eventually(() => words('said.log').length === 1 && tagged().length > 1);

      await estop();

      expect(Refusal.parse((await cleaned).json()).error).toContain('emergency stop');
      expect(tagged()).toEqual([]);
      expect(existsSync(join(first.worktree, 'README.md'))).toBe(true);
    });

  if (SLOW)
    it('starts nobody afterwards whose task a person gave up meanwhile', async () => {
      const go = join(fixture.home, '..', 'go');
      await kickoff({
        hooks: { after_create: sh(`${put('begun')}; while [ ! -e ${go} ]; do sleep 0.02; done`) },
      });
      const start = spawn();
      await eventually(() => words('said.log').length === 1);

      await fixture.becomes('t1', { status: 'Cancelled' });
      writeFileSync(go, '');

      expect(Refusal.parse((await start).json())).toMatchObject({ code: 'TASK_CANCELLED', retryable: false });
      // Nor when it is asked for again.
      expect(Refusal.parse((await spawn()).json()).code).toBe('TASK_CANCELLED');
      expect(fixture.store.processes.list('s1')).toEqual([]);
      expect(tagged()).toEqual([]);
    });

  if (SLOW)
    it('W12 ends with its shell', async () => {
      await kickoff({ hooks: { after_create: sh(`${put('begun')}; ${STUBBORN}`) } });
      const start = spawn();
      await eventually(() => words('said.log').length === 1 && tagged().length > 1);

      await shell.close();

      expect(Refusal.parse((await start).json()).error).toContain('the shell ended');
      expect(tagged()).toEqual([]);
    });

  if (SLOW)
    it('W12 is ended by an emergency stop without a shell, and by the next shell', async () => {
      await kickoff({ hooks: { after_create: sh(`${put('begun')}; ${STUBBORN}`) } });
      for (const [count, ends] of [
        async () => expect(await endHooks(fixture.home, fixture.store)).toBe(1),
        async () => void (await fixture.start({ ports: PORTS })),
      ].entries()) {
        const dead = await dyingShell();
        const lost = dead.spawn().catch(() => undefined);
        await eventually(() => words('said.log').length === count + 1 && tagged().length > 1);
        dead.kill();
        await lost;
        expect(tagged().length).toBeGreaterThan(1);

        await ends();

        expect(tagged()).toEqual([]);
      }
    });
});

describe('the port block of a worktree', () => {
  const firstOf = async ({ process_id }: SpawnReply): Promise<string | undefined> =>
    String((await fixture.seen(process_id)).order.workspace?.port_first);

  it('is its own, the same for every agent in it, and given back with it', async () => {
    await kickoff({ ports: 10 });
    const one = await started();
    const two = await started({ task_id: 't2', agent_id: 'agent-2' });
    expect([await firstOf(one), await firstOf(two)]).toEqual(['23100', '23110']);

    await stop(one);
    const again = await started({ mode: 'resume' });
    expect(await firstOf(again)).toBe('23100');
    const review = await started({ agent_id: 'agent-9', role: 'reviewer', head_sha: fixture.base_sha });
    expect(await firstOf(review)).toBe('23120');

    const full = await fixture.store.worktreeLeases.lease({
      worktree: path('worktrees', 's1', 'x'),
      sprint_id: 's1',
      task_id: 'x',
      role: 'author',
      taken: [],
      cache_dir: null,
      preparing: null,
      ports: { ...PORTS, count: 1 },
    });
    expect(full).toBeNull();
    await stop(again);
    await stop(review);
    expect(await cleanUp()).toMatchObject({ removed: true });
    expect(fixture.store.worktreeLeases.list().map(({ port_first }) => port_first)).toEqual([23_110]);
  });

  it('is never shared by starts at the same time', async () => {
    await kickoff({ ports: 10 });
    const all = await Promise.all([
      started(),
      started({ task_id: 't2', agent_id: 'agent-2' }),
      started({ agent_id: 'agent-9', role: 'reviewer', head_sha: fixture.base_sha }),
    ]);
    const blocks = await Promise.all(all.map(firstOf));

    expect(new Set(blocks)).toEqual(new Set(['23100', '23110', '23120']));
  });

  if (SLOW)
    it('holds no port another program listens on, and is held over the death of the shell', async () => {
      const server = createServer();
      servers.push(server);
      await new Promise<void>((resolve) => void server.listen(23_104, '127.0.0.1', resolve));
      expect(await portsInUse(23_100, 10)).toEqual([23_104]);
      await kickoff({ ports: 10 });
      const one = await started();
      expect(await firstOf(one)).toBe('23105');

      rmSync(path('shell.lock'), { force: true });
      shell = await fixture.start({ ports: PORTS });
      const two = await started({ task_id: 't2', agent_id: 'agent-2' });

      expect(await firstOf(two)).toBe('23115');
    });

  it('is refused, and can be tried again, when the range has none left', async () => {
    await kickoff({ ports: 31 });

    const refused = await spawn();

    expect(refused.statusCode).toBe(503);
    expect(Refusal.parse(refused.json())).toMatchObject({ code: 'PORTS_EXHAUSTED', retryable: true });
    expect(Refusal.parse(refused.json()).error).toContain(
      'no 31 consecutive ports from 23100 to 23129 are left',
    );
  });
});

if (SLOW)
  describe('the cache directory of a worktree', () => {
    it('is its own, stays for the next agent, and goes with it', async () => {
      await kickoff({ cache: true });
      const one = await started();
      const review = await started({ agent_id: 'agent-9', role: 'reviewer', head_sha: fixture.base_sha });
      const cache = path('cache', 's1', 't1');
      expect((await fixture.seen(one.process_id)).order.workspace).toMatchObject({
        cache_dir: cache,
        port_first: null,
      });
      expect((await fixture.seen(review.process_id)).order.workspace?.cache_dir).toBe(`${cache}--review`);
      writeFileSync(join(cache, 'kept'), 'kept');
      await stop(one);
      const again = await started({ mode: 'resume' });
      expect(readdirSync(cache)).toEqual(['kept']);

      // What an agent puts in the place of its cache leads the removal nowhere.
      const outside = join(fixture.home, '..', 'precious');
      mkdirSync(outside);
      writeFileSync(join(outside, 'mine.txt'), 'mine');
      rmSync(cache, { recursive: true });
      symlinkSync(outside, cache);
      await stop(again);
      await stop(review);
      expect(await cleanUp()).toMatchObject({ removed: true });
      expect(readdirSync(outside)).toEqual(['mine.txt']);
      expect(readdirSync(path('cache', 's1'))).toEqual([]);
    });
  });

describe('the sandbox of a hook', () => {
  it('W8 lets it write worktree and cache, and nothing else', async () => {
    const works = (await probeSandbox(process.env['PATH'])).program !== null;
    const outside = join(fixture.home, 'outside.txt');
    await fixture.kickoff(
      {},
      {
        workspace: {
          cache: true,
          hooks: {
            after_create: sh(
              `echo a > ready.txt; echo b > $CALORON_CACHE_DIR/warm; echo c > ${outside}; cat ${path('caloron.db')} > /dev/null || echo hidden > hidden.txt; true`,
            ),
          },
        },
      },
    );

    const { worktree } = await started();

    const { sandboxed } = fixture.store.processes.agents()[0] ?? {};
    expect(sandboxed).toEqual(works ? { by: 'bubblewrap', network: 'host' } : null);
    expect(readdirSync(path('cache', 's1', 't1'))).toEqual(['warm']);
    expect(existsSync(join(worktree, 'ready.txt'))).toBe(true);
    expect(existsSync(outside)).toBe(!works);
    expect(existsSync(join(worktree, 'hidden.txt'))).toBe(works);
  });
});

if (SLOW)
  describe('before_remove in the sandbox', () => {
    it('W11 W12 reads and writes its worktree and cache alone, has no token, and leaves nobody behind, in a session of its own either', async () => {
      const works = (await probeSandbox(process.env['PATH'])).program !== null;
      const outside = join(fixture.home, 'outside.txt');
      const daemon = `setsid sh -c "trap '' TERM INT HUP; while :; do sleep 1; done" </dev/null >/dev/null 2>&1 &`;
      const script = [
        'echo in > trash.txt; echo in > $CALORON_CACHE_DIR/trash && echo from $CALORON_HOOK; env; echo sees $(ls /proc | grep -c "^[0-9]")',
        `cat ${path('caloron.db')} ${path('shell-token')}; echo out > ${outside}; ${daemon} exit 0`,
      ].join('; ');
      await fixture.kickoff({}, { workspace: { cache: true, hooks: { before_remove: sh(script) } } });
      writeFileSync(path('shell-token'), 'the-secret-token');
      const first = await started();
      await stop(first);

      expect(await cleanUp()).toMatchObject({ removed: true });

      const said = readFileSync(path('logs', `${first.process_id}.log`), 'utf8');
      expect(said).toContain('hook before_remove: done in');
      expect(existsSync(outside)).toBe(!works);
      if (works) {
        expect(said).toContain('from before_remove');
        expect(said).toMatch(/^PWD=.*\/t1$/m);
        expect(said).not.toMatch(/the-secret-token|secret-0123456789|hunter2|model-key|SQLite format/);
        expect(Number(/^sees (\d+)$/m.exec(said)?.[1])).toBeLessThan(9);
      }
      expect(taggedProcesses(new Set([first.process_id]))).toEqual([]);
      expect(existsSync(first.worktree)).toBe(false);
    });
  });

describe('the directory an agent is started in', () => {
  it('W1 W2 is its worktree, looked at once more after everything that ran in it', async () => {
    await kickoff({ hooks: { after_create: sh('cd ..; mv t1 elsewhere; ln -s elsewhere t1') } });

    const refused = await spawn();

    expect(Refusal.parse(refused.json())).toMatchObject({ code: 'WORKTREE_FOREIGN' });
    expect(Refusal.parse(refused.json()).error).toContain('is a symbolic link');
    expect(fixture.store.processes.list()).toEqual([]);
  });

  it('W1 W14 is where it works, and success does not delete it', async () => {
    await fixture.kickoff();
    const one = await started({ instruction: '{"code":0}' });

    expect((await fixture.seen(one.process_id)).cwd).toBe(one.worktree);
    await eventually(() => fixture.store.processes.get(one.process_id)?.state === 'exited');
    expect((await git(['status', '--porcelain'], { cwd: one.worktree })).stdout).toBe('');
  });
});
