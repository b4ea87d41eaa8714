import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { probeSandbox } from '@caloron/capabilities/sandbox';
import type { Order, Sandbox } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { readConfig } from './config.ts';
import { cpuOfAgent } from './process-tree.ts';
import { runGroup } from './run-group.ts';
import { type AgentSandbox, createSandbox } from './sandbox.ts';

const PATH = readConfig().env['PATH'] ?? '';
const works = await probeSandbox(PATH);
const alone = await probeSandbox(PATH, 'none');

let bench: Bench;
let root: string;
let home: string;
let hidden: string;
let sandbox: AgentSandbox | undefined;

beforeEach(async () => {
  bench = await createBench();
  root = realpathSync(bench.root);
  home = join(root, 'home');
  hidden = join(root, 'kept');
  for (const dir of [home, hidden]) mkdirSync(dir);
});
afterEach(async () => {
  sandbox?.close();
  sandbox = undefined;
  await bench.close();
});

function settings(change: Partial<Sandbox> = {}): Sandbox | null {
  if (works.program === null) return null;
  const clone = join(root, 'repo.git');
  return {
    program: works.program,
    network: 'host',
    readable: [join(clone, 'objects', 'info')],
    writable: [join(root, 'worktrees', 't1'), clone, join(clone, 'objects')],
    hidden: [hidden],
    ...change,
  };
}

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script of /bin/sh as an agent's program would be. */
async function inside(
  script: string,
  change: {
    readonly sandbox?: Partial<Sandbox>;
    readonly order?: Partial<Order>;
    readonly stdin?: string;
  } = {},
): Promise<Said> {
  const order = bench.order({
    worktree: join(root, 'worktrees', 't1'),
    sandbox: settings(change.sandbox),
    ...change.order,
  });
  const directory = realpathSync(bench.directory);
  const env = { PATH, HOME: home, CALORON_PROCESS_ID: order.process_id };
  sandbox = createSandbox({ order, directory, env, prompt_file: join(directory, 'prompt.md') });
  const said = { stdout: '', stderr: '' };
  const exit = await runGroup({
    argv: sandbox.confine(['/bin/sh', '-c', script]),
    cwd: order.worktree,
    env,
    stdin: change.stdin ?? null,
    timeout_ms: 20_000,
    signal: new AbortController().signal,
    onOutput(text, stream) {
      said[stream] += text;
    },
  });
  return { code: exit.code, ...said };
}

/** With a sandbox what the agent tries fails; without one it is as open as SECURITY.md says. */
const confined = works.program !== null;

function secret(path: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, 'the-secret\n');
  return path;
}

