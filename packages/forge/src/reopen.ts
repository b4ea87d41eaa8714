import type { ForgeContext } from './context.ts';
import { refused } from './errors.ts';
import { branchSha } from './git/refs.ts';
import { listPulls, type Pull } from './model/pulls.ts';
import type { Repo } from './model/repos.ts';

/** Refuses (LOCAL_FORGE_REFUSED) to reopen a pull request that is merged, lost its branch, or has an open twin. */
export async function refuseReopen(ctx: ForgeContext, repo: Repo, pull: Pull): Promise<void> {
  const no = (message: string) =>
    refused({ resource: 'PullRequest', field: 'state', code: 'invalid', message });
  if (pull.merged_ms !== null) throw no('state cannot be changed. The pull request is merged.');
  if ((await branchSha(ctx.gitDir(repo), pull.head_ref)) === undefined) {
    throw no(`state cannot be changed. The ${pull.head_ref} branch has been deleted.`);
  }
  if (openTwin(ctx, repo, pull) !== undefined) {
    throw no(`state cannot be changed. There is already an open pull request from ${pull.head_ref}.`);
  }
}

/** The open pull request of the same branches. */
export function openTwin(
  ctx: ForgeContext,
  repo: Repo,
  of: Pick<Pull, 'head_ref' | 'base_ref'>,
): Pull | undefined {
  const query = { ...of, state: 'open', sort: 'created', direction: 'asc' } as const;
  const { head_ref, base_ref, state, sort, direction } = query;
  return listPulls(ctx.sql, repo.id, { head_ref, base_ref, state, sort, direction }, { limit: 1, offset: 0 })
    .items[0];
}
