import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { SpawnReply, StatusReply } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunningShell } from './start.ts';
import { filesOf } from './testing/attacker.ts';
import { createFixture, eventually, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let fixture: Fixture;
let shell: RunningShell;
let outside: string;

beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start();
  await fixture.kickoff();
  outside = join(dirname(fixture.home), 'outside');
  mkdirSync(outside);
});
afterEach(() => fixture.close());

const post = (url: string, payload: object, token = SHELL_TOKEN) =>
  shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': token }, payload });
const get = (url: string) =>
  shell.app.inject({ method: 'GET', url, headers: { 'x-caloron-token': SHELL_TOKEN } });

const place = (...parts: string[]): string => join(fixture.home, '.caloron', ...parts);
const waiting = JSON.stringify({ wait: true });
const spawn = (changes: Parameters<typeof spawnOf>[0] = {}) =>
  post('/spawn', spawnOf({ instruction: waiting, ...changes }));

async function agent(
  changes: Parameters<typeof spawnOf>[0] = {},
): Promise<SpawnReply & { readonly token: string }> {
  const reply = SpawnReply.parse((await spawn(changes)).json());
  const { order } = await fixture.seen(reply.process_id);
  return { ...reply, token: order.agent_token };
}

const stop = ({ process_id }: SpawnReply) => post('/stop', { process_id, grace_ms: 3000 });
const foreign = { ok: false, code: 'WORKTREE_FOREIGN' };

describe('a worktree asked for by path', () => {
  if (SLOW)
    it('inside another task’s is refused with 409, and that one stays as it is', async () => {
      const other = await agent({ task_id: 't2', agent_id: 'agent-2' });
      mkdirSync(join(other.worktree, 'src'));
      const before = filesOf(other.worktree);

      for (const below of ['', '/src', '/.git', '/new/deep']) {
        const response = await spawn({ worktree_base: `.caloron/worktrees/s1/t2${below}` });

        expect(response.statusCode, below).toBe(409);
        expect(response.json()).toMatchObject(foreign);
      }
      expect(filesOf(other.worktree)).toEqual(before);
    });

  it('W2 5.6.13 out of the root is refused with 400', async () => {
    const bases = [
      '..',
      '../..',
      '/',
      '/tmp',
      '.caloron',
      '.caloron/repos',
      '.caloron/worktrees/../tasks',
      '.caloron/worktrees-2',
      './.caloron/worktrees/x/../../logs',
    ];
    for (const worktree_base of bases) {
      const response = await spawn({ worktree_base });

      expect(response.statusCode, worktree_base).toBe(400);
      expect(response.json()).toMatchObject({ ok: false, code: 'REQUEST_INVALID' });
    }
  });

  it.each(['worktrees/fast', 'worktrees/s1', 'tasks/s1'])(
    'W2 by way of a link at %s is refused with 409, and nothing is where it leads',
    async (link) => {
      symlinkSync(outside, place(link));

      const response = await spawn(link.endsWith('fast') ? { worktree_base: '.caloron/worktrees/fast' } : {});

      expect(response.statusCode).toBe(409);
      expect(response.json()).toMatchObject(foreign);
      expect(readdirSync(outside)).toEqual([]);
    },
  );

  it('of a repository whose mirror is a link is refused with 409, and nothing is where it leads', async () => {
    const [host = ''] = await agent().then(async (first) => {
      await stop(first);
      return readdirSync(place('repos')).filter((name) => name !== 'clean.git');
    });
    renameSync(place('repos', host), place('repos', 'kept'));
    symlinkSync(outside, place('repos', host));

    const response = await spawn({ mode: 'resume' });

    expect(response.json()).toMatchObject(foreign);
    expect(readdirSync(outside)).toEqual([]);
  });

  it('that the agent made a link to another task’s is saved, re-used and removed by nobody', async () => {
    const other = await agent({ task_id: 't2', agent_id: 'agent-2' });
    writeFileSync(join(other.worktree, 'unfinished.txt'), 'unfinished\n');
    const mine = await agent();
    rmSync(mine.worktree, { recursive: true });
    symlinkSync(other.worktree, mine.worktree);
    const before = [filesOf(other.worktree), filesOf(place('tasks/s1/t2.git'))];

    await stop(mine);
    const again = await spawn({ mode: 'resume' });
    const cleaned = await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: fixture.base_sha });

    for (const { statusCode } of [again, cleaned]) expect(statusCode).toBe(409);
    expect([filesOf(other.worktree), filesOf(place('tasks/s1/t2.git'))]).toEqual(before);
  });
});

