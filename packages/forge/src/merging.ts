import { branchMove, recordMoves } from './branch-moves.ts';
import type { ForgeContext } from './context.ts';
import { LocalForgeError } from './errors.ts';
import { listCommits } from './git/history.ts';
import { mergeCommit, rebaseCommits, squashCommit, type MergePlan, type Signature } from './git/merge.ts';
import { branchSha, isAncestor, moveRef } from './git/refs.ts';
import { dropIntent, mergeIntents, pullById, recordIntent, type Pull } from './model/pulls.ts';
import { protectionOf } from './model/protection.ts';
import { permissionOf, repoById, type Repo } from './model/repos.ts';
import { userById, type User } from './model/users.ts';
import { binds, mergeObstacle } from './protection.ts';
import { afterPush, finishMerge, landedCommits, syncPulls } from './sync.ts';

/** How a pull request is merged. */
export type MergeMethod = 'merge' | 'squash' | 'rebase';

/** What the caller of a merge says. `sha` is the head they looked at. */
export interface MergeRequest {
  readonly method: MergeMethod;
  readonly sha: string | undefined;
  readonly title: string | undefined;
  readonly message: string | undefined;
}

/** Most commit subjects a squash message lists. */
const SUBJECTS_LISTED = 250;

const MAKERS = { merge: mergeCommit, squash: squashCommit, rebase: rebaseCommits } as const;

/** Who a user is in commits the forge makes. The address belongs to nobody else. */
export function signatureOf(ctx: ForgeContext, user: Pick<User, 'id' | 'login'>): Signature {
  return {
    name: user.login,
    email: `${user.id}+${user.login}@users.noreply.caloron.local`,
    at: ctx.clock.now(),
  };
}

/**
 * Merges a pull request in its bare repository: the new commits are written first, then the intent, then the branch moves
 * from the commit they were made for, then the rows follow. A crash in between is settled by `reconcile`.
 * Throws LOCAL_FORGE_NOT_MERGEABLE, LOCAL_FORGE_STALE.
 */
export async function mergePull(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: User },
  issue_id: number,
  request: MergeRequest,
): Promise<string> {
  return ctx.alone(of.repo, async () => {
    await syncPulls(ctx, of.repo, of.actor);
    const pull = pullById(ctx.sql, issue_id);
    const git_dir = ctx.gitDir(of.repo);
    const base_sha = await checkMergeable(git_dir, pull, request);
    await refuseProtected(ctx, of, pull);
    const plan = await planMerge(ctx, of, pull, base_sha, request);
    const new_sha = await MAKERS[request.method](git_dir, plan);
    if (new_sha === undefined) throw notMergeable();
    const { base_ref } = pull;
    const intent = { issue_id, actor_id: of.actor.id, base_ref, old_sha: base_sha, new_sha };
    await ctx.sql.write(() => recordIntent(ctx.sql, intent));
    if (!(await moveRef(git_dir, `refs/heads/${base_ref}`, new_sha, base_sha))) {
      await ctx.sql.write(() => dropIntent(ctx.sql, issue_id));
      throw notMergeable('Base branch was modified. Review and try the merge again.');
    }
    const landed = await landedCommits(git_dir, base_sha, new_sha);
    const move = await branchMove(ctx, of.repo, { branch: base_ref, before: base_sha, after: new_sha });
    await ctx.sql.write(() => {
      recordMoves(ctx, of, [move]);
      finishMerge(ctx, of, pull, { sha: new_sha, base_sha, landed });
      dropIntent(ctx.sql, issue_id);
      const at_ms = ctx.stamp();
      ctx.sql.run('UPDATE repos SET pushed_ms = ?, updated_ms = ? WHERE id = ?', at_ms, at_ms, of.repo.id);
    });
    await syncPulls(ctx, of.repo, of.actor);
    return new_sha;
  });
}

function notMergeable(
  reason = 'Pull Request is not mergeable',
): LocalForgeError<'LOCAL_FORGE_NOT_MERGEABLE'> {
  return new LocalForgeError('LOCAL_FORGE_NOT_MERGEABLE', { reason });
}