describe('an agent’s program', () => {
  it('W1 starts in its worktree, where it can work and commit', async () => {
    const { code, stdout } = await inside(
      'pwd && echo two > two.txt && git add two.txt && git -c user.name=a -c user.email=a@b commit -qm two && git log --format=%s -1',
    );

    expect(code).toBe(0);
    expect(stdout).toBe(`${join(root, 'worktrees', 't1')}\ntwo\n`);
    expect(readFileSync(join(root, 'worktrees', 't1', 'two.txt'), 'utf8')).toBe('two\n');
  });

  it('reads what is not its own only where there is no sandbox', async () => {
    const places = {
      'the shell’s token': join(hidden, 'shell-token'),
      'the database': join(hidden, 'caloron.db'),
      'another task’s worktree': join(root, 'worktrees', 't2', 'file.txt'),
      'its own harness’s order': join(root, 'agents', 'p1', 'order.json'),
      'another agent’s order': join(root, 'agents', 'p2', 'order.json'),
      'a log': join(root, 'logs', 'p2.log'),
      'the user’s keys': join(home, '.ssh', 'id_ed25519'),
      'the user’s git credentials': join(home, '.git-credentials'),
      'what other programs left in /tmp': join(root, 'of-others'),
    };
    const paths = Object.values(places).map(secret);

    const { stdout } = await inside(
      paths.map((path) => `cat '${path}'; ls -a '${path}' && echo there`).join('\n'),
    );

    const read = stdout.split('\n').filter((line) => line === 'the-secret' || line === 'there');
    expect(read).toHaveLength(confined ? 0 : 2 * paths.length);
  });

  it('writes outside its worktree only where there is no sandbox, and a link it leaves does not help it', async () => {
    const victim = secret(join(home, '.profile'));

    await inside(
      `echo evil > '${victim}'; ln -s '${home}' out; echo evil > out/.bashrc; echo evil > /usr/caloron-evil`,
    );

    rmSync('/usr/caloron-evil', { force: true });
    expect(readFileSync(victim, 'utf8')).toBe(confined ? 'the-secret\n' : 'evil\n');
    expect(existsSync(join(home, '.bashrc'))).toBe(!confined);
  });

  it('sees no process but its own, and the environment of none', async () => {
    const { stdout } = await inside(
      `for p in /proc/[0-9]*; do grep -qa '${process.pid}' $p/stat && echo seen; tr '\\0' '\\n' < $p/environ; done; cat /proc/${process.pid}/environ; kill -0 ${process.pid} && echo reached`,
    );

    expect(stdout.includes('reached')).toBe(!confined);
    if (confined) expect(stdout).not.toContain('VITEST');
  });

  it('leaves no daemon behind', async () => {
    const { code } = await inside(
      'setsid sh -c "sleep 1; echo late > late.txt" </dev/null >/dev/null 2>&1 &',
    );

    expect(code).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, confined ? 1300 : 0));
    if (confined) expect(existsSync(join(root, 'worktrees', 't1', 'late.txt'))).toBe(false);
  });

  it('cannot turn its repository’s objects to another’s', async () => {
    const objects = join(root, 'repo.git', 'objects');

    await inside(
      `cd '${objects}/..'; echo '${root}/other.git/objects' > objects/info/alternates; mv objects/info objects/i; mv objects o; rm -rf objects/info`,
    );

    expect(existsSync(join(objects, 'info', 'alternates'))).toBe(
      !confined && existsSync(join(objects, 'info', 'alternates')),
    );
    if (confined) expect(existsSync(join(objects, 'info'))).toBe(true);
  });

  it('has exit codes, stdin and a long output as they are', async () => {
    const { code, stdout } = await inside('wc -c; head -c 3000000 /dev/zero | tr "\\0" x; exit 37', {
      stdin: 'p'.repeat(1_000_000),
    });

    expect(code).toBe(37);
    expect(stdout).toHaveLength('1000000\n'.length + 3_000_000);
  });

  it('that is not there is told as such', async () => {
    const order = bench.order({ sandbox: settings() });
    sandbox = createSandbox({ order, directory: bench.directory, env: { PATH }, prompt_file: '/none' });

    const run = runGroup({
      argv: sandbox.confine(['no-such-program']),
      cwd: order.worktree,
      env: { PATH },
      stdin: null,
      timeout_ms: 5000,
      signal: new AbortController().signal,
      onOutput: () => undefined,
    });

    await expect(run).rejects.toMatchObject({
      code: 'HARNESS_COMMAND_MISSING',
      details: { command: 'no-such-program' },
    });
  });
});

