import { assertBase } from './base.ts';
import { type CleanGit, contains } from './clean-repository.ts';
import { credential, type HarnessContext, persist } from './context.ts';
import { HarnessError } from './errors.ts';

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
 * A fast-forward is pushed as one; another head replaces what is there only if that is ours (`replaceable`), with a lease.
 * Throws HARNESS_BASE_LOST, HARNESS_REMOTE_MOVED, GitError.
 */
export async function push(
  context: HarnessContext,
  clean: CleanGit,
  delivery: Delivery,
): Promise<{ readonly already: boolean }> {
  for (const base of delivery.bases)
    await assertBase(clean, { base, head: delivery.head, when: 'hand-over' });
  return persist(context, `push ${context.order.branch}`, async () => transfer(context, clean, delivery));
}

/** Looks at the forge first, so that a push whose answer was lost is not made twice. */
async function transfer(
  context: HarnessContext,
  clean: CleanGit,
  delivery: Delivery,
): Promise<{ readonly already: boolean }> {
  const { branch, clone_url } = context.order;
  const { username, token } = await credential(context, 'push');
  const authorised = { credential: { username, token } };
  const ref = `refs/heads/${branch}`;
  const listed = await clean(['ls-remote', '--refs', clone_url, ref], authorised);
  const remote = remoteOf(listed.stdout, ref);
  if (remote === delivery.head) return { already: true };

  const forward = remote === null || (await contains(clean, delivery.head, remote));
  if (!forward && !delivery.replaceable.includes(remote)) {
    throw new HarnessError('HARNESS_REMOTE_MOVED', { branch, remote, head: delivery.head });
  }
  // The lease holds in every case: nothing that came between is lost.
  const lease = `--force-with-lease=${ref}:${remote ?? ''}`;
  await clean(['push', '--porcelain', lease, clone_url, `${delivery.head}:${ref}`], authorised);
  return { already: false };
}

function remoteOf(listing: string, ref: string): string | null {
  const line = listing.split('\n').find((entry) => entry.endsWith(`\t${ref}`));
  return line?.split('\t')[0] ?? null;
}
