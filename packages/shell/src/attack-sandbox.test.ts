import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { runs, statOf, taggedProcesses } from '@caloron/capabilities/process-identity';
import { probeSandbox } from '@caloron/capabilities/sandbox';
import { SpawnReply, StatusReply } from '@caloron/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { readConfig } from './config.ts';
import { mirrorDir, pathsOf } from './paths.ts';
import type { RunningShell } from './start.ts';
import {
  createFixture,
  eventually,
  exampleSprint,
  type Fixture,
  FORGE_TOKEN,
  REVIEWER_TOKEN,
  SHELL_TOKEN,
  spawnOf,
} from './testing/fixture.ts';
import { HOOKS, poisonOf } from './testing/poison.ts';

/** Where no sandbox works the attacks are not made: a sprint that asks for one is refused, which is tested in their place. */
const { PATH } = process.env;
const works =
  (await probeSandbox(PATH)).program !== null && (await probeSandbox(PATH, 'none')).program !== null;

const Tried = z
  .object({
    environments: z.string(),
    descriptors: z.array(z.string()),
    status: z.string(),
    stat: z.string(),
    worktrees: z.string(),
  })
  .partial()
  .catchall(z.string());

/** A home with a shell, and a malicious program as the agent of its sprint. */
interface Attack {
  readonly fixture: Fixture;
  readonly shell: RunningShell;
  /** Starts the agent on what it is told of its targets, and gives what it had of them. */
  run(target: object): Promise<{ readonly agent: SpawnReply; readonly tried: z.infer<typeof Tried> }>;
  post(url: string, payload: object): Promise<{ readonly statusCode: number; json<T>(): T }>;
  close(): Promise<void>;
}

async function attack(network: 'host' | 'none', abstract: string): Promise<Attack> {
  const fixture = await createFixture();
  const abstract_socket = await listen(`\0${abstract}`);
  const shell = await fixture.start({ harness_bin: readConfig({}).harness_bin });
  const post: Attack['post'] = async (url, payload) =>
    shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });
  return {
    fixture,
    shell,
    post,
    async run(target) {
      const script = join(import.meta.dirname, 'testing/attack-script.mjs');
      const given = JSON.stringify({ url: shell.url, abstract: `\0${abstract}`, sockets: {}, ...target });
      const command = JSON.stringify([process.execPath, script, given]);
      await fixture.kickoff(
        {},
        {
          framework: 'command',
          framework_options: { command },
          isolation: { sandbox: 'require', network },
          verify: [],
        },
      );
      const agent = SpawnReply.parse((await post('/spawn', spawnOf())).json());
      const file = join(agent.worktree, 'tried.json');
      await eventually(() => existsSync(file));
      return { agent, tried: Tried.parse(JSON.parse(readFileSync(file, 'utf8'))) };
    },
    async close() {
      const tags = new Set(fixture.store.processes.list().map(({ process_id }) => process_id));
      for (const { pid } of taggedProcesses(tags)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended with the sandbox it was in.
        }
      }
      abstract_socket.close();
      await fixture.close();
    },
  };
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  return server;
}

function secret(path: string, text = 'the-secret\n'): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

if (!works)
  it('W2 no agent that must be confined is started where no sandbox works', async () => {
    const fixture = await createFixture();
    try {
      const shell = await fixture.start();
      await fixture.kickoff({}, { isolation: { sandbox: 'require', network: 'none' } });
      const headers = { 'x-caloron-token': SHELL_TOKEN };
      const answer = await shell.app.inject({ method: 'POST', url: '/spawn', headers, payload: spawnOf() });

      expect(answer.json()).toMatchObject({ ok: false, code: 'SANDBOX_UNAVAILABLE' });
      expect(fixture.store.processes.list()).toEqual([]);
    } finally {
      await fixture.close();
    }
  });
