import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';

import { credential, type HarnessContext, persist } from './context.ts';
import { HarnessError } from './errors.ts';

/** Milliseconds a fetch from the worktree or a push may take: large repositories over slow lines. */
const TRANSFER_TIMEOUT_MS = 10 * 60 * 1000;

/** What to deliver. */
export interface Delivery {
  readonly head: string;
  /** Commits the branch must contain. */
  readonly bases: readonly string[];
  /** Heads of ours that may be replaced on the forge: where this run began, what was reviewed. */
  readonly replaceable: readonly string[];
}

/**
 * Pushes a commit of the worktree to the order's branch; gives whether the forge had it already.
 *
 * The agent's repository never sees a credential, since its config could send it anywhere: the commit is fetched by path
 * into an empty repository of this process and pushed from there. A fast-forward is pushed plainly; another head replaces
 * what is there only if that is ours (`replaceable`), with a lease. Throws HARNESS_BASE_LOST, HARNESS_REMOTE_MOVED, GitError.
 */
export async function push(
  context: HarnessContext,
  delivery: Delivery,
): Promise<{ readonly already: boolean }> {
  const { order, signal } = context;
  const directory = await mkdtemp(join(context.directory, 'push-'));
  const git_dir = join(directory, 'push.git');
  try {
    await git(['init', '-q', '--bare', git_dir], { cwd: directory, signal });
    const clean = { cwd: directory, git_dir, timeout_ms: TRANSFER_TIMEOUT_MS, signal };
    await git(['fetch', '-q', '--no-tags', '--no-write-fetch-head', order.worktree, delivery.head], clean);
    for (const base of delivery.bases) {
      if (await contains(git_dir, delivery.head, base)) continue;
      throw new HarnessError('HARNESS_BASE_LOST', { base, head: delivery.head });
    }
    return await persist(context, `push ${order.branch}`, async () => transfer(context, git_dir, delivery));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Looks at the forge first, so that a push whose answer was lost is not made twice. */
async function transfer(
  context: HarnessContext,
  git_dir: string,
  delivery: Delivery,
): Promise<{ readonly already: boolean }> {
  const { order, signal } = context;
  const { username, token } = await credential(context, 'push');
  const options = {
    git_dir,
    credential: { username, token },
    timeout_ms: TRANSFER_TIMEOUT_MS,
    signal,
  };
  const ref = `refs/heads/${order.branch}`;
  const listed = await git(['ls-remote', '--refs', order.clone_url, ref], options);
  const remote = remoteOf(listed.stdout, ref);
  if (remote === delivery.head) return { already: true };

  const forward = remote === null || (await contains(git_dir, delivery.head, remote));
  if (!forward && !delivery.replaceable.includes(remote)) {
    throw new HarnessError('HARNESS_REMOTE_MOVED', { branch: order.branch, remote, head: delivery.head });
  }
  // The lease holds in every case: nothing that came between is lost.
  const lease = `--force-with-lease=${ref}:${remote ?? ''}`;
  await git(['push', '--porcelain', lease, order.clone_url, `${delivery.head}:${ref}`], options);
  return { already: false };
}

function remoteOf(listing: string, ref: string): string | null {
  const line = listing.split('\n').find((entry) => entry.endsWith(`\t${ref}`));
  return line?.split('\t')[0] ?? null;
}

/** False also for a commit that is not there at all. */
async function contains(git_dir: string, head: string, commit: string): Promise<boolean> {
  const env = { GIT_NO_REPLACE_OBJECTS: '1' };
  const found = await git(['merge-base', '--is-ancestor', commit, head], {
    git_dir,
    env,
    ok_codes: [0, 1, 128],
  });
  return found.exit_code === 0;
}
