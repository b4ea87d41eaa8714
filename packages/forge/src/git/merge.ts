import { git } from '@caloron/capabilities/git';

/** Who a commit is by, and when. */
export interface Signature {
  readonly name: string;
  readonly email: string;
  /** ISO 8601 with a zone. */
  readonly at: string;
}

/** Writes a commit object; gives its id. No ref moves. */
export async function commitTree(
  git_dir: string,
  commit: {
    readonly tree: string;
    readonly parents: readonly string[];
    readonly message: string;
    readonly author: Signature;
    readonly committer: Signature;
  },
): Promise<string> {
  const { author, committer } = commit;
  const parents = commit.parents.flatMap((parent) => ['-p', parent]);
  const { stdout } = await git(['commit-tree', commit.tree, ...parents, '-F', '-'], {
    git_dir,
    stdin: commit.message,
    env: {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: author.at,
      GIT_COMMITTER_NAME: committer.name,
      GIT_COMMITTER_EMAIL: committer.email,
      GIT_COMMITTER_DATE: committer.at,
    },
  });
  return stdout;
}

/** The tree of two commits merged; undefined when they conflict or share no history. Writes no ref. */
export async function mergedTree(git_dir: string, ours: string, theirs: string): Promise<string | undefined> {
  const args = ['merge-tree', '--write-tree', '--no-messages', ours, theirs];
  const { stdout, exit_code } = await git(args, { git_dir, ok_codes: [0, 1, 128] });
  return exit_code === 0 ? stdout.slice(0, 40) : undefined;
}

/** What makes the commit (or commits) of a merge. */
export interface MergePlan {
  readonly base_sha: string;
  readonly head_sha: string;
  readonly message: string;
  readonly author: Signature;
  readonly committer: Signature;
}

/** A merge commit of base and head; undefined on conflict. */
export async function mergeCommit(git_dir: string, plan: MergePlan): Promise<string | undefined> {
  const tree = await mergedTree(git_dir, plan.base_sha, plan.head_sha);
  if (tree === undefined) return undefined;
  return commitTree(git_dir, { ...plan, tree, parents: [plan.base_sha, plan.head_sha] });
}

/** One commit on the base with all that the head changes; undefined on conflict. */
export async function squashCommit(git_dir: string, plan: MergePlan): Promise<string | undefined> {
  const tree = await mergedTree(git_dir, plan.base_sha, plan.head_sha);
  if (tree === undefined) return undefined;
  return commitTree(git_dir, { ...plan, tree, parents: [plan.base_sha] });
}

/**
 * The head's commits one by one on top of the base; the last of them, or undefined when one conflicts. Merge commits are
 * left out and commits that change nothing any more are dropped, as `git rebase` does.
 */
export async function rebaseCommits(git_dir: string, plan: MergePlan): Promise<string | undefined> {
  const range = `${plan.base_sha}..${plan.head_sha}`;
  const listed = await git(['rev-list', '--reverse', '--topo-order', '--no-merges', range], { git_dir });
  let tip = plan.base_sha;
  for (const commit of listed.stdout.split('\n').filter((line) => line !== '')) {
    const next = await pickCommit(git_dir, commit, tip, plan.committer);
    if (next === undefined) return undefined;
    tip = next;
  }
  return tip;
}

/** One commit applied on `tip`. */
async function pickCommit(
  git_dir: string,
  commit: string,
  tip: string,
  committer: Signature,
): Promise<string | undefined> {
  const original = await readCommit(git_dir, commit);
  if (original.parent === undefined) return undefined;
  const tipTree = await treeOf(git_dir, tip);
  // merge-tree of this git takes no merge base. A commit with the tip's tree and the original's parent makes that parent
  // the base of the two, so their merge is exactly the pick: no worktree is needed, and none is left behind by a crash.
  const stand_in = await commitTree(git_dir, {
    tree: tipTree,
    parents: [original.parent],
    message: 'stand-in',
    author: committer,
    committer,
  });
  const tree = await mergedTree(git_dir, stand_in, commit);
  if (tree === undefined) return undefined;
  if (tree === tipTree) return tip;
  return commitTree(git_dir, {
    tree,
    parents: [tip],
    message: original.message,
    author: original.author,
    committer,
  });
}

async function treeOf(git_dir: string, commit: string): Promise<string> {
  const { stdout } = await git(['rev-parse', '--verify', `${commit}^{tree}`], { git_dir });
  return stdout;
}

async function readCommit(
  git_dir: string,
  commit: string,
): Promise<{ parent: string | undefined; author: Signature; message: string }> {
  const format = '--format=%P%x00%an%x00%ae%x00%aI%x00%B';
  const { stdout } = await git(['log', '-1', '--no-color', format, commit], { git_dir });
  const [parents = '', name = '', email = '', at = '', message = ''] = stdout.split('\0');
  return { parent: parents.split(' ')[0] || undefined, author: { name, email, at }, message };
}
