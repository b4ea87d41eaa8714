import type { ForgeContext } from './context.ts';
import type { PushCommand } from './git/push-commands.ts';
import { isAncestor, NO_SHA } from './git/refs.ts';
import { checkRunsOf, GREEN_CONCLUSIONS } from './model/check-runs.ts';
import { protectionOf, type ProtectionRules } from './model/protection.ts';
import type { Pull } from './model/pulls.ts';
import { allows, permissionOf, type Permission, type Repo } from './model/repos.ts';
import { listReviews, type Review } from './model/reviews.ts';
import { combinedStatus } from './model/statuses.ts';
import { userById } from './model/users.ts';

/** Why a protected base takes no merge now. `behind` alone is put right by catching up with the base. */
export interface MergeObstacle {
  readonly state: 'blocked' | 'behind';
  readonly reason: string;
}

/** What stands between a pull request and its protected base; undefined when nothing does, or it is not protected. */
export async function mergeObstacle(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
): Promise<MergeObstacle | undefined> {
  const rules = protectionOf(ctx.sql, repo.id, pull.base_ref);
  if (rules === undefined) return undefined;
  const reason =
    reviewsMissing(ctx, repo, pull, rules) ?? checksMissing(ctx, repo, pull.head_sha, rules.checks);
  if (reason !== undefined) return { state: 'blocked', reason };
  if (rules.checks?.strict !== true) return undefined;
  if (await isAncestor(ctx.gitDir(repo), pull.base_sha, pull.head_sha)) return undefined;
  return { state: 'behind', reason: 'Head branch is out of date with the base branch' };
}

/** Whether the rules of a branch bind somebody with this permission. */
export function binds(rules: ProtectionRules, permission: Permission | null): boolean {
  return rules.enforce_admins || !allows(permission, 'admin');
}

function reviewsMissing(
  ctx: ForgeContext,
  repo: Repo,
  pull: Pull,
  { reviews: asked }: ProtectionRules,
): string | undefined {
  if (asked === null) return undefined;
  const latest = new Map<number, Review>();
  for (const review of listReviews(ctx.sql, pull.id, { limit: -1, offset: 0 }).items) {
    if (review.state !== 'COMMENTED') latest.set(review.author_id, review);
  }
  const counted = [...latest.values()].filter(({ author_id }) =>
    allows(permissionOf(ctx.sql, repo, userById(ctx.sql, author_id)), 'push'),
  );
  if (counted.some(({ state }) => state === 'CHANGES_REQUESTED'))
    return 'Changes have been requested by a reviewer with write access.';
  const given = counted.filter(
    ({ state, commit_id }) => state === 'APPROVED' && (!asked.dismiss_stale || commit_id === pull.head_sha),
  ).length;
  const missing = asked.approvals - given;
  if (missing <= 0) return undefined;
  return `At least ${asked.approvals} approving review${asked.approvals === 1 ? ' is' : 's are'} required by reviewers with write access.`;
}

/** The words of the first required check of a commit that is not green. */
function checksMissing(
  ctx: ForgeContext,
  repo: Repo,
  sha: string,
  asked: ProtectionRules['checks'],
): string | undefined {
  if (asked === null || asked.contexts.length === 0) return undefined;
  const found = new Map<string, 'green' | 'pending' | 'failing'>();
  for (const { context, state } of combinedStatus(ctx.sql, repo.id, sha).statuses) {
    found.set(context, state === 'success' ? 'green' : state === 'pending' ? 'pending' : 'failing');
  }
  for (const { name, status, conclusion } of checkRunsOf(ctx.sql, repo.id, sha)) {
    const green = GREEN_CONCLUSIONS.includes(conclusion);
    found.set(name, status !== 'completed' ? 'pending' : green ? 'green' : 'failing');
  }
  const wrong = asked.contexts.find((context) => found.get(context) !== 'green');
  if (wrong === undefined) return undefined;
  return `Required status check "${wrong}" is ${found.get(wrong) ?? 'expected'}.`;
}

/** Why a push may not move a protected branch, by ref; empty when it may. */
export async function refusedMoves(
  ctx: ForgeContext,
  repo: Repo,
  permission: Permission | null,
  commands: readonly PushCommand[],
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  for (const command of commands) {
    const branch = /^refs\/heads\/(.+)$/.exec(command.ref)?.[1];
    const rules = branch === undefined ? undefined : protectionOf(ctx.sql, repo.id, branch);
    if (rules === undefined || !binds(rules, permission)) continue;
    const reason = refusalOf(ctx, repo, rules, command);
    if (reason !== undefined) refused.set(command.ref, reason);
  }
  return refused;
}

function refusalOf(
  ctx: ForgeContext,
  repo: Repo,
  rules: ProtectionRules,
  { new_sha }: PushCommand,
): string | undefined {
  if (new_sha === NO_SHA) return rules.allow_deletions ? undefined : 'Cannot delete this protected branch';
  if (rules.reviews !== null) return 'Changes must be made through a pull request.';
  // A commit that carries the required checks is known here already: they were set on it.
  return checksMissing(ctx, repo, new_sha, rules.checks);
}

/** Whether a push moves a branch that nobody may rewrite. */
export function keepsHistory(
  ctx: ForgeContext,
  repo: Repo,
  permission: Permission | null,
  commands: readonly PushCommand[],
): boolean {
  return commands.some(({ ref }) => {
    const branch = ref.replace(/^refs\/heads\//, '');
    const rules = protectionOf(ctx.sql, repo.id, branch);
    if (rules !== undefined && binds(rules, permission) && !rules.allow_force_pushes) return true;
    return branch === repo.default_branch && !allows(permission, 'admin');
  });
}