describe('an agent', () => {
  it('that makes its log a link to the shell’s token does not have it shown', async () => {
    const secret = join(outside, 'secret');
    writeFileSync(secret, 'a secret\n');
    const { process_id } = await agent();
    rmSync(place('logs', `${process_id}.log`), { force: true });
    symlinkSync(secret, place('logs', `${process_id}.log`));

    const response = await get('/agents/agent-1/logs');

    expect(response.statusCode).toBe(200);
    expect(response.body).toBe('working on t1\n');
  });

  it.each(['pipe', 'link', 'flood'])(
    'that leaves a %s as its exit file is settled like one that left none',
    async (kind) => {
      const reply = await agent();
      const file = place('agents', reply.process_id, 'exit.json');
      if (kind === 'pipe') execFileSync('mkfifo', [file]);
      else if (kind === 'link') symlinkSync('/dev/zero', file);
      else writeFileSync(file, 'x'.repeat(10_000_000));

      const { exit } = (await stop(reply)).json<{ exit: unknown }>();

      expect(exit).toMatchObject({ signal: 'SIGTERM', known: true });
    },
  );

  it('cannot show progress that lies ahead', async () => {
    const { token } = await agent();

    await post(
      '/heartbeat',
      { sprint_id: 's1', agent_id: 'agent-1', progress_at: '9999-12-31T23:59:59.999Z' },
      token,
    );

    const { agents } = StatusReply.parse((await get('/status')).json());
    expect(agents[0]?.last_progress_at).toBe(agents[0]?.last_heartbeat_at);
  });

  it('whose process has ended gets no forge token any more', async () => {
    const first = await agent();
    await stop(first);

    const response = await post('/credential', { purpose: 'push' }, first.token);

    expect(response.statusCode).toBe(403);
    expect(response.json()).toMatchObject({ code: 'TOKEN_FORBIDDEN' });
    expect(response.body).not.toContain('secret');
  });

  it('that was replaced changes nothing its successor said', async () => {
    const first = await agent();
    await stop(first);
    const second = await agent({ mode: 'resume' });
    const said = { sprint_id: 's1', agent_id: 'agent-1', tokens_used: 999_999, status: 'mine' };

    const response = await post('/heartbeat', said, first.token);

    expect(response.json()).toEqual({ ok: true, command: 'stop', message: null });
    const { agents } = StatusReply.parse((await get('/status')).json());
    expect(agents).toMatchObject([{ process_id: second.process_id, tokens_used: 0 }]);
  });

  it('G19 finds the tokens of others in nothing it was given', async () => {
    const other = await agent({ task_id: 't2', agent_id: 'agent-2' });
    const mine = await agent();

    const seen = await fixture.seen(mine.process_id);
    const files = await eventually(() => readdirSync(place('agents', other.process_id)));

    for (const secret of [SHELL_TOKEN, other.token]) expect(JSON.stringify(seen)).not.toContain(secret);
    // The order of the other is gone once it was read.
    expect(files).not.toContain('order.json');
    expect(readFileSync(fixture.config.db).includes(other.token)).toBe(false);
    expect(readFileSync(fixture.config.db).includes(mine.token)).toBe(false);
  });
});