/** The base branch's commit when the pull request may be merged now. */
async function checkMergeable(git_dir: string, pull: Pull, request: MergeRequest): Promise<string> {
  if (pull.state === 'closed') throw notMergeable();
  if (pull.draft === 1) throw notMergeable('Pull Request is still a draft');
  if (request.sha !== undefined && request.sha !== pull.head_sha) {
    const reason = 'Head branch was modified. Review and try the merge again.';
    throw new LocalForgeError('LOCAL_FORGE_STALE', { reason });
  }
  const base_sha = await branchSha(git_dir, pull.base_ref);
  if (base_sha === undefined) throw notMergeable(`Base branch ${pull.base_ref} does not exist`);
  return base_sha;
}

/** A protected base takes a merge that has what it asks for; admins only are let through without, where they are not bound. */
async function refuseProtected(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: User },
  pull: Pull,
): Promise<void> {
  const rules = protectionOf(ctx.sql, of.repo.id, pull.base_ref);
  if (rules === undefined || !binds(rules, permissionOf(ctx.sql, of.repo, of.actor))) return;
  const obstacle = await mergeObstacle(ctx, of.repo, pull);
  if (obstacle !== undefined) throw notMergeable(obstacle.reason);
}

async function planMerge(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: User },
  pull: Pull,
  base_sha: string,
  request: MergeRequest,
): Promise<MergePlan> {
  const committer = signatureOf(ctx, of.actor);
  const author =
    request.method === 'squash' ? signatureOf(ctx, userById(ctx.sql, pull.author_id)) : committer;
  const { head_sha } = pull;
  return {
    base_sha,
    head_sha,
    author,
    committer,
    message: await messageFor(ctx, of.repo, pull, base_sha, request),
  };
}

async function messageFor(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  base_sha: string,
  request: MergeRequest,
): Promise<string> {
  const squash = request.method === 'squash';
  const title =
    request.title ??
    (squash
      ? `${pull.title} (#${pull.number})`
      : `Merge pull request #${pull.number} from ${repo.owner}/${pull.head_ref}`);
  const text = request.message ?? (squash ? await squashBody(ctx.gitDir(repo), pull, base_sha) : pull.title);
  return text === '' ? `${title}\n` : `${title}\n\n${text}\n`;
}

async function squashBody(git_dir: string, pull: Pull, base_sha: string): Promise<string> {
  const range = `${base_sha}..${pull.head_sha}`;
  const commits = await listCommits(git_dir, range, {
    limit: SUBJECTS_LISTED,
    offset: 0,
    oldest_first: true,
  });
  if (commits.length === 1) return (commits[0]?.message ?? '').split('\n').slice(1).join('\n').trim();
  return commits.map(({ message }) => `* ${message}`).join('\n\n');
}

/**
 * Settles what a killed server left: a merge whose commit the base branch holds is finished, one whose branch never moved is
 * forgotten. Then what a push would have done is done for branches that moved, and all pull requests follow them.
 */
export async function reconcile(ctx: ForgeContext, repos: readonly Repo[]): Promise<void> {
  for (const intent of mergeIntents(ctx.sql)) {
    const pull = pullById(ctx.sql, intent.issue_id);
    const repo = repoById(ctx.sql, pull.repo_id);
    const git_dir = ctx.gitDir(repo);
    const tip = await branchSha(git_dir, intent.base_ref);
    const moved = tip !== undefined && (await isAncestor(git_dir, intent.new_sha, tip));
    const landed = moved ? await landedCommits(git_dir, intent.old_sha, intent.new_sha) : [];
    await ctx.sql.write(() => {
      const actor = userById(ctx.sql, intent.actor_id);
      if (moved && pull.merged_ms === null) {
        finishMerge(ctx, { repo, actor }, pull, { sha: intent.new_sha, base_sha: intent.old_sha, landed });
      }
      dropIntent(ctx.sql, intent.issue_id);
    });
  }
  for (const repo of repos) await afterPush(ctx, repo, null);
}
