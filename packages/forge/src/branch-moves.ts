import { announcePush, type BranchMove } from './announce.ts';
import type { ForgeContext } from './context.ts';
import { listCommits } from './git/history.ts';
import { isAncestor } from './git/refs.ts';
import { hooksFor } from './model/hooks.ts';
import type { Repo } from './model/repos.ts';
import { saveTip } from './model/tips.ts';
import type { User } from './model/users.ts';

/** Most commits of one move that a webhook lists. Source: GitHub's limit is 2048; nobody reads that many. */
const COMMITS_TOLD = 250;

/** The moves from where the branches were to where they are, with what webhooks are told of them. */
export async function branchMoves(
  ctx: ForgeContext,
  repo: Repo,
  known: ReadonlyMap<string, string>,
  tips: ReadonlyMap<string, string>,
): Promise<readonly BranchMove[]> {
  const moves: BranchMove[] = [];
  for (const branch of new Set([...known.keys(), ...tips.keys()])) {
    const [before, after] = [known.get(branch) ?? null, tips.get(branch) ?? null];
    if (before !== after) moves.push(await branchMove(ctx, repo, { branch, before, after }));
  }
  return moves;
}

/** One move of a branch. git is asked for its commits only where a webhook wants them. */
export async function branchMove(
  ctx: ForgeContext,
  repo: Repo,
  move: Pick<BranchMove, 'branch' | 'before' | 'after'>,
): Promise<BranchMove> {
  const { before, after } = move;
  const asked = after !== null && hooksFor(ctx.sql, repo.id, 'push').length > 0;
  if (!asked) return { ...move, commits: [], forced: false };
  const git_dir = ctx.gitDir(repo);
  // What a new branch brings is told from where it left the default branch.
  const from = before ?? `refs/heads/${repo.default_branch}`;
  const range = move.branch === repo.default_branch && before === null ? after : `${from}..${after}`;
  const newest = await listCommits(git_dir, range, { limit: COMMITS_TOLD, offset: 0 });
  const forced = before !== null && !(await isAncestor(git_dir, before, after));
  return { ...move, commits: newest.toReversed(), forced };
}

/** Writes moves down and tells webhooks of them. Runs inside a transaction. */
export function recordMoves(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: Pick<User, 'id'> },
  moves: readonly BranchMove[],
): void {
  for (const move of moves) {
    saveTip(ctx.sql, of.repo.id, move.branch, move.after);
    announcePush(ctx, of, move);
  }
}
