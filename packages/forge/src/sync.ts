import { announceIssue } from './announce.ts';
import { branchMoves, recordMoves } from './branch-moves.ts';
import { closingReferences } from './closing.ts';
import type { ForgeContext } from './context.ts';
import { listCommits, type CommitRecord } from './git/history.ts';
import { branches, isAncestor, setHead, setRef } from './git/refs.ts';
import { changeState } from './issue-changes.ts';
import { appendEvent, type IssueEventName } from './model/events.ts';
import { issueByNumber, touchIssue } from './model/issues.ts';
import { markMerged, openPulls, updateRefs, type Pull } from './model/pulls.ts';
import { allows, permissionOf, repoByName, type Repo } from './model/repos.ts';
import { knownTips } from './model/tips.ts';
import { User as UserRow, type User } from './model/users.ts';

/** A commit that came onto a branch. */
type Landed = Pick<CommitRecord, 'sha' | 'message'>;

/** Most commits of one push whose messages are read for closing words. */
const MESSAGES_READ = 250;

/**
 * Brings the rows of a repository's open pull requests to where its branches are: new commits, a force push, a deleted head
 * (closes, as on GitHub), a head that reached its base by a push (merged). Doing it again changes nothing, so it runs after
 * every push, at every look at a single pull request, and when the server starts.
 */
export async function syncPulls(
  ctx: ForgeContext,
  repo: Repo,
  actor: Pick<User, 'id'> | null,
): Promise<void> {
  const tips = await branches(ctx.gitDir(repo));
  for (const pull of openPulls(ctx.sql, repo.id)) {
    const head = tips.get(pull.head_ref);
    const base = tips.get(pull.base_ref) ?? pull.base_sha;
    if (head === pull.head_sha && base === pull.base_sha) continue;
    await syncPull(ctx, repo, pull, { head, base }, actor ?? { id: pull.author_id });
  }
}

async function syncPull(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  now: { readonly head: string | undefined; readonly base: string },
  actor: Pick<User, 'id'>,
): Promise<void> {
  const git_dir = ctx.gitDir(repo);
  const of = { repo, issue: pull, actor };
  const merged = now.base !== pull.base_sha && (await isAncestor(git_dir, pull.head_sha, now.base));
  if (merged) {
    await ctx.sql.write(() => {
      finishMerge(ctx, of, pull, { sha: pull.head_sha, base_sha: pull.base_sha });
    });
    return;
  }
  const head = now.head ?? pull.head_sha;
  const rewritten = head !== pull.head_sha && !(await isAncestor(git_dir, pull.head_sha, head));
  if (head !== pull.head_sha) await setRef(git_dir, pullRef(pull.number), head);
  await ctx.sql.write(() => {
    updateRefs(ctx.sql, pull.id, { head_sha: head, base_ref: pull.base_ref, base_sha: now.base });
    if (head !== pull.head_sha) {
      touchIssue(ctx.sql, pull.id, ctx.stamp());
      announceIssue(ctx, of, 'synchronize', { before: pull.head_sha, after: head });
    }
    if (rewritten) pullEvent(ctx, of, 'head_ref_force_pushed', head);
    if (now.head !== undefined) return;
    pullEvent(ctx, of, 'head_ref_deleted', null);
    changeState(ctx, of, { state: 'closed' });
  });
}

/** The ref that keeps a pull request's commits, whatever becomes of its branch. */
export function pullRef(number: number): string {
  return `refs/pull/${number}/head`;
}

function pullEvent(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly issue: { readonly id: number }; readonly actor: Pick<User, 'id'> },
  event: IssueEventName,
  commit_id: string | null,
): void {
  const at_ms = ctx.stamp();
  const row = { repo_id: of.repo.id, issue_id: of.issue.id, actor_id: of.actor.id };
  appendEvent(ctx.sql, { ...row, event, commit_id, at_ms });
}

/**
 * Writes a merge into the rows: merged, closed, and the issues its text closes when the base is the default branch.
 * Runs inside a transaction of the caller.
 */
