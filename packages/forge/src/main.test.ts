import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { git } from '@caloron/capabilities/git';
import { octokitOf } from './test-kit.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const BIN = fileURLToPath(new URL('../bin/caloron-forge.mjs', import.meta.url));
const Ready = z.strictObject({ ready: z.literal(true), url: z.string(), pid: z.number() });
const Told = z.object({
  action: z.string().optional(),
  after: z.string().optional(),
  issue: z.object({ number: z.number() }).optional(),
});
const NewUser = z.strictObject({ login: z.string(), token: z.string() });

async function firstLine({ stdout }: { readonly stdout: NodeJS.ReadableStream | null }): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text);
    });
  });
}

describe('the caloron-forge command', () => {
  let dir: string;
  let data: string;
  let running: (() => Promise<unknown>)[] = [];
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'forge-bin-'));
    data = path.join(dir, 'data');
  });
  afterEach(async () => {
    await Promise.all(running.map(async (stop) => stop()));
    running = [];
    rmSync(dir, { recursive: true, force: true });
  });

  const run = async (...args: string[]) => execa(process.execPath, [BIN, ...args], { reject: false });
  const start = async (...args: string[]) => {
    const child = execa(process.execPath, [BIN, '--port', '0', '--data', data, ...args], {
      reject: false,
      env: { CALORON_LOG_LEVEL: 'warn' },
    });
    running.push(async () => {
      child.kill('SIGKILL');
      return child;
    });
    const ended = child.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`)));
    const line = await Promise.race([firstLine(child), ended]);
    return { child, ...Ready.parse(JSON.parse(line)) };
  };
  const addUser = async (login: string, ...args: string[]) => {
    const { stdout } = await run('user', 'add', login, '--data', data, ...args);
    return NewUser.parse(JSON.parse(stdout));
  };

  it('prints one line when ready, answers, and ends with 0 on SIGTERM', async () => {
    const { child, url, pid } = await start();

    const answer = await fetch(`${url}/rate_limit`);
    child.kill('SIGTERM');

    expect(pid).toBe(child.pid);
    expect(answer.status).toBe(200);
    expect((await child).exitCode).toBe(0);
  });

  it('adds users while the server runs, with the token in a file of one’s own', async () => {
    const { url } = await start();
    const file = path.join(dir, 'token');
    writeFileSync(file, '', { mode: 0o644 });

    const { login, token } = await addUser('Alice', '--token-file', file);

    expect(login).toBe('Alice');
    expect(readFileSync(file, 'utf8').trim()).toBe(token);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { data: user } = await octokitOf(url, token).users.getAuthenticated();
    expect(user.login).toBe('Alice');
    const second = await addUser('alice');
    expect(second.login).toBe('Alice');
    expect((await octokitOf(url, second.token).users.getAuthenticated()).data.id).toBe(user.id);
  });

  it('stores no token in the clear', async () => {
    const { token } = await addUser('alice');

    const { stdout } = await execa('grep', ['-rc', token, data], { reject: false });

    expect(stdout.split('\n').every((line) => line.endsWith(':0'))).toBe(true);
  });

  if (SLOW)
    it('lets an admin do everything', async () => {
      const { url } = await start();
      const alice = octokitOf(url, (await addUser('alice')).token);
      const root = octokitOf(url, (await addUser('root', '--admin')).token);
      await alice.repos.createForAuthenticatedUser({ name: 'p', private: true });

      const { data: repo } = await root.repos.get({ owner: 'alice', repo: 'p' });

      expect(repo.permissions?.admin).toBe(true);
    });

  if (SLOW)
    it('takes --data before a command as well as after it', async () => {
      const { stdout } = await run('--data', data, 'user', 'add', 'alice');

      expect(NewUser.parse(JSON.parse(stdout)).login).toBe('alice');
      const [before, after] = [
        await run('--data', data, 'user', 'list'),
        await run('--data', path.join(dir, 'other'), 'user', 'list', '--data', data),
      ];
      expect(before.stdout).toContain('"alice"');
      expect(after.stdout).toBe(before.stdout);
    });

  if (SLOW)
    it('gives no token whose file cannot be written, and makes no forge where one is only asked about', async () => {
      await addUser('alice');

      const lost = await run(
        'user',
        'add',
        'alice',
        '--data',
        data,
        '--token-file',
        path.join(dir, 'no/such'),
      );
      const other = await run('user', 'list', '--data', path.join(dir, 'other'));

      for (const { exitCode, stderr, stdout } of [lost, other]) {
        expect(exitCode).toBe(1);
        expect(stderr).toContain('LOCAL_FORGE_OPTION_INVALID');
        expect(stdout).toBe('');
      }
      expect((await run('user', 'list', '--data', data)).stdout).toContain('"tokens":1');
      expect(existsSync(path.join(dir, 'other'))).toBe(false);
    });

  it('refuses what is no login and what is no port', async () => {
    const login = await run('user', 'add', '../x', '--data', data);
    const port = await run('--data', data, '--port', 'x');

    for (const { exitCode, stderr, stdout } of [login, port]) {
      expect(exitCode).toBe(1);
      expect(stderr).toContain('LOCAL_FORGE_OPTION_INVALID');
      expect(stdout).toBe('');
    }
  });

  it('says that its port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    try {
      const { port } = z.object({ port: z.number() }).parse(other.address());

      const { exitCode, stderr, stdout } = await run('--port', String(port), '--data', data);

      expect(exitCode).toBe(1);
      expect(stderr).toContain(`port ${port} on 127.0.0.1 is taken`);
      expect(stdout).toBe('');
    } finally {
      other.close();
    }
  });

  it('refuses a data directory that another server holds', async () => {
    await start();

    const { exitCode, stderr } = await run('--port', '0', '--data', data);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('LOCAL_FORGE_DATA_IN_USE');
  });

  if (SLOW)
    it('refuses a damaged database and a missing repository, naming the directory', async () => {
      mkdirSync(data, { recursive: true });
      writeFileSync(
        path.join(data, 'forge.db'),
        'no database at all, but long enough to look like one. '.repeat(100),
      );
      const damaged = await run('--port', '0', '--data', data);
      rmSync(path.join(data, 'forge.db'));
      const { child, url } = await start();
      const alice = octokitOf(url, (await addUser('alice')).token);
      await alice.repos.createForAuthenticatedUser({ name: 'app', auto_init: true });
      await alice.issues.create({ owner: 'alice', repo: 'app', title: 'x' });
      child.kill('SIGTERM');
      await child;
      rmSync(path.join(data, 'repos', '1.git'), { recursive: true });

      const missing = await run('--port', '0', '--data', data);

      for (const { exitCode, stderr } of [damaged, missing]) {
        expect(exitCode).toBe(1);
        expect(stderr).toContain(`LOCAL_FORGE_DATA_DAMAGED: ${data}`);
      }
    });

  if (SLOW)
    it('comes back whole after kill -9 in the middle of merges', async () => {
      const at = { owner: 'alice', repo: 'app' } as const;
      const first = await start();
      const { token } = await addUser('alice');
      const alice = octokitOf(first.url, token);
      await alice.repos.createForAuthenticatedUser({ name: 'app', auto_init: true });
      const clone = path.join(dir, 'clone');
      const options = { credential: { username: 'x', token }, author: { name: 'a', email: 'a@example.com' } };
      await git(['clone', '--quiet', `${first.url}/alice/app.git`, clone], options);
      const inClone = async (...args: string[]) => git(args, { ...options, cwd: clone });
      const numbers: number[] = [];
      for (let n = 0; n < 5; n += 1) {
        await inClone('checkout', '--quiet', '-B', `b${n}`, 'origin/main');
        writeFileSync(path.join(clone, `f${n}.txt`), String(n));
        await inClone('add', '.');
        await inClone('commit', '--quiet', '-m', `c${n}`);
      }
      await inClone('push', '--quiet', 'origin', ...Array.from({ length: 5 }, (_, n) => `b${n}`));
      for (let n = 0; n < 5; n += 1) {
        numbers.push(
          (await alice.pulls.create({ ...at, title: `t${n}`, head: `b${n}`, base: 'main' })).data.number,
        );
      }

      const merges = numbers.map(async (pull_number) =>
        alice.pulls.merge({ ...at, pull_number, merge_method: 'squash' }),
      );
      const settled = Promise.allSettled(merges);
      await Promise.any(merges);
      first.child.kill('SIGKILL');
      const answers = await settled;
      const second = await start();

      const after = octokitOf(second.url, token);
      await inClone('fetch', '--quiet', `${second.url}/alice/app.git`, 'main');
      const files = (await inClone('ls-tree', '--name-only', 'FETCH_HEAD')).stdout.split('\n');
      for (const [n, pull_number] of numbers.entries()) {
        const { data: pull } = await after.pulls.get({ ...at, pull_number });
        expect(pull.merged).toBe(files.includes(`f${n}.txt`));
        if (answers[n]?.status === 'fulfilled') expect(pull.merged).toBe(true);
        if (!pull.merged) await after.pulls.merge({ ...at, pull_number });
      }
      await inClone('fetch', '--quiet', `${second.url}/alice/app.git`, 'main');
      const log = (await inClone('log', '--format=%s', '--first-parent', 'FETCH_HEAD')).stdout.split('\n');
      expect(log).toHaveLength(6);
    });

  if (SLOW)
    it('keeps all or nothing of what kill -9 met: issues, comments, reviews, pushes and what webhooks are told', async () => {
      const heard = new Map<string, string>();
      const receiver = createHttpServer((request, response) => {
        let text = '';
        request.on('data', (part: Buffer) => {
          text += part.toString();
        });
        request.on('end', () => {
          heard.set(String(request.headers['x-github-delivery']), text);
          response.writeHead(202).end();
        });
      });
      await new Promise<void>((resolve) => {
        receiver.listen(0, '127.0.0.1', resolve);
      });
      running.push(async () => {
        receiver.close();
        receiver.closeAllConnections();
      });
      const { port } = z.object({ port: z.number() }).parse(receiver.address());
      const at = { owner: 'alice', repo: 'app' } as const;
      const first = await start();
      const { token } = await addUser('alice');
      const bobs = (await addUser('bob')).token;
      const alice = octokitOf(first.url, token);
      await alice.repos.createForAuthenticatedUser({ name: 'app', auto_init: true });
      const config = { url: `http://127.0.0.1:${port}`, content_type: 'json' };
      await alice.repos.createWebhook({ ...at, config, events: ['*'] });
      const clone = path.join(dir, 'clone');
      const options = { credential: { username: 'x', token }, author: { name: 'a', email: 'a@example.com' } };
      await git(['clone', '--quiet', `${first.url}/alice/app.git`, clone], options);
      const inClone = async (...args: string[]) => git(args, { ...options, cwd: clone });
      await inClone('checkout', '--quiet', '-B', 'work');
      await inClone('commit', '--quiet', '--allow-empty', '-m', 'work');
      await inClone('push', '--quiet', 'origin', 'work');
      const { data: pull } = await alice.pulls.create({ ...at, title: 'p', head: 'work', base: 'main' });
      const bob = octokitOf(first.url, bobs);

      const made = new Set<number>();
      const writes = Array.from({ length: 60 }, async (_, n) => {
        const issue = await bob.issues.create({ ...at, title: `issue ${n}` });
        made.add(issue.data.number);
        await bob.issues.createComment({ ...at, issue_number: pull.number, body: `comment ${n}` });
        await bob.pulls.createReview({
          ...at,
          pull_number: pull.number,
          event: 'COMMENT',
          body: `review ${n}`,
        });
      });
      const pushes = (async () => {
        for (let n = 0; ; n += 1) {
          await inClone('commit', '--quiet', '--allow-empty', '-m', `push ${n}`);
          await inClone('push', '--quiet', 'origin', 'work');
        }
      })();
      const settled = Promise.allSettled([...writes, pushes]);
      await Promise.any(writes);
      first.child.kill('SIGKILL');
      await settled;
      const second = await start();

      const after = octokitOf(second.url, token);
      const issues = await after.paginate(after.issues.listForRepo, { ...at, state: 'all', per_page: 100 });
      const numbers = issues.map(({ number }) => number).sort((a, b) => a - b);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
      for (const number of made) expect(numbers).toContain(number);
      const { data: now } = await after.pulls.get({ ...at, pull_number: pull.number });
      const branch = await after.repos.getBranch({ ...at, branch: 'work' });
      expect(now.head.sha).toBe(branch.data.commit.sha);
      await expect
        .poll(
          () => {
            const told = [...heard.values()].map((text) => Told.parse(JSON.parse(text)));
            const opened = told.flatMap(({ action, issue }) =>
              action === 'opened' && issue ? [issue.number] : [],
            );
            const pushed = told.some(({ after: sha }) => sha === now.head.sha);
            return { opened: opened.sort((a, b) => a - b), pushed };
          },
          { timeout: 30_000 },
        )
        .toEqual({ opened: numbers.filter((number) => number !== pull.number), pushed: true });
    });
});
