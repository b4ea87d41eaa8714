import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { CleanupReply, SpawnReply } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunningShell } from './start.ts';
import { createFixture, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';
import { HOOKS, poisonOf } from './testing/poison.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let fixture: Fixture;
let shell: RunningShell;
let root: string;
/** A program that leaves a trace when anything runs it. */
let evil: string;
let canary: string;

beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start();
  await fixture.kickoff();
  root = dirname(fixture.home);
  canary = join(root, 'canary');
  evil = join(root, 'evil');
  writeFileSync(evil, `#!/bin/sh\necho "$0 $*" >> '${canary}'\nexec cat\n`);
  chmodSync(evil, 0o755);
});
afterEach(() => fixture.close());

const AUTHOR = { name: 'agent', email: 'agent@example.invalid' };
const waiting = JSON.stringify({ wait: true });

const post = (url: string, payload: object) =>
  shell.app.inject({ method: 'POST', url, headers: { 'x-caloron-token': SHELL_TOKEN }, payload });

async function spawned(changes: Parameters<typeof spawnOf>[0] = {}): Promise<SpawnReply> {
  const response = await post('/spawn', spawnOf({ instruction: waiting, ...changes }));
  expect(response.json(), response.body).toMatchObject({ ok: true });
  const reply = SpawnReply.parse(response.json());
  await fixture.seen(reply.process_id);
  return reply;
}

const stopped = async ({ process_id }: SpawnReply) =>
  (await post('/stop', { process_id, grace_ms: 3000 })).json<{ wip_ref: string | null }>();
const resumed = () => spawned({ mode: 'resume' });

const clone = (task = 't1'): string => join(fixture.home, '.caloron/tasks/s1', `${task}.git`);
const admin = (): string => join(clone(), 'worktrees/t1');
const gitIn = async (cwd: string, ...args: string[]): Promise<string> =>
  (await git(args, { cwd, author: AUTHOR })).stdout;

const settings = (): Readonly<Record<string, string>> => poisonOf(evil, fixture.remote);

const ATTRIBUTES = '* filter=evil merge=evil diff=evil\n';
const MODULES =
  '[submodule "lib"]\n\tpath = lib\n\turl = ext::sh -c evil\n\tupdate = !evil\n\tfetchRecurseSubmodules = true\n';

/** What an agent may do to its own repository: config, hooks, attributes, modules. */
async function poison(worktree: string): Promise<void> {
  for (const hook of HOOKS) {
    for (const place of [join(clone(), 'hooks'), dirname(evil)]) {
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, hook), readFileSync(evil));
      chmodSync(join(place, hook), 0o755);
    }
  }
  writeFileSync(join(worktree, '.gitattributes'), ATTRIBUTES);
  writeFileSync(join(worktree, '.gitmodules'), MODULES);
  mkdirSync(join(clone(), 'info'), { recursive: true });
  writeFileSync(join(clone(), 'info/attributes'), ATTRIBUTES);
  for (const [key, value] of Object.entries(settings())) await gitIn(clone(), 'config', key, value);
}

/** Everything the shell does with a task's repository, one after the other. */
async function wholeLife(first: SpawnReply): Promise<void> {
  writeFileSync(join(first.worktree, 'unfinished.txt'), 'unfinished\n');
  expect(await stopped(first)).toMatchObject({ wip_ref: 'refs/caloron/wip/s1/t1/1' });
  const head = await fixture.commit('caloron/s1/t1', { 'forge.txt': 'forge\n' });
  const second = await resumed();
  const review = await spawned({ role: 'reviewer', agent_id: 'agent-9', head_sha: head });
  writeFileSync(join(review.worktree, 'notes.txt'), 'notes\n');
  await stopped(review);
  await stopped(await spawned({ role: 'reviewer', agent_id: 'agent-9', head_sha: head }));
  await stopped(second);
  await stopped(await spawned({ mode: 'rebase' }));
  const kept = await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null });
  expect(CleanupReply.parse(kept.json()).removed).toBe(false);
  // Lost: the checkout is made anew.
  rmSync(first.worktree, { recursive: true });
  await stopped(await resumed());
  const gone = await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null });
  expect(gone.statusCode).toBe(200);
}

