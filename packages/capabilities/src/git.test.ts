import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { GitError } from './errors.ts';
import { git, type GitOptions, gitStream } from './git.ts';

const ME = { name: 'Ada', email: 'ada@example.test' };
const TOKEN = 'tok-secret-4711';

let dir = '';
let repo = '';

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'caloron-git-'));
  repo = path.join(dir, 'repo');
  await git(['init', repo], {});
  await writeFile(path.join(repo, 'a.txt'), 'one\n');
  await run(['add', '.']);
  await run(['commit', '-m', 'one']);
});

afterEach(() => rm(dir, { recursive: true, force: true }));

function run(args: readonly string[], more: GitOptions = {}) {
  return git(args, { cwd: repo, author: ME, ...more });
}

async function failure(promise: Promise<unknown>): Promise<GitError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof GitError)) throw new Error(`expected a GitError, got ${String(error)}`);
  return error;
}

/** A program that leaves a file behind when it runs. */
async function trap(name: string): Promise<string> {
  const file = path.join(dir, `trap-${name}.sh`);
  await writeFile(
    file,
    `#!/bin/sh\ntouch ${path.join(dir, `sprung-${name}`)}\ncat >/dev/null 2>&1 </dev/null\nexit 0\n`,
  );
  await chmod(file, 0o755);
  return file;
}

async function sprung(): Promise<readonly string[]> {
  return (await readdir(dir)).filter((name) => name.startsWith('sprung-'));
}

describe('a git command', () => {
  it('gives what git said, without the last newline', async () => {
    await writeFile(path.join(repo, 'b.txt'), 'x\n\n');
    await run(['add', 'b.txt']);

    expect((await run(['cat-file', 'blob', ':b.txt'])).stdout).toBe('x\n');
    expect((await run(['cat-file', 'blob', ':b.txt'], { keep_newline: true })).stdout).toBe('x\n\n');
  });

  it('reads stdin', async () => {
    const { stdout } = await run(['hash-object', '--stdin'], { stdin: 'one\n' });

    expect(stdout).toBe('5626abf0f72e58d7a153368ba57db4c673c0e171');
  });

  it('commits as the author it is given, in a repository, work tree and index of the caller', async () => {
    const bare = path.join(dir, 'bare.git');
    await git(['init', '--bare', bare], {});
    const place = { git_dir: bare, work_tree: repo, index_file: path.join(dir, 'index'), author: ME };

    await git(['add', '-A'], place);
    const { stdout: tree } = await git(['write-tree'], place);
    const { stdout: commit } = await git(['commit-tree', tree, '-m', 'kept'], place);

    const { stdout } = await git(['log', '-1', '--format=%an <%ae> %cn %s', commit], { git_dir: bare });
    expect(stdout).toBe('Ada <ada@example.test> Ada kept');
    expect((await run(['status', '--porcelain'])).stdout).toBe('');
  });

  it('fails with its exit code and words', async () => {
    const error = await failure(run(['rev-parse', '--verify', 'nothing']));

    expect(error).toMatchObject({ code: 'GIT_FAILED', retryable: false, details: { exit_code: 128 } });
  });

  it('gives an exit code the caller allows', async () => {
    await writeFile(path.join(repo, 'a.txt'), 'two\n');

    expect((await run(['diff', '--quiet'], { ok_codes: [0, 1] })).exit_code).toBe(1);
  });

  it('is stopped after its time', async () => {
    const error = await failure(hang());

    expect(error).toMatchObject({ code: 'GIT_TIMEOUT', retryable: true });
  });

  it('is stopped by its caller', async () => {
    const error = await failure(run(['--version'], { signal: AbortSignal.abort() }));

    expect(error.code).toBe('GIT_ABORTED');
  });

  it('without a git on the PATH is GIT_MISSING', async () => {
    expect((await failure(run(['status'], { env: { PATH: dir } }))).code).toBe('GIT_MISSING');
  });

  it('in a directory that is none is GIT_CWD_MISSING', async () => {
    expect((await failure(git(['status'], { cwd: path.join(dir, 'no') }))).code).toBe('GIT_CWD_MISSING');
  });

  it('that cannot reach its host is retryable', async () => {
    const error = await failure(git(['ls-remote', 'http://127.0.0.1:9/x.git'], {}));

    expect(error).toMatchObject({ code: 'GIT_FAILED', retryable: true });
  });

  it('shows no credential of an address in its error', async () => {
    const error = await failure(git(['ls-remote', 'http://ada:hunter2@127.0.0.1:9/x.git'], {}));

    expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain('hunter2');
  });
});

