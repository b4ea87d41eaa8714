import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import {
  type GcItem,
  GcReply,
  type GcRequest,
  keys,
  SpawnReply,
  type Task,
  type Workspace,
} from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunningShell } from './start.ts';
import { withTaskLock } from './task-lock.ts';
import { createFixture, eventually, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let fixture: Fixture;
let shell: RunningShell;
beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start();
});
afterEach(() => fixture.close());

const AGENT = { name: 'agent', email: 'agent@example.invalid' };

function post(url: string, payload: object) {
  return shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });
}
async function gc(request: GcRequest = {}): Promise<GcReply> {
  return GcReply.parse((await post('/gc', request)).json());
}
const path = (...parts: string[]): string => join(fixture.home, '.caloron', ...parts);
const inTree = async (cwd: string, ...args: string[]): Promise<string> =>
  (await git(args, { cwd, author: AGENT })).stdout;

/** A worktree of `t1` in which an agent has worked and ended, its task as it became then. */
async function worked(task: Partial<Task>, sprint: { workspace?: Workspace } = {}): Promise<string> {
  await fixture.kickoff({}, { ...sprint, isolation: { sandbox: 'off' } });
  const worktree = await again();
  await fixture.becomes('t1', task);
  return worktree;
}
async function again(): Promise<string> {
  const answer: unknown = (await post('/spawn', spawnOf({ instruction: '{"wait":true}' }))).json();
  expect(answer, JSON.stringify(answer)).toMatchObject({ ok: true });
  const reply = SpawnReply.parse(answer);
  await fixture.seen(reply.process_id);
  await post('/stop', { process_id: reply.process_id, grace_ms: 3000 });
  return reply.worktree;
}
const itemOf = ({ items }: GcReply, kind: GcItem['kind']): GcItem | undefined =>
  items.find((item) => item.kind === kind);
/** What lies there beside worktrees and clones. */
const itemsOf = ({ items }: GcReply): readonly (readonly string[])[] =>
  items
    .filter(({ kind }) => kind === 'agents' || kind === 'cache')
    .map(({ kind, action, path: where }) => [kind, action, where]);
const OVER = { status: 'Done', status_at: '2026-01-01T00:00:00.000Z' } as const;
const NOW_OVER = { status: 'Cancelled', status_at: '2999-01-01T00:00:00.000Z' } as const;

/** What an agent may leave: each is work that is nowhere else. */
const UNFINISHED: readonly [string, GcItem['class'], (dir: string) => Promise<unknown>][] = [
  ['a changed file', 'dirty', async (dir) => writeFileSync(join(dir, 'README.md'), 'changed')],
  [
    'a staged file',
    'dirty',
    async (dir) => {
      writeFileSync(join(dir, 'new.txt'), 'new');
      await inTree(dir, 'add', 'new.txt');
    },
  ],
  ['an untracked file', 'dirty', async (dir) => writeFileSync(join(dir, 'new.txt'), 'new')],
  ['a commit', 'unpushed', async (dir) => inTree(dir, 'commit', '--quiet', '--allow-empty', '-m', 'work')],
  [
    'a commit on no branch',
    'unpushed',
    async (dir) => {
      await inTree(dir, 'checkout', '--quiet', '--detach');
      await inTree(dir, 'commit', '--quiet', '--allow-empty', '-m', 'work');
    },
  ],
  [
    'a stash',
    'unpushed',
    async (dir) => {
      writeFileSync(join(dir, 'README.md'), 'changed');
      await inTree(dir, 'stash', '--quiet');
    },
  ],
  [
    'a merge with conflicts',
    'dirty',
    async (dir) => {
      await inTree(dir, 'checkout', '--quiet', '-b', 'other');
      writeFileSync(join(dir, 'README.md'), 'one');
      await inTree(dir, 'commit', '--quiet', '-am', 'one');
      await inTree(dir, 'checkout', '--quiet', '-b', 'third', 'HEAD^');
      writeFileSync(join(dir, 'README.md'), 'two');
      await inTree(dir, 'commit', '--quiet', '-am', 'two');
      await git(['merge', 'other'], { cwd: dir, author: AGENT, ok_codes: [1] });
    },
  ],
  ['a lock', 'dirty', async (dir) => inTree(dir, 'worktree', 'lock', dir)],
  [
    'a repository inside',
    'dirty',
    async (dir) => {
      await inTree(dir, 'init', '--quiet', 'inner');
      writeFileSync(join(dir, 'inner', 'a.txt'), 'a');
    },
  ],
];