describe('a malicious repository', () => {
  it('runs no hook, filter, driver, helper or alias of its config, whatever is done with it', async () => {
    const first = await spawned();
    await poison(first.worktree);

    await wholeLife(first);

    expect(existsSync(canary)).toBe(false);
  });

  it('would run them in a git that is not ours', async () => {
    const first = await spawned();
    await poison(first.worktree);
    writeFileSync(join(first.worktree, 'unfinished.txt'), 'unfinished\n');

    execFileSync('git', ['update-ref', 'refs/heads/x', 'HEAD'], { cwd: first.worktree, stdio: 'ignore' });

    expect(readFileSync(canary, 'utf8')).toContain('reference-transaction');
  });

  if (SLOW)
    it('runs nothing it takes in by include or includeIf', async () => {
      const first = await spawned();
      await poison(first.worktree);
      const config = join(clone(), 'config');
      const taken = join(clone(), 'taken-in');
      renameSync(config, taken);
      const includes = ['include', 'includeIf "gitdir:/**"', 'includeIf "onbranch:**"']
        .map((section) => `[${section}]\n\tpath = ${taken}\n`)
        .join('');
      writeFileSync(config, `[core]\n\trepositoryformatversion = 0\n\tbare = true\n${includes}`);

      await wholeLife(first);

      expect(existsSync(canary)).toBe(false);
    });

  if (SLOW)
    it('runs nothing its worktree config names, and works in no other directory it names', async () => {
      const elsewhere = join(root, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, 'precious.txt'), 'precious\n');
      const first = await spawned();
      await gitIn(clone(), 'config', 'core.repositoryformatversion', '1');
      await gitIn(clone(), 'config', 'extensions.worktreeConfig', 'true');
      const lines = Object.entries(settings()).map(([key, value]) => {
        const [section = '', ...rest] = key.split('.');
        const name = rest.pop() ?? '';
        const middle = rest.length === 0 ? '' : ` "${rest.join('.')}"`;
        return `[${section}${middle}]\n\t${name} = ${JSON.stringify(value)}\n`;
      });
      writeFileSync(join(admin(), 'config.worktree'), `${lines.join('')}[core]\n\tworktree = ${elsewhere}\n`);
      writeFileSync(join(first.worktree, '.gitattributes'), ATTRIBUTES);

      await wholeLife(first);

      expect(existsSync(canary)).toBe(false);
      expect(readFileSync(join(elsewhere, 'precious.txt'), 'utf8')).toBe('precious\n');
    });

  if (SLOW)
    it('fetches nothing from a promisor of its own when an object is missing', async () => {
      const first = await spawned();
      for (const [key, value] of Object.entries({
        'core.repositoryformatversion': '1',
        'extensions.partialClone': 'evil',
        'remote.evil.url': fixture.remote,
        'remote.evil.promisor': 'true',
        'remote.evil.uploadpack': `${evil};`,
      }))
        await gitIn(clone(), 'config', key, value);
      const missing = '1234567890'.repeat(4);
      writeFileSync(join(clone(), 'refs/heads/caloron/s1/t1'), `${missing}\n`);

      await stopped(first);
      await post('/spawn', spawnOf({ mode: 'resume' }));
      await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null });
      rmSync(join(admin(), 'HEAD'), { force: true });
      rmSync(first.worktree, { recursive: true });
      await post('/spawn', spawnOf({ mode: 'resume' }));

      expect(existsSync(canary)).toBe(false);
    });

  it('that makes its refs a link to another task’s takes no branch from that task', async () => {
    const other = await spawned({ task_id: 't2', agent_id: 'agent-2' });
    const first = await spawned();
    const link = join(clone(), 'refs/remotes/origin');
    rmSync(link, { recursive: true });
    symlinkSync(join(clone('t2'), 'refs/heads'), link);
    await stopped(first);

    const response = await post('/spawn', spawnOf({ mode: 'resume', instruction: waiting }));

    expect(response.json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });
    expect(response.statusCode).toBe(409);
    expect(await gitIn(other.worktree, 'rev-parse', 'HEAD')).toBe(fixture.base_sha);
  });

  it('that makes its wip refs a link leaves nothing where it leads', async () => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    const first = await spawned();
    mkdirSync(join(clone(), 'refs/caloron'));
    symlinkSync(elsewhere, join(clone(), 'refs/caloron/wip'));
    writeFileSync(join(first.worktree, 'unfinished.txt'), 'unfinished\n');

    await stopped(first);

    expect(existsSync(join(elsewhere, 's1'))).toBe(false);
  });

  it.each(['index', 'HEAD'])('whose %s is a named pipe keeps the shell from nothing', async (name) => {
    const first = await spawned();
    rmSync(join(admin(), name));
    execFileSync('mkfifo', [join(admin(), name)]);

    await stopped(first);
    const response = await post('/spawn', spawnOf({ mode: 'resume' }));

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });
  });

  it('whose index is a link has nothing copied or written where it leads', async () => {
    const target = join(root, 'not-there');
    const first = await spawned();
    rmSync(join(admin(), 'index'));
    symlinkSync(target, join(admin(), 'index'));

    await stopped(first);
    const response = await post('/spawn', spawnOf({ mode: 'resume' }));

    expect(response.json()).toMatchObject({ code: 'WORKTREE_FOREIGN' });
    expect(existsSync(target)).toBe(false);
  });

  if (SLOW)
    it.each(['link', 'pipe'])(
      'with a %s in place of the shell’s own marker is met as one without a marker',
      async (kind) => {
        const target = join(fixture.home, 'precious.txt');
        writeFileSync(target, 'precious\n');
        const first = await spawned();
        const marker = join(clone(), 'caloron-complete-t1.json');
        await stopped(first);
        rmSync(marker);
        if (kind === 'link') symlinkSync(target, marker);
        else execFileSync('mkfifo', [marker]);

        const second = await resumed();

        expect(second.worktree).toBe(first.worktree);
        expect(readFileSync(target, 'utf8')).toBe('precious\n');
        expect(readFileSync(marker, 'utf8')).toContain(fixture.base_sha);
      },
    );

  if (SLOW)
    it('whose .git is a link to another repository is refused, and that one is not touched', async () => {
      const other = await spawned({ task_id: 't2', agent_id: 'agent-2' });
      const first = await spawned();
      await stopped(first);
      rmSync(join(first.worktree, '.git'));
      symlinkSync(join(other.worktree, '.git'), join(first.worktree, '.git'));
      const before = await gitIn(other.worktree, 'for-each-ref');

      const response = await post('/spawn', spawnOf({ mode: 'resume' }));
      const cleaned = await post('/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: fixture.base_sha });

      for (const { statusCode } of [response, cleaned]) expect(statusCode).toBe(409);
      expect(await gitIn(other.worktree, 'for-each-ref')).toBe(before);
      expect(existsSync(join(first.worktree, 'README.md'))).toBe(true);
    });

  if (SLOW)
    it('with refs of names as long as they can be is snapshotted and taken up again', async () => {
      const first = await spawned();
      const long = Array.from({ length: 12 }, () => 'n'.repeat(250)).join('/');
      appendFileSync(
        join(clone(), 'packed-refs'),
        `${fixture.base_sha} refs/heads/${long}\n${fixture.base_sha} refs/heads/--upload-pack=${evil}\n`,
      );
      writeFileSync(join(first.worktree, 'unfinished.txt'), 'unfinished\n');

      expect(await stopped(first)).toMatchObject({ wip_ref: 'refs/caloron/wip/s1/t1/1' });
      expect((await resumed()).worktree).toBe(first.worktree);
      expect(existsSync(canary)).toBe(false);
    });

  if (SLOW)
    it('with branches named like options and configs on the forge is mirrored as it is', async () => {
      const names = [
        `--upload-pack=${evil.replaceAll('/', '-')}`,
        '-c',
        'a;touch${IFS}b',
        '$(touch${IFS}c)',
        'x'.repeat(200),
      ];
      for (const name of names)
        writeFileSync(join(fixture.remote, 'refs/heads', name.replaceAll('/', '-')), `${fixture.base_sha}\n`);
      await fixture.commit('main', {
        '.gitattributes': ATTRIBUTES,
        '.gitmodules': MODULES,
        'hooks/post-checkout': `#!/bin/sh\ntouch ${canary}\n`,
      });

      const first = await spawned();

      expect(readFileSync(join(first.worktree, '.gitattributes'), 'utf8')).toBe(ATTRIBUTES);
      await stopped(first);
      expect(existsSync(canary)).toBe(false);
    });
});
