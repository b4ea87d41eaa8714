import type { ForgeContext } from './context.ts';
import { countedFiles } from './git/diff.ts';
import { countCommits } from './git/history.ts';
import { mergedTree } from './git/merge.ts';
import { isAncestor, mergeBase } from './git/refs.ts';
import type { Pull } from './model/pulls.ts';
import type { Repo } from './model/repos.ts';
import { checkRunsOf, GREEN_CONCLUSIONS } from './model/check-runs.ts';
import { combinedStatus } from './model/statuses.ts';
import { mergeObstacle } from './protection.ts';

/** What git says of a pull request. `mergeable` is null once it is closed. */
export interface PullFacts {
  readonly mergeable: boolean | null;
  readonly mergeable_state: 'clean' | 'dirty' | 'draft' | 'blocked' | 'behind' | 'unstable' | 'unknown';
  readonly commits: number;
  readonly additions: number;
  readonly deletions: number;
  readonly changed_files: number;
}

/** What depends on the two commits alone. */
type Comparison = Omit<PullFacts, 'mergeable' | 'mergeable_state'> & { readonly clean: boolean };

/** Comparisons are remembered, the oldest forgotten after this many. */
const REMEMBERED = 500;

/** Asks git about pull requests and remembers the answers: two commits always compare the same. */
export function createPullFacts(ctx: ForgeContext): (repo: Repo, pull: Pull) => Promise<PullFacts> {
  const remembered = new Map<string, Comparison>();
  return async (repo, pull) => {
    const key = `${repo.id} ${pull.base_sha} ${pull.head_sha}`;
    const known = remembered.get(key) ?? (await compare(ctx.gitDir(repo), pull));
    remembered.delete(key);
    remembered.set(key, known);
    const oldest = remembered.keys().next();
    if (remembered.size > REMEMBERED && oldest.done === false) remembered.delete(oldest.value);
    const { clean, ...numbers } = known;
    if (pull.state === 'closed') return { ...numbers, mergeable: null, mergeable_state: 'unknown' };
    return { ...numbers, mergeable: clean, mergeable_state: await stateOf(ctx, repo, pull, clean) };
  };
}

async function stateOf(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  clean: boolean,
): Promise<PullFacts['mergeable_state']> {
  if (!clean) return 'dirty';
  if (pull.draft === 1) return 'draft';
  const obstacle = await mergeObstacle(ctx, repo, pull);
  if (obstacle !== undefined) return obstacle.state;
  const { state, statuses } = combinedStatus(ctx.sql, repo.id, pull.head_sha);
  const runs = checkRunsOf(ctx.sql, repo.id, pull.head_sha);
  const green = runs.every(({ conclusion }) => GREEN_CONCLUSIONS.includes(conclusion));
  return green && (statuses.length === 0 || state === 'success') ? 'clean' : 'unstable';
}

async function compare(git_dir: string, { base_sha, head_sha }: Pull): Promise<Comparison> {
  const from = (await mergeBase(git_dir, base_sha, head_sha)) ?? base_sha;
  const files = await countedFiles(git_dir, from, head_sha);
  return {
    clean: (await mergedTree(git_dir, base_sha, head_sha)) !== undefined,
    commits: await countCommits(git_dir, `${base_sha}..${head_sha}`),
    additions: files.reduce((sum, file) => sum + file.additions, 0),
    deletions: files.reduce((sum, file) => sum + file.deletions, 0),
    changed_files: files.length,
  };
}

/** Where the head left the base: what diffs are taken from. */
export async function forkPoint(git_dir: string, pull: Pick<Pull, 'base_sha' | 'head_sha'>): Promise<string> {
  return (await mergeBase(git_dir, pull.base_sha, pull.head_sha)) ?? pull.base_sha;
}

/** Whether all of the head is in the base already. */
export async function nothingBetween(git_dir: string, base_sha: string, head_sha: string): Promise<boolean> {
  return isAncestor(git_dir, head_sha, base_sha);
}