/** A git that waits for ever: a pack server whose client says nothing. */
async function hang(): Promise<never> {
  const server = createServer(() => undefined);
  const { port } = await listening(server);
  try {
    await git(['ls-remote', `http://127.0.0.1:${port}/x.git`], { timeout_ms: 150 });
    throw new Error('ls-remote of a silent host succeeded');
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function listening(server: Server): Promise<{ port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address() as AddressInfo;
}

describe('a repository whose config is hostile', () => {
  beforeEach(async () => {
    const trapped: [string, string][] = [
      ['core.fsmonitor', await trap('fsmonitor')],
      ['core.sshCommand', await trap('ssh')],
      ['core.pager', await trap('pager')],
      ['core.editor', await trap('editor')],
      ['sequence.editor', await trap('sequence')],
      ['core.askPass', await trap('askpass')],
      ['credential.helper', `!${await trap('helper')}`],
      ['diff.external', await trap('diff')],
      ['diff.evil.command', await trap('diffdriver')],
      ['diff.evil.textconv', await trap('textconv')],
      ['gpg.program', await trap('gpg')],
      ['commit.gpgSign', 'true'],
      ['log.showSignature', 'true'],
      ['remote.evil.url', `ext::${await trap('ext')}`],
      ['protocol.ext.allow', 'always'],
    ];
    const hooks = path.join(dir, 'hooks');
    await mkdir(hooks);
    const hook = await trap('hook');
    for (const name of [
      'pre-commit',
      'post-commit',
      'commit-msg',
      'reference-transaction',
      'post-checkout',
      'post-index-change',
      'pre-push',
    ]) {
      await writeFile(path.join(hooks, name), `#!/bin/sh\nexec ${hook}\n`, { mode: 0o755 });
      await writeFile(path.join(repo, '.git/hooks', name), `#!/bin/sh\nexec ${hook}\n`, {
        mode: 0o755,
      }).catch(async () => {
        await mkdir(path.join(repo, '.git/hooks'), { recursive: true });
        await writeFile(path.join(repo, '.git/hooks', name), `#!/bin/sh\nexec ${hook}\n`, { mode: 0o755 });
      });
    }
    for (const [key, value] of [...trapped, ['core.hooksPath', hooks]]) {
      await run(['config', '--local', key ?? '', value ?? '']);
    }
    await writeFile(path.join(repo, '.gitattributes'), '*.txt diff=evil\n');
    await rm(path.join(dir, 'sprung-fsmonitor'), { force: true });
  });

  it('runs no program of it for status, add, commit, diff, log, show, checkout, push', async () => {
    const bare = path.join(dir, 'bare.git');
    await git(['init', '--bare', bare], {});
    await writeFile(path.join(repo, 'a.txt'), 'two\n');

    await run(['status', '--porcelain']);
    await run(['diff']);
    await run(['add', '-A']);
    await run(['diff', '--cached']);
    await run(['commit', '-m', 'two']);
    await run(['commit', '--amend']);
    await run(['log', '-p', '-1']);
    await run(['show', 'HEAD']);
    await run(['checkout', '-b', 'other']);
    await run(['push', bare, 'other']);
    await run(['fetch', bare, 'other']);

    expect(await sprung()).toEqual([]);
  });

  it('speaks neither ext nor ssh', async () => {
    const ext = await failure(run(['fetch', 'evil']));
    const ssh = await failure(run(['fetch', 'ssh://127.0.0.1/x.git']));

    expect([ext.code, ssh.code]).toEqual(['GIT_FAILED', 'GIT_FAILED']);
    expect(await sprung()).toEqual([]);
  });

  it('asks none of its helpers for a credential', async () => {
    await git(['credential', 'fill'], {
      cwd: repo,
      stdin: 'protocol=https\nhost=example.test\n\n',
      ok_codes: [0, 128],
    });

    expect(await sprung()).toEqual([]);
  });

  it('is seen red without the door: the traps are real', async () => {
    await writeFile(path.join(repo, 'a.txt'), 'two\n');

    await run(['diff'], { env: { GIT_CONFIG_COUNT: '0' } });

    expect(await sprung()).toContain('sprung-fsmonitor');
  });
});

describe('the environment of git', () => {
  it('holds nothing of ours but PATH and the network', async () => {
    vi.stubEnv('GITHUB_TOKEN', TOKEN);
    vi.stubEnv('GIT_DIR', '/elsewhere');
    try {
      const { stdout } = await git(['-c', 'alias.env=!env', 'env'], { cwd: repo });

      expect(stdout).not.toContain(TOKEN);
      expect(stdout).not.toContain('/elsewhere');
      expect(stdout).toContain('HOME=/dev/null');
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('a credential', () => {
  let server: Server;
  let port = 0;
  let seen: IncomingMessage[] = [];
  let argvs: string[] = [];

  /** The command lines of all processes that live now. */
  async function commandLines(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  }

  beforeEach(async () => {
    seen = [];
    argvs = [];
    server = createServer((request, response) => {
      seen.push(request);
      void commandLines().then((lines) => {
        argvs.push(...lines);
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="forge"' }).end();
        } else if (request.url?.startsWith('/moved') === true) {
          response
            .writeHead(302, { location: `http://localhost:${port}/x.git/info/refs?service=git-upload-pack` })
            .end();
        } else response.writeHead(500).end();
      });
    });
    ({ port } = await listening(server));
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const credential = { username: 'x-access-token', token: TOKEN };

  it('reaches the host, and no argv, config or error', async () => {
    const before = await readFile(path.join(repo, '.git/config'), 'utf8');

    const error = await failure(run(['ls-remote', `http://127.0.0.1:${port}/x.git`], { credential }));

    const sent = seen
      .map((request) => request.headers.authorization)
      .filter((header) => header !== undefined);
    expect(sent).toEqual([`Basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`]);
    expect(argvs.some((line) => line.includes('ls-remote'))).toBe(true);
    expect(argvs.filter((line) => line.includes(TOKEN))).toEqual([]);
    expect(await readFile(path.join(repo, '.git/config'), 'utf8')).toBe(before);
    expect(JSON.stringify([error.message, error.details])).not.toContain(TOKEN);
    expect(error.retryable).toBe(true);
  });

  it('does not follow a redirect', async () => {
    await failure(run(['ls-remote', `http://127.0.0.1:${port}/moved.git`], { credential }));

    expect(seen.every((request) => request.url?.startsWith('/moved.git'))).toBe(true);
  });

  it('is not offered without one: git asks nobody and fails', async () => {
    const error = await failure(run(['ls-remote', `http://127.0.0.1:${port}/x.git`]));

    expect(error.code).toBe('GIT_FAILED');
    expect(seen).toHaveLength(1);
  });
});

describe('a git stream', () => {
  it('serves what upload-pack advertises', async () => {
    const stream = gitStream(['upload-pack', '--stateless-rpc', '--http-backend-info-refs', repo], {});
    const chunks: Buffer[] = [];
    stream.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.stdin.end();

    expect((await stream).exitCode).toBe(0);
    expect(Buffer.concat(chunks).toString()).toContain('refs/heads/main');
  });

  it('tells of a failure without rejecting', async () => {
    const stream = gitStream(['upload-pack', path.join(dir, 'no')], {});
    stream.stdin.end();

    expect((await stream).failed).toBe(true);
  });
});
