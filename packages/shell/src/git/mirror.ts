import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { git, type GitCredential, type GitResult } from '@caloron/capabilities/git';
import { codeOf, messageOf } from '@caloron/noether/errors';
import type { RepoName, Sha } from '@caloron/types';

import { ShellError } from '../errors.ts';
import type { KeyedMutex } from '../mutex.ts';
import { mirrorDir, type ShellPaths } from '../paths.ts';
import { confined } from './confined.ts';
import { initBare } from './clean-repository.ts';
import { refsBelow } from './refs.ts';

/** Long enough for the first fetch of a large repository. */
const FETCH_TIMEOUT_MS = 300_000;

/** Which repository to mirror, from where, with what. */
export interface MirrorSource {
  readonly host: string | null;
  readonly repo: RepoName;
  readonly url: string;
  readonly credential: GitCredential;
}

/** A mirror as just fetched. */
export interface Mirror {
  readonly dir: string;
  /** Branch → commit. */
  readonly heads: ReadonlyMap<string, Sha>;
  readonly tags: ReadonlyMap<string, string>;
}

/** The shell's own copies of the forge's repositories: the only place a credentialed fetch runs. */
export interface Mirrors {
  /** Throws FETCH_FAILED: what an earlier fetch brought is never given instead. */
  fetch(source: MirrorSource): Promise<Mirror>;
  /** What the forge calls the default branch; null when it does not say. */
  defaultBranch(source: MirrorSource): Promise<string | null>;
  /** Whether the mirror has the commit, asking the forge for it where no branch led to it. */
  has(mirror: Mirror, source: MirrorSource, sha: Sha): Promise<boolean>;
}

/** Mirrors below `paths.repos`, each fetched by one at a time. */
export function createMirrors(paths: ShellPaths, mutex: KeyedMutex): Mirrors {
  const made = new Set<string>();
  return {
    fetch(source) {
      const dir = mirrorDir(paths, source.host, source.repo);
      return mutex.run(`mirror:${dir}`, async () => {
        confined(paths.repos, dir);
        if (!made.has(dir) || !existsSync(join(dir, 'HEAD'))) await initBare(dir);
        made.add(dir);
        // Refs that left the forge go (a name may come back as a directory); objects never do: task clones borrow them, and gc is off.
        await fetchInto(dir, source, ['--prune'], ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']);
        const [heads, tags] = await Promise.all([
          refsBelow(dir, 'refs/heads/'),
          refsBelow(dir, 'refs/tags/'),
        ]);
        return { dir, heads, tags };
      });
    },

    async defaultBranch({ url, credential }) {
      const asked = await git(['ls-remote', '--symref', url, 'HEAD'], { credential, ok_codes: [0, 128] });
      return /^ref: refs\/heads\/(.+)\tHEAD$/m.exec(asked.stdout)?.[1] ?? null;
    },

    has(mirror, source, sha) {
      return mutex.run(`mirror:${mirror.dir}`, async () => {
        if (await present(mirror.dir, sha)) return true;
        // A branch that was force-pushed or deleted since; a forge may still give the commit by its id.
        await fetchInto(mirror.dir, source, [], [`+${sha}:refs/caloron/heads/${sha}`], [0, 1, 128]);
        return present(mirror.dir, sha);
      });
    },
  };
}

async function fetchInto(
  dir: string,
  source: MirrorSource,
  flags: readonly string[],
  refspecs: readonly string[],
  ok_codes: readonly number[] = [0],
): Promise<void> {
  const quiet = ['--quiet', '--force', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
  const asked = git(['fetch', ...quiet, ...flags, source.url, ...refspecs], {
    git_dir: dir,
    credential: source.credential,
    timeout_ms: FETCH_TIMEOUT_MS,
    ok_codes,
  });
  await asked.catch((cause: unknown): GitResult => {
    if (!['GIT_FAILED', 'GIT_TIMEOUT'].includes(codeOf(cause))) throw cause;
    throw new ShellError('FETCH_FAILED', { repo: source.repo, reason: messageOf(cause) }, { cause });
  });
}

async function present(git_dir: string, sha: Sha): Promise<boolean> {
  const { exit_code } = await git(['cat-file', '-e', `${sha}^{commit}`], { git_dir, ok_codes: [0, 1, 128] });
  return exit_code === 0;
}
