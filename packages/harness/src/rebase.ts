import { git } from '@caloron/capabilities/git';

import { assertRunning, type HarnessContext, note } from './context.ts';
import { agentAuthor } from './environment.ts';
import { HarnessError } from './errors.ts';
import { commitOf } from './worktree.ts';

/** The newest base the worktree knows: what the shell fetched for it, else the order's base. */
export async function newestBase(context: HarnessContext): Promise<string> {
  const { order } = context;
  const refs = [`refs/remotes/origin/${order.base_branch}`, `refs/heads/${order.base_branch}`];
  for (const ref of refs) {
    const commit = await commitOf(order.worktree, ref);
    if (commit !== null) return commit;
  }
  return order.base_sha;
}

/** Rebases the branch where it stands, for agents that follow a script; a conflict is undone and thrown as HARNESS_CONFLICTS. */
export async function rebaseOnto(context: HarnessContext, base: string): Promise<void> {
  const { order, signal } = context;
  assertRunning(context);
  const options = { cwd: order.worktree, author: agentAuthor(order), signal };
  const done = await git(['rebase', '--no-autosquash', '--no-verify', base], {
    ...options,
    ok_codes: [0, 1],
  });
  if (done.exit_code === 0) return note(context, `rebased onto ${base.slice(0, 12)}`);

  const unmerged = await git(['diff', '--name-only', '--diff-filter=U', '-z'], { cwd: order.worktree });
  await git(['rebase', '--abort'], { cwd: order.worktree, author: agentAuthor(order) });
  const paths = unmerged.stdout.split('\0').filter((path) => path !== '');
  throw new HarnessError('HARNESS_CONFLICTS', { paths });
}