describe('the network', () => {
  let url: string;
  let close: () => void;
  beforeEach(async () => {
    const server = createServer((_request, response) => response.end('reached'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = () => server.close();
  });
  afterEach(() => close());

  const ask = (): string =>
    `node -e "fetch('${url}').then((r) => r.text()).then(console.log, () => console.log('cut off'))"`;

  it('is the machine’s where the settings say host', async () => {
    expect((await inside(ask())).stdout).toBe('reached\n');
  });

  it('is none where the settings say none', async () => {
    const network = alone.program === null ? 'host' : 'none';

    const { stdout } = await inside(ask(), { sandbox: { network } });

    expect(stdout).toBe(confined && network === 'none' ? 'cut off\n' : 'reached\n');
  });
});

describe('what an agent’s program keeps in the home directory', () => {
  const claude = { framework: { name: 'claude-code', options: {} } };

  it('is there: it can renew its login, and not change the settings that others run by', async () => {
    secret(join(home, '.claude', '.credentials.json'));
    secret(join(home, '.claude', 'settings.json'));
    secret(join(home, '.claude.json'));
    secret(join(home, '.codex', 'auth.json'));

    const { stdout } = await inside(
      'cd ~ && cat .claude/settings.json .claude.json; for f in .claude/.credentials.json .claude/settings.json .claude/hooks.json .claude.json; do echo new > $f; done; cat .claude.json; ls -a',
      { order: claude },
    );

    expect(stdout).toContain('the-secret\nthe-secret\nnew\n');
    const now = (name: string): string => readFileSync(join(home, name), 'utf8');
    expect(now('.claude/.credentials.json')).toBe('new\n');
    expect(now('.claude/settings.json')).toBe(confined ? 'the-secret\n' : 'new\n');
    expect(now('.claude.json')).toBe(confined ? 'the-secret\n' : 'new\n');
    expect(existsSync(join(home, '.claude/hooks.json'))).toBe(!confined);
    expect(stdout.includes('.codex')).toBe(!confined);
  });

  it('A2 is the task’s own: a second process finds what the first one wrote, and neither sees or changes what the user has', async () => {
    secret(join(home, '.codex', 'sessions', 'of-the-user.jsonl'));
    secret(join(home, '.codex', 'state_5.sqlite'));
    secret(join(home, '.codex', 'config.toml'));
    const session_file = join(root, 'tasks', 't1.author.session.json');
    const order = { framework: { name: 'codex-cli', options: {} }, session_file };

    const first = await inside(
      'cd ~/.codex && ls; mkdir -p sessions; echo mine > sessions/mine.jsonl; echo mine > state_5.sqlite',
      { order },
    );
    sandbox?.close();
    const second = await inside('cd ~/.codex && cat config.toml sessions/mine.jsonl; ls sessions', { order });

    if (confined) {
      expect(first.stdout).toBe('config.toml\n');
      expect(second.stdout).toBe('the-secret\nmine\nmine.jsonl\n');
    }
    const after = readFileSync(join(home, '.codex', 'state_5.sqlite'), 'utf8');
    expect(after).toBe(confined ? 'the-secret\n' : 'mine\n');
  });

  it('W2 a link that a run leaves where the next one has something laid over leads nowhere', async () => {
    secret(join(home, '.codex', 'config.toml'));
    secret(join(home, '.codex', 'rules', 'a.md'));
    const session_file = join(root, 'tasks', 't1.author.session.json');
    const order = { framework: { name: 'codex-cli', options: {} }, session_file };
    const outside = join(root, 'not-there');
    const kept = join(`${session_file}.d`, 'codex-cli', '0');

    await inside('true', { order });
    // As an agent can, that writes there while nothing is laid over.
    for (const name of ['config.toml', 'rules']) {
      rmSync(join(kept, name), { recursive: true, force: true });
      if (confined) symlinkSync(`/oldroot${outside}-${name}`, join(kept, name));
    }
    const { stdout } = await inside('cat ~/.codex/config.toml ~/.codex/rules/a.md', { order });

    expect(stdout).toBe('the-secret\nthe-secret\n');
    expect(readdirSync(root).filter((name) => name.startsWith('not-there'))).toEqual([]);
  });

  it('does not follow a link among the logins', async () => {
    const victim = secret(join(home, '.ssh', 'config'));
    mkdirSync(join(home, '.claude'));
    symlinkSync(victim, join(home, '.claude', '.credentials.json'));

    await inside('echo evil > ~/.claude/.credentials.json', { order: claude });

    expect(readFileSync(victim, 'utf8')).toBe(confined ? 'the-secret\n' : 'evil\n');
  });
});

describe('its processor time', () => {
  it('is seen from outside, of all that runs in it', async () => {
    const stop = new AbortController();
    const order = bench.order({ worktree: join(root, 'worktrees', 't1'), sandbox: settings() });
    const env = { PATH, HOME: home, CALORON_PROCESS_ID: order.process_id };
    sandbox = createSandbox({ order, directory: realpathSync(bench.directory), env, prompt_file: '/none' });
    const running = runGroup({
      argv: sandbox.confine(['/bin/sh', '-c', 'while :; do :; done']),
      cwd: order.worktree,
      env,
      stdin: null,
      timeout_ms: 20_000,
      signal: stop.signal,
      onOutput: () => undefined,
    });
    try {
      const used = (): number => cpuOfAgent(999_999_999, order.process_id);
      await expect.poll(used, { timeout: 30_000 }).toBeGreaterThanOrEqual(50);
    } finally {
      stop.abort();
      await running;
    }
  });
});

describe('ending', () => {
  it('asks the program first, and takes all it started with it', async () => {
    const order = bench.order({ worktree: join(root, 'worktrees', 't1'), sandbox: settings() });
    const env = { PATH, HOME: home, CALORON_PROCESS_ID: order.process_id };
    sandbox = createSandbox({ order, directory: realpathSync(bench.directory), env, prompt_file: '/none' });
    const stop = new AbortController();
    let said = '';

    const exit = await runGroup({
      argv: sandbox.confine([
        '/bin/sh',
        '-c',
        'trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.05; done',
      ]),
      cwd: order.worktree,
      env,
      stdin: null,
      timeout_ms: 20_000,
      signal: stop.signal,
      onOutput(text) {
        said += text;
        if (text.includes('ready')) stop.abort();
      },
    });

    expect(said).toContain('asked\n');
    expect(exit).toMatchObject({ stopped: true });
  });
});
