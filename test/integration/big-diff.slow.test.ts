import { mkdirSync, readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { addUser } from '@caloron/forge';
import { expect, it } from 'vitest';
import { z } from 'zod';

import { start } from '../bench/process.ts';
import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';

const MEGABYTES = 300;

it('a pull request of 300 MB is counted, shown as far as a person reads, refused as one text, and not held in memory', async () => {
  const home = temporaryHome();
  const data = join(home.dir, 'forge');
  const { token } = await addUser(data, 'alice');
  const env = { PATH: process.env['PATH'] ?? '', CALORON_LOG_LEVEL: 'silent' };
  const bin = join(ROOT, 'packages/forge/bin/caloron-forge.mjs');
  const forge = await start(bin, ['--port', '0', '--data', data], env);
  try {
    const ask = async (path: string, init: { method?: string; body?: string; accept?: string } = {}) => {
      const { accept = 'application/json', ...rest } = init;
      return fetch(`${forge.url}${path}`, { ...rest, headers: { authorization: `Bearer ${token}`, accept } });
    };
    await ask('/user/repos', { method: 'POST', body: '{"name":"app","auto_init":true}' });
    const cwd = join(home.dir, 'clone');
    mkdirSync(cwd);
    const author = { name: 'alice', email: 'alice@example.com' };
    const run = async (...args: string[]) =>
      git(args, { cwd, author, credential: { username: 'alice', token } });
    await run('clone', '--quiet', `${forge.url}/alice/app.git`, '.');
    await run('checkout', '--quiet', '-B', 'big');
    const megabyte = `${'x'.repeat(99)}\n`.repeat(10_000);
    for (let n = 0; n < MEGABYTES; n += 1) await appendFile(join(cwd, 'big.txt'), megabyte);
    await run('add', '.');
    await run('commit', '--quiet', '-m', 'big');
    await run('push', '--quiet', 'origin', 'big');
    const body = JSON.stringify({ title: 'big', head: 'big', base: 'main' });
    expect((await ask('/repos/alice/app/pulls', { method: 'POST', body })).status).toBe(201);

    const path = '/repos/alice/app/pulls/1';
    const detail = z.object({ additions: z.number() }).parse(await (await ask(path)).json());
    expect(detail.additions).toBe(MEGABYTES * 10_000);
    expect((await ask(path, { accept: 'application/vnd.github.v3.diff' })).status).toBe(406);
    expect((await ask(path, { accept: 'application/vnd.github.v3.patch' })).status).toBe(406);
    expect(await (await ask('/ui/alice/app/pulls/1')).text()).toContain('[cut]');
    expect((await (await ask(`${path}/files`)).text()).length).toBeLessThan(10_000);
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${forge.pid}/status`, 'utf8'))?.[1];
    expect(Number(peak)).toBeLessThan(400_000);
  } finally {
    await forge.stop();
    home.remove();
  }
});