describe('the collection of garbage', () => {
  it('W15 never deletes a worktree with unfinished work of any kind, and names it', async () => {
    const worktree = await worked(OVER);
    const branch = 'caloron/s1/t1';
    for (const [name, kind, leave] of UNFINISHED) {
      await leave(worktree);
      const before = readdirSync(worktree);

      const reply = await gc({ keep_days: 0 });

      const item = { class: kind, action: 'kept', task_id: 't1', path: worktree };
      expect(itemOf(reply, 'worktree'), name).toMatchObject(item);
      expect(itemOf(reply, 'clone'), name).toMatchObject({ action: 'kept' });
      expect(readdirSync(worktree), name).toEqual(before);
      const git_dir = path('tasks', 's1', 't1.git');
      await git(['worktree', 'unlock', worktree], { git_dir, ok_codes: [0, 128] });
      await inTree(worktree, 'checkout', '--quiet', '--force', '-B', branch, fixture.base_sha);
      await inTree(worktree, 'clean', '-ffdq');
      await inTree(worktree, 'stash', 'clear');
    }
    expect(itemOf(await gc({ keep_days: 0 }), 'worktree')).toMatchObject({ action: 'removed' });
  });

  it('G13 removes merged work at once, files that are ignored with it, and says how much it was', async () => {
    await fixture.commit('main', { '.gitignore': 'node_modules\n' });
    const worktree = await worked(
      { ...OVER, status_at: '2999-01-01T00:00:00.000Z' },
      { workspace: { ports: 3, cache: true } },
    );
    mkdirSync(join(worktree, 'node_modules'));
    writeFileSync(join(worktree, 'node_modules', 'big'), 'x'.repeat(100_000));

    const said = await gc({ dry_run: true });
    expect(itemOf(said, 'worktree')).toMatchObject({ class: 'merged', action: 'would_remove' });
    expect(said.reclaimed_bytes).toBeGreaterThan(100_000);
    expect(existsSync(worktree)).toBe(true);

    const done = await gc();
    expect(itemOf(done, 'worktree')).toMatchObject({ action: 'removed' });
    expect(done.reclaimed_bytes).toBeGreaterThan(100_000);
    expect(existsSync(worktree)).toBe(false);
    expect(existsSync(path('cache', 's1', 't1'))).toBe(false);
    expect(fixture.store.worktreeLeases.list()).toEqual([]);
    expect(itemOf(done, 'clone')).toMatchObject({ class: 'clean', action: 'kept' });
    expect(itemOf(await gc({ keep_days: 0 }), 'clone')).toBeDefined();
  });

  it('G13 keeps what is clean for its days, then removes worktree, clone and records', async () => {
    const worktree = await worked(NOW_OVER);

    const reason = 'its task is over; it stays 7 days after that';
    expect(itemOf(await gc(), 'worktree')).toMatchObject({ class: 'clean', action: 'kept', reason });
    await fixture.close();
    fixture = await createFixture();
    shell = await fixture.start();
    const old = await worked({ ...OVER, status: 'Cancelled' });
    const reply = await gc();

    expect(reply.items.map(({ kind, action }) => [kind, action])).toEqual([
      ['worktree', 'removed'],
      ['clone', 'removed'],
      ['agents', 'removed'],
    ]);
    expect([worktree, old].map((dir) => existsSync(dir))).toEqual([false, false]);
    expect(readdirSync(path('tasks', 's1'))).toEqual([]);
    expect(readdirSync(path('agents'))).toEqual([]);
    expect((await gc()).items).toEqual([]);
  });

  if (SLOW)
    it('leaves a task that goes on, and one where an agent is at work', async () => {
      const worktree = await worked({});
      expect(itemOf(await gc({ keep_days: 0 }), 'worktree')).toMatchObject({ class: 'open', action: 'kept' });

      const reply = SpawnReply.parse(
        (await post('/spawn', spawnOf({ instruction: '{"wait":true}' }))).json(),
      );
      await fixture.seen(reply.process_id);
      expect(itemOf(await gc({ keep_days: 0 }), 'worktree')).toMatchObject({ class: 'live', action: 'kept' });
      expect(existsSync(worktree)).toBe(true);
    });

  it('G2 G13 removes unfinished work of a task that is over when asked to, saved, and keeps what it is saved in', async () => {
    const worktree = await worked(OVER);
    writeFileSync(join(worktree, 'new.txt'), 'new');

    const reply = await gc({ snapshot_dirty: true, keep_days: 0 });

    expect(itemOf(reply, 'worktree')).toMatchObject({ class: 'dirty', action: 'removed' });
    expect(itemOf(reply, 'worktree')?.reason).toContain('refs/caloron/wip/s1/t1/1');
    expect(itemOf(reply, 'clone')).toMatchObject({ class: 'saved', action: 'kept' });
    const clone = path('tasks', 's1', 't1.git');
    expect((await git(['show', 'refs/caloron/wip/s1/t1/1:new.txt'], { git_dir: clone })).stdout).toBe('new');
  });

  it('touches nothing that is not ours, and follows no link', async () => {
    const outside = join(fixture.home, '..', 'precious');
    mkdirSync(outside);
    writeFileSync(join(outside, 'mine.txt'), 'mine');
    const worktree = await worked(OVER);
    rmSync(worktree, { recursive: true });
    symlinkSync(outside, worktree);
    mkdirSync(path('worktrees', 'mine', 'deep'), { recursive: true });
    symlinkSync(outside, path('worktrees', 's1', 'link'));

    const { items } = await gc({ keep_days: 0, snapshot_dirty: true });

    const foreign = items.filter((item) => item.class === 'foreign').map((item) => [item.path, item.action]);
    expect(foreign).toEqual(
      expect.arrayContaining([
        [worktree, 'kept'],
        [path('worktrees', 's1', 'link'), 'kept'],
        [path('worktrees', 'mine', 'deep'), 'kept'],
      ]),
    );
    expect(readdirSync(outside)).toEqual(['mine.txt']);
    expect(existsSync(path('worktrees', 'mine', 'deep'))).toBe(true);
  });

  if (SLOW)
    it('removes what nobody leads to any more: caches without a worktree, sandboxes that ended, directories of unknown processes', async () => {
      const worktree = await worked({}, { workspace: { cache: true } });
      const { process_id } = fixture.store.processes.list()[0]!;
      const sandbox = path('agents', process_id, 'sandbox', 'home');
      const unknown = path('agents', '00000000-0000-4000-8000-000000000000');
      const stray = path('cache', 's0', 'gone');
      for (const dir of [sandbox, unknown, stray]) {
        mkdirSync(dir, { recursive: true });
        writeFileSync(join(dir, 'a.txt'), 'a');
      }
      symlinkSync(fixture.home, path('cache', 's0', 'link'));

      const kept = itemsOf(await gc({ dry_run: true }));
      expect(kept).toEqual([
        ['agents', 'would_remove', join(sandbox, '..')],
        ['agents', 'kept', unknown],
        ['cache', 'would_remove', stray],
      ]);
      // One that was made just now may be of an agent that is being started.
      await gc({ keep_days: 0 });
      expect(existsSync(unknown)).toBe(true);
      const long_ago = Date.UTC(2026, 0, 1) / 1000;
      utimesSync(unknown, long_ago, long_ago);
      await gc({ keep_days: 0 });

      expect([sandbox, unknown, stray].filter((dir) => existsSync(dir))).toEqual([]);
      expect(existsSync(path('cache', 's1', 't1'))).toBe(true);
      expect(existsSync(path('agents', process_id))).toBe(true);
      expect(existsSync(worktree)).toBe(true);
    });

  if (SLOW)
    it('removes the sessions of a task that is over, with what a killed harness left of one', async () => {
      await worked(OVER);
      const sessions = ['t1.author.session.json', 't1.author.session.json.p-1', 't10.author.session.json'];
      for (const name of sessions) writeFileSync(path('tasks', 's1', name), '{}');

      await gc();

      expect(readdirSync(path('tasks', 's1'))).toEqual(['t10.author.session.json']);
    });

  it('W15 a shell that starts sweeps away what is merged, and nothing that is dirty', async () => {
    const worktree = await worked(OVER);
    writeFileSync(join(worktree, 'new.txt'), 'new');
    await shell.close();
    shell = await fixture.start();
    await shell.close();
    expect(existsSync(join(worktree, 'new.txt'))).toBe(true);

    rmSync(join(worktree, 'new.txt'));
    shell = await fixture.start();
    await shell.close();
    expect(existsSync(worktree)).toBe(false);
  });

  if (SLOW)
    it('keeps no shell from closing while a hook is at work', async () => {
      const hooks = { before_remove: ['sleep', '30'] };
      await worked(OVER, { workspace: { hooks } });
      const { process_id } = fixture.store.processes.list()[0]!;
      await shell.close();
      shell = await fixture.start();
      const hook = (): readonly { readonly pid: number }[] => taggedProcesses(new Set([process_id]));
      try {
        await eventually(() => hook().length > 0);
        const before = performance.now();
        await shell.close();
        expect(performance.now() - before).toBeLessThan(15_000);
      } finally {
        for (const { pid } of hook()) process.kill(pid, 'SIGKILL');
      }
      await eventually(() => hook().length === 0);
    });

  if (SLOW)
    it('runs beside starts of the same task: each finds its worktree whole', async () => {
      await worked(OVER);

      const [reply] = await Promise.all([again(), gc({ keep_days: 0 }), gc({ keep_days: 0 })]);

      expect((await gc({ dry_run: true })).items.filter(({ action }) => action === 'failed')).toEqual([]);
      expect(reply).toBe(path('worktrees', 's1', 't1'));
    });

  if (SLOW)
    it('removes what a start left that was refused before its process had a record, and gives its ports back', async () => {
      await fixture.kickoff({}, { workspace: { ports: 2 } });
      await fixture.store.kv.put(keys.paused('s1'), OVER.status_at);
      expect((await post('/spawn', spawnOf({}))).json()).toMatchObject({ code: 'SPRINT_PAUSED' });
      expect(fixture.store.worktreeLeases.list()).toHaveLength(1);
      await fixture.becomes('t1', { ...OVER, status: 'Cancelled' });

      const { items } = await gc({ keep_days: 0 });

      expect(items.map(({ kind, action }) => [kind, action])).toEqual([
        ['worktree', 'removed'],
        ['clone', 'removed'],
        // It may still become an agent's.
        ['agents', 'kept'],
      ]);
      expect(fixture.store.worktreeLeases.list()).toEqual([]);
    });

  it('finishes removals whose process died, at a start of the shell too, and touches nothing there that is not ours', async () => {
    await fixture.kickoff(OVER);
    const left = (root: string, name: string): string => {
      const dir = path(root, '.removing', name);
      mkdirSync(join(dir, 'deep'), { recursive: true });
      writeFileSync(join(dir, 'deep', 'a.txt'), 'a');
      return dir;
    };
    const ours = [left('worktrees', 's1.t1.abc'), left('tasks', 's1.t1.abc')];
    const others = [left('worktrees', 's9.t1.abc'), left('worktrees', 'mine')];

    const { items } = await gc({ dry_run: true });
    expect(items.filter(({ action }) => action === 'would_remove').map((item) => item.path)).toEqual(ours);
    expect(items.filter((item) => item.class === 'foreign').map((item) => item.path)).toEqual(
      others.toSorted(),
    );
    await gc();
    expect([...ours, ...others].map((dir) => existsSync(dir))).toEqual([false, false, true, true]);

    const again = left('worktrees', 's1.t1.def');
    await shell.close();
    shell = await fixture.start();
    await expect.poll(() => existsSync(again)).toBe(false);
  });

  if (SLOW)
    it('passes over a task in whose worktree saved work is put back', async () => {
      const worktree = await worked(OVER);
      let items: readonly GcItem[] = [];
      await withTaskLock(
        { tasks: path('tasks') },
        { sprint_id: 's1', task_id: 't1' },
        'put it back',
        async () => {
          ({ items } = await gc({ keep_days: 0 }));
        },
      );
      expect(items.filter(({ kind }) => kind === 'worktree')).toEqual([]);
      expect(existsSync(worktree)).toBe(true);

      expect(itemOf(await gc({ keep_days: 0 }), 'worktree')).toMatchObject({ action: 'removed' });
    });

  it('is refused to agents and to what is no request', async () => {
    await fixture.kickoff();
    const wrong = await shell.app.inject({
      method: 'POST',
      url: '/gc',
      headers: { 'x-caloron-token': 'x' },
      payload: {},
    });
    expect(wrong.statusCode).toBe(401);
    for (const bad of [{ keep_days: -1 }, { keep_days: '1' }, { all: true }])
      expect((await post('/gc', bad)).statusCode).toBe(400);
  });
});
