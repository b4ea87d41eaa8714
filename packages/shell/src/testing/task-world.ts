import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { git } from '@caloron/capabilities/git';

import { type CleanGit, createCleanGit } from '../git/clean-repository.ts';
import { createMirrors, type Mirror } from '../git/mirror.ts';
import { type OwnWorktree, ownWorktree } from '../git/own-worktree.ts';
import { ensureTaskClone } from '../git/task-clone.ts';
import { authorWorktree, reviewWorktree, type WorktreePlace } from '../git/worktree.ts';
import { createKeyedMutex } from '../mutex.ts';
import { pathsOf, type ShellPaths, taskCloneDir } from '../paths.ts';
import { createFixture, type Fixture } from './fixture.ts';

const AGENT = { name: 'agent', email: 'agent@example.invalid' };

/** One task's clone and worktrees on real repositories, without a shell. */
export interface TaskWorld {
  readonly fixture: Fixture;
  readonly paths: ShellPaths;
  readonly clean: CleanGit;
  readonly clone: string;
  readonly author: WorktreePlace;
  readonly review: WorktreePlace;
  /** Makes or re-uses the author's worktree. */
  prepareAuthor(): Promise<OwnWorktree>;
  /** Makes the reviewer's worktree anew: what lay in it before is gone from disk. */
  prepareReview(): Promise<OwnWorktree>;
  /** Fetches the forge and brings the clone's refs up to date, as every spawn does. */
  sync(): Promise<Mirror>;
  /** Runs git as the agent does; gives what it printed. */
  agent(cwd: string, ...args: string[]): Promise<string>;
  /** The saved work: ref → commit, oldest first. */
  saved(): Promise<readonly string[]>;
  /** The content of a file in the newest saved work, or in what `rev` names below it (`^2`). */
  kept(file: string, rev?: string): Promise<string | undefined>;
}

/** Writes files below a directory. */
export function write(dir: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
}

/** Makes the repositories of task `t1` of sprint `s1`; nothing is checked out yet. */
export async function createTaskWorld(): Promise<TaskWorld> {
  const fixture = await createFixture();
  const paths = pathsOf(fixture.home);
  for (const folder of [paths.worktrees, paths.repos, paths.tasks]) mkdirSync(folder, { recursive: true });
  const clean = createCleanGit(join(paths.repos, 'clean.git'));
  const mirrors = createMirrors(paths, createKeyedMutex());
  const clone = taskCloneDir(paths, 's1', 't1');
  const place = (name: string): WorktreePlace => ({
    root: paths.worktrees,
    clone,
    path: join(paths.worktrees, 's1', name),
    sprint_id: 's1',
    task_id: 't1',
  });
  const places = { author: place('t1'), review: place('t1--review') };
  const own = ({ root, path }: WorktreePlace): OwnWorktree => {
    const found = ownWorktree(root, clone, path);
    if (found === undefined) throw new Error(`no worktree at ${path}`);
    return found;
  };
  const sync = async (): Promise<Mirror> => {
    const credential = { username: 'x', token: '' };
    const mirror = await mirrors.fetch({ host: null, repo: 'acme/widgets', url: fixture.remote, credential });
    await ensureTaskClone({ root: paths.tasks, clone, mirror, agent_id: 'agent-1' });
    return mirror;
  };
  const saved = async (): Promise<readonly string[]> => {
    const { stdout } = await git(
      ['for-each-ref', '--sort=version:refname', '--format=%(refname)', 'refs/caloron/wip'],
      { git_dir: clone },
    );
    return stdout === '' ? [] : stdout.split('\n');
  };
  await sync();
  return {
    fixture,
    paths,
    clean,
    clone,
    ...places,
    sync,
    saved,
    async prepareAuthor() {
      const base = fixture.base_sha;
      const at = { start_sha: base, recorded_base: null, forge_base: base, forge_head: null };
      const wish = { branch: 'caloron/s1/t1', ...at };
      await authorWorktree(clean, places.author, wish);
      return own(places.author);
    },
    async prepareReview() {
      await reviewWorktree(clean, places.review, { head_sha: fixture.base_sha, base_sha: fixture.base_sha });
      return own(places.review);
    },
    agent: async (cwd, ...args) => (await git(args, { cwd, author: AGENT })).stdout,
    async kept(file, rev = '') {
      const newest = (await saved()).at(-1);
      if (newest === undefined) return undefined;
      const { stdout, exit_code } = await git(['show', `${newest}${rev}:${file}`], {
        git_dir: clone,
        keep_newline: true,
        ok_codes: [0, 128],
      });
      return exit_code === 0 ? stdout : undefined;
    },
  };
}
