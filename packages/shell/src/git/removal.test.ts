import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTaskWorld, type TaskWorld, write } from '../testing/task-world.ts';

const ACT = join(import.meta.dirname, '..', 'testing', 'review-again.ts');

/** Which steps are tried: those between the tree leaving its place and the clone forgetting it; all of them in the long run. */
const ALL = process.env['CALORON_TEST_LONG'] === '1';
const [FIRST, LAST] = ALL ? [1, 100] : [2, 3];

let world: TaskWorld;
beforeEach(async () => {
  world = await createTaskWorld();
});
afterEach(() => world.fixture.close());

/** What a process of its own is told, that makes the reviewer's worktree anew. */
const order = (die_at?: number): string =>
  JSON.stringify({
    clean: join(world.paths.repos, 'clean.git'),
    place: world.review,
    sha: world.fixture.base_sha,
    die_at,
  });

describe('a removal whose process is killed', () => {
  it('in the middle of a large tree keeps nobody from the worktree, and loses nothing that was saved', async () => {
    const { path } = await world.prepareReview();
    const many = join(path, 'many');
    mkdirSync(many);
    for (let n = 0; n < 1500; n += 1) writeFileSync(join(many, `${n}.txt`), '');
    write(path, { '.gitignore': 'many\n', 'a.txt': 'a' });
    const child = spawn(process.execPath, [ACT, order()], { detached: true, stdio: 'ignore' });
    const left = (): number => (existsSync(many) ? readdirSync(many).length : 0);
    const deadline = performance.now() + 10_000;
    while (left() === 1500) if (performance.now() > deadline) break;

    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await once(child, 'exit');
    await world.prepareReview();

    expect(readFileSync(join(path, 'README.md'), 'utf8')).toBe('widgets\n');
    expect(existsSync(many)).toBe(false);
    expect(await world.kept('a.txt')).toBe('a');
  });

  it('at any step of it does neither', async () => {
    let killed = 0;
    let goes_on = true;
    for (let step = FIRST; step <= LAST && goes_on; step += 1) {
      const { path } = await world.prepareReview();
      write(path, { 'a.txt': `a${step}`, 'staged.txt': `s${step}` });
      await world.agent(path, 'add', 'staged.txt');
      const done = await execa(process.execPath, [ACT, order(step)], { reject: false });
      if (done.signal === 'SIGKILL') killed += 1;
      else {
        expect(done.exitCode, done.stderr).toBe(0);
        goes_on = false;
      }

      await world.prepareReview();

      expect(existsSync(join(path, 'a.txt'))).toBe(false);
      expect(await world.kept('a.txt')).toBe(`a${step}`);
    }
    // The last one was killed at none: all there are were tried.
    expect(killed).toBeGreaterThan(1);
    expect(goes_on).toBe(!ALL);
    expect(readdirSync(join(world.clone, 'worktrees'))).toEqual(['t1--review']);
  });
});
