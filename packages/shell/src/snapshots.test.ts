import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { createLogger } from '@caloron/capabilities/logger';
import type { ProcessRow } from '@caloron/types';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createKeyedMutex } from './mutex.ts';
import { createSnapshots, type Snapshots, type SnapshotsDeps } from './snapshots.ts';
import { createTaskWorld, type TaskWorld, write } from './testing/task-world.ts';
import { createWorktrees, type Worktrees } from './worktrees.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let world: TaskWorld;
let at: string;
let worktrees: Worktrees;
let takeWith: (saveWip: SnapshotsDeps['saveWip']) => Snapshots;
let take: Snapshots;

beforeEach(async () => {
  world = await createTaskWorld();
  ({ path: at } = await world.prepareAuthor());
  const mutex = createKeyedMutex();
  worktrees = createWorktrees({ paths: world.paths, mutex, remoteUrl: () => world.fixture.remote });
  takeWith = (saveWip) =>
    createSnapshots({ mutex, log: createLogger({ name: 'test', level: 'silent' }), saveWip });
  take = takeWith((row, reason, patience) => worktrees.save(row, reason, patience));
});
afterEach(() => world.fixture.close());

const row = (): ProcessRow =>
  ({ process_id: 'p1', sprint_id: 's1', task_id: 't1', role: 'author', worktree: at }) as ProcessRow;

/** A repository inside with a commit of its own and a file that is in none. */
async function inside(name: string): Promise<string> {
  const dir = join(at, name);
  await git(['init', '--quiet', dir], {});
  await world.agent(dir, 'commit', '--quiet', '--allow-empty', '-m', 'mine');
  write(dir, { 'inner.txt': name });
  return dir;
}

describe('a snapshot whose time is over', () => {
  it('in a repository inside that cannot be read has all files, and says whose commits it lacks', async () => {
    const odd = await inside('odd');
    await inside('plain');
    // Who opens a pipe that nobody writes to waits for ever.
    await execa('mkfifo', [join(odd, '.git', 'packed-refs')]);
    write(at, { 'a.txt': 'a' });
    const began = performance.now();

    const { ref, error } = await take(row(), 'before it was stopped', 5000);

    expect(performance.now() - began).toBeLessThan(30_000);
    expect(ref, String(error)).toBe('refs/caloron/wip/s1/t1/1');
    expect(error).toMatch(/^after 5 s .*odd/);
    expect(await world.kept('a.txt')).toBe('a');
    expect(await world.kept('odd/inner.txt')).toBe('odd');
  });

  if (SLOW)
    it('among many repositories inside has what lies around them, and names those it lacks', async () => {
      for (let n = 0; n < 8; n += 1) await inside(`sub-${n}`);
      write(at, { 'a.txt': 'a', 'sub-3/big.txt': 'big' });
      const over = { signal: new AbortController().signal, inside: AbortSignal.abort() };
      const late = takeWith((row, reason, { leftOut }) => worktrees.save(row, reason, { ...over, leftOut }));

      const { ref, error } = await late(row(), 'before it was stopped', 20_000);

      expect(ref, String(error)).toBe('refs/caloron/wip/s1/t1/1');
      expect(error).toMatch(/^after 20 s .* sub-0, .*, sub-4 and 3 more$/);
      expect(await world.kept('a.txt')).toBe('a');
      expect(await take(row(), 'its agent ended', 20_000)).toEqual({
        ref: 'refs/caloron/wip/s1/t1/2',
        error: null,
      });
      expect(await world.kept('sub-3/big.txt')).toBe('big');
    });
});