else {
  describe('a malicious agent in the sandbox, without a network', () => {
    let world: Attack;
    let tried: z.infer<typeof Tried>;
    let agent: SpawnReply;
    let victim: ChildProcess;
    let socket: Server;
    let files: Record<string, string>;
    let canary: string;
    let mirror: string;

    beforeAll(async () => {
      world = await attack('none', `caloron-test-${process.pid}-none`);
      const { home, remote } = world.fixture;
      const root = dirname(home);
      const place = (...parts: string[]): string => join(home, '.caloron', ...parts);
      victim = spawn('sleep', ['600'], { env: { CALORON_SHELL_TOKEN: SHELL_TOKEN } });
      socket = await listen(join(root, 'agent.sock'));
      canary = join(root, 'canary');
      files = {
        'the shell’s token': secret(place('shell-token'), SHELL_TOKEN),
        'the shell’s address': place('shell.json'),
        'the shell’s lock': place('shell.lock'),
        'the database': world.fixture.config.db,
        'the database’s log': `${world.fixture.config.db}-wal`,
        'another’s order': secret(place('agents/other/order.json')),
        'another’s log': secret(place('logs/other.log')),
        'another’s session': secret(place('tasks/s1/t2.author.session.json')),
        'another’s cache': secret(place('cache/s1/t2/kept')),
        'a file of another worktree': place('worktrees/s1/t2/README.md'),
        'work of another worktree': secret(place('worktrees/s1/t2-work/work.txt')),
        'a key': secret(join(root, '.ssh/id_ed25519')),
        'the user’s git settings': secret(join(root, '.gitconfig'), '[user]\n\tname = the-secret\n'),
        'the user’s passwords': secret(join(root, '.netrc')),
        'the user’s cloud keys': secret(join(root, '.aws/credentials')),
        'what lies in the home’s folder': secret(join(home, 'caloron.json')),
        'the host’s passwords': '/etc/shadow',
      };
      const other = join(place('tasks/s1'), 't2.git');
      await git(['clone', '-q', '--bare', remote, other], {});
      await git(['worktree', 'add', '-q', '-b', 'work', place('worktrees/s1/t2')], { cwd: other });
      const author = { name: 'other', email: 'other@example.invalid' };
      await git(['commit', '-q', '--allow-empty', '-m', 'the-secret'], {
        cwd: place('worktrees/s1/t2'),
        author,
      });
      const { stdout: commit } = await git(['rev-parse', 'HEAD'], { cwd: place('worktrees/s1/t2') });
      const clone = place('tasks/s1/t1.git');
      const evil = join(clone, 'evil-hooks/evil');
      mirror = mirrorDir(pathsOf(home), exampleSprint.host, 'acme/widgets');
      ({ agent, tried } = await world.run({
        root,
        files,
        places: {
          'the home directory': root,
          'the folder of the home': home,
          '.caloron': place(),
          worktrees: place('worktrees/s1'),
          tasks: place('tasks/s1'),
          logs: place('logs'),
          'the real /tmp': join(root, '..'),
          '/run': '/run',
          '/home': '/home',
          '/root': '/root',
          '/mnt': '/mnt',
          '/sys': '/sys',
          '/boot': '/boot',
          '/dev/shm': '/dev/shm',
        },
        // Ways to what is its own.
        own: [
          'home',
          '.caloron',
          'worktrees',
          'tasks',
          'agents',
          'repos',
          't1',
          't1.git',
          ...root.split('/'),
          // Folders in which programs of its PATH lie.
          ...(PATH ?? '').split(/[:/]/),
        ],
        pids: { 'the shell': process.pid, 'another process': victim.pid },
        sockets: {
          'a socket of the user': join(root, 'agent.sock'),
          docker: '/var/run/docker.sock',
          'the system’s D-Bus': '/run/dbus/system_bus_socket',
          'an X server': '/tmp/.X11-unix/X0',
        },
        read_only: ['/usr', mirror, join(clone, 'objects/info')],
        clone,
        other: { clone: other, commit },
        poison: {
          settings: poisonOf(evil, remote),
          hooks: [...HOOKS, 'evil'],
          evil: `#!/bin/sh\necho "$0 $*" >> '${canary}'\nexec cat\n`,
        },
      }));
    });
    afterAll(async () => {
      victim.kill('SIGKILL');
      socket.close();
      await world.close();
    });

    /** What was had of the attempts whose name begins so; each says what was tried. */
    const had = (...starts: readonly string[]): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(tried).filter(
          ([name, what]) => starts.some((start) => name.startsWith(start)) && String(what).startsWith('HAD'),
        ),
      );
    const attempts = (...starts: readonly string[]): number =>
      Object.keys(tried).filter((name) => starts.some((start) => name.startsWith(start))).length;

    it('W2 G19 reads, changes and replaces no token, database, order, log, worktree, or file of the home directory', () => {
      expect(attempts('read ', 'change ', 'replace ')).toBeGreaterThan(60);
      expect(had('read ', 'change ', 'replace ')).toEqual({});
      for (const [name, path] of Object.entries(files)) expect(existsSync(path), name).toBe(true);
      expect(readFileSync(files['a key'] ?? '', 'utf8')).toBe('the-secret\n');
    });

    it('G19 is told by the shell as confined, and to what', async () => {
      const headers = { 'x-caloron-token': SHELL_TOKEN };
      const status = await world.shell.app.inject({ url: '/status', headers });

      const { agents } = StatusReply.parse(status.json());
      expect(agents).toMatchObject([{ sandboxed: { by: 'bubblewrap', network: 'none' } }]);
    });

    it('W2 finds nothing of others where it looks around', () => {
      expect(attempts('list ')).toBe(14);
      expect(had('list ')).toEqual({});
    });

    it('G19 finds no token in any environment or open file it sees', () => {
      const seen = tried.environments ?? '';
      expect(seen).toContain('CALORON_TASK_ID=t1');
      for (const token of [SHELL_TOKEN, FORGE_TOKEN, REVIEWER_TOKEN, 'hunter2', 'model-key', 'github-secret'])
        expect(seen).not.toContain(token);
      expect(seen).not.toMatch(/CALORON_ORDER_FILE|SSH_AUTH_SOCK|DBUS_SESSION|XDG_RUNTIME_DIR|DISPLAY=/);
      const strange = (tried.descriptors ?? []).filter(
        (to) => to.startsWith('/') && !/^\/(dev\/null|proc)/.test(to),
      );
      expect(strange).toEqual([]);
    });

    it('sees, traces, signals and kills neither the shell nor another process', () => {
      expect(attempts('open environ', 'open mem', 'signal ', 'kill ')).toBe(8);
      expect(
        had('open environ', 'open mem', 'open maps', 'open cmdline', 'open root', 'open cwd', 'open fd'),
      ).toEqual({});
      expect(had('signal ', 'kill ')).toEqual({});
      const stat = statOf(victim.pid ?? 0);
      expect(stat !== undefined && runs(stat)).toBe(true);
    });

    it('reaches no socket, by path or by an abstract name, and not the shell', () => {
      expect(attempts('connect to', 'reach ')).toBe(6);
      expect(had('connect to', 'reach ', 'ask ')).toEqual({});
    });

    it('has no capability, gets none by a program, and no terminal', () => {
      expect(tried.status).toMatch(/^CapEff:\s+0+$/m);
      expect(tried.status).toMatch(/^CapBnd:\s+0+$/m);
      expect(tried.status).toMatch(/^NoNewPrivs:\s+1$/m);
      // Field 7 of /proc/PID/stat is the controlling terminal: without one there is nothing to push input into (TIOCSTI).
      expect((tried.stat ?? '').split(') ')[1]?.split(' ')[4]).toBe('0');
      expect(attempts('open /dev/')).toBe(8);
      expect(had('open /dev/')).toEqual({});
    });

    it('changes no setting of the kernel, makes no device, and is not spared by the out-of-memory killer', () => {
      expect(attempts('open /proc/')).toBe(8);
      expect(had('open /proc/', 'protect ', 'make ')).toEqual({});
    });

    it('W2 writes nothing that it is shown read-only, also by mounts of its own, and finds no way round by a new root', () => {
      expect(attempts('write ', 'mount ', 'take ', 'leave ')).toBe(10);
      expect(had('write ', 'mount ', 'take ', 'leave ')).toEqual({});
      expect(readdirSync(mirror)).not.toContain('evil');
    });

    it('W2 gets nothing of another task’s repository by git', () => {
      expect((tried.worktrees ?? '').match(/^worktree /gm)).toHaveLength(2);
      expect(tried.worktrees).toContain(agent.worktree);
      expect(attempts('read another task', 'read them', 'fetch ', 'borrow ')).toBe(6);
      expect(had('read another task', 'read them', 'fetch ', 'borrow ')).toEqual({});
    });

    it('has nothing it left in its repository run outside: config, hooks, attributes', async () => {
      const { store } = world.fixture;
      const stop = ({ process_id }: SpawnReply) => world.post('/stop', { process_id, grace_ms: 500 });

      const stopped = (await stop(agent)).json<{ wip_ref: string | null; wip_error: string | null }>();
      const again = SpawnReply.parse((await world.post('/spawn', spawnOf({ mode: 'resume' }))).json());
      await stop(again);
      const cleaned = await world.post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null });

      expect(stopped).toMatchObject({ wip_ref: 'refs/caloron/wip/s1/t1/1', wip_error: null });
      expect(store.processes.open()).toEqual([]);
      expect(cleaned.json()).toMatchObject({ ok: true, removed: false });
      expect(existsSync(canary)).toBe(false);
      // In a git of its user it is run: so it could be here.
      execFileSync('git', ['update-ref', 'refs/heads/x', 'HEAD'], { cwd: agent.worktree, stdio: 'ignore' });
      expect(readFileSync(canary, 'utf8')).toContain('reference-transaction');
    });
  });

  describe('a malicious agent in the sandbox, with the machine’s network', () => {
    it('reaches the shell’s port and abstract sockets, as SECURITY.md says, and gets no answer without a token', async () => {
      const world = await attack('host', `caloron-test-${process.pid}-host`);
      try {
        const { tried } = await world.run({});

        expect(tried['reach the shell']).toContain('HAD 200');
        expect(tried['connect to an abstract socket']).toContain('HAD connected');
        expect(tried['ask the shell without a token']).toBe('nothing');
        expect(tried['ask the shell with tokens it has']).toBe('nothing');
      } finally {
        await world.close();
      }
    });
  });
}