export function finishMerge(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: Pick<User, 'id'> },
  pull: Pull,
  merge: { readonly sha: string; readonly base_sha: string; readonly landed?: readonly Landed[] },
): void {
  const { repo, actor } = of;
  const at_ms = ctx.stamp();
  markMerged(ctx.sql, pull.id, { by_id: actor.id, sha: merge.sha, base_sha: merge.base_sha, at_ms });
  pullEvent(ctx, { repo, issue: pull, actor }, 'merged', merge.sha);
  changeState(ctx, { repo, issue: pull, actor }, { state: 'closed' });
  if (pull.base_ref !== repo.default_branch) return;
  closeMentioned(ctx, of, pull.body ?? '', merge.sha);
  for (const { sha, message } of merge.landed ?? []) closeMentioned(ctx, of, message, sha);
}

/** Closes the open issues a text names, where the actor may. Runs inside a transaction of the caller. */
export function closeMentioned(
  ctx: ForgeContext,
  of: { readonly repo: Repo; readonly actor: Pick<User, 'id'> },
  text: string,
  commit_id: string,
): void {
  const actor = ctx.sql.one(UserRow, 'SELECT id, login, admin FROM users WHERE id = ?', of.actor.id) ?? null;
  for (const { repo: name, number } of closingReferences(text, ctx.baseUrl())) {
    const [owner = '', short = ''] = (name ?? '').split('/');
    const repo = name === null ? of.repo : repoByName(ctx.sql, owner, short);
    if (repo === undefined) continue;
    if (repo.id !== of.repo.id && !allows(permissionOf(ctx.sql, repo, actor), 'push')) continue;
    const issue = issueByNumber(ctx.sql, repo.id, number);
    if (issue === undefined || issue.is_pull === 1 || issue.state === 'closed') continue;
    changeState(ctx, { repo, issue, actor: of.actor }, { state: 'closed', commit_id });
  }
}

/**
 * What moving branches does besides moving them: the first branch becomes the default one, messages on the default branch
 * close issues, webhooks are told, pull requests follow. What moved is what differs from where the branches were when this
 * ran last, so what a killed server left undone is done at the next start; an actor who is not known any more (null) is the
 * owner then.
 */
export async function afterPush(
  ctx: ForgeContext,
  repo: Repo,
  actor: Pick<User, 'id'> | null,
): Promise<void> {
  const git_dir = ctx.gitDir(repo);
  const tips = await branches(git_dir);
  const known = knownTips(ctx.sql, repo.id);
  const [first] = tips.keys();
  const chosen = tips.has(repo.default_branch) || first === undefined ? repo.default_branch : first;
  if (chosen !== repo.default_branch) await setHead(git_dir, chosen);
  const moves = await branchMoves(ctx, { ...repo, default_branch: chosen }, known, tips);
  const [before, after] = [known.get(chosen), tips.get(chosen)];
  const news = after === undefined || after === before ? [] : await landedCommits(git_dir, before, after);
  const by = { repo, actor: actor ?? { id: repo.owner_id } };
  if (moves.length > 0) {
    await ctx.sql.write(() => {
      const at_ms = ctx.stamp();
      const set = 'default_branch = ?, pushed_ms = ?, updated_ms = ?';
      ctx.sql.run(`UPDATE repos SET ${set} WHERE id = ?`, chosen, at_ms, at_ms, repo.id);
      recordMoves(ctx, by, moves);
      for (const { sha, message } of news) closeMentioned(ctx, by, message, sha);
    });
  }
  await syncPulls(ctx, repo, actor);
}

/** The commits a branch got with a move; none for a new branch. */
export async function landedCommits(
  git_dir: string,
  before: string | undefined,
  after: string,
): Promise<readonly Landed[]> {
  // What an empty repository is first filled with speaks of issues of another place.
  if (before === undefined) return [];
  return listCommits(git_dir, `${before}..${after}`, { limit: MESSAGES_READ, offset: 0 });
}
