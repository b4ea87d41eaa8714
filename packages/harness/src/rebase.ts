import { type CleanGit, contains, openClean } from './clean-repository.ts';
import { assertRunning, type HarnessContext, note } from './context.ts';
import { agentAuthor } from './environment.ts';
import { HarnessError } from './errors.ts';
import { type Author, commitAll, commitOf, headOf, moveHead, objectsOf } from './worktree.ts';

/** The newest base there is: what the shell fetched for this start, else what the worktree knows, else the order's base. */
export async function newestBase(context: HarnessContext): Promise<string> {
  const { order } = context;
  if (order.base_head !== undefined) return order.base_head;
  const refs = [`refs/remotes/origin/${order.base_branch}`, `refs/heads/${order.base_branch}`];
  for (const ref of refs) {
    const commit = await commitOf(order.worktree, ref);
    if (commit !== null) return commit;
  }
  return order.base_sha;
}

/**
 * Rebases the branch where it stands, for agents that follow a script; what is uncommitted is committed first. A conflict changes
 * nothing and is thrown as HARNESS_CONFLICTS. The commits are made by a git that reads no configuration of the repository's: it
 * knows no merge driver, filter or hook.
 */
export async function rebaseOnto(context: HarnessContext, base: string): Promise<void> {
  const { order, signal } = context;
  assertRunning(context);
  const author = agentAuthor(order);
  await commitAll(order.worktree, `[${order.agent_id}] ${order.task.title}`, author, signal);
  const head = await headOf(order.worktree);
  const clean = await openClean(context.directory, order.worktree, signal);
  if (await contains(clean, head, base))
    return note(context, `${base.slice(0, 12)} is in the branch already`);
  // New commits go where the worktree looks for them.
  const env = { GIT_OBJECT_DIRECTORY: await objectsOf(order.worktree) };
  const within: CleanGit = async (args, options) =>
    clean(args, { ...options, env: { ...env, ...options?.env } });
  // What a rewritten base has lost is no work of this branch, and must not come back with it.
  const known = order.rebase_from ?? base;
  const without = (await contains(within, head, known)) ? [`^${known}`] : [];
  const own = ['rev-list', '--reverse', '--topo-order', '--no-merges', head, `^${base}`, ...without];
  const listed = await within(own);
  let tip = base;
  for (const commit of listed.stdout.split('\n').filter((line) => line !== '')) {
    assertRunning(context);
    tip = await picked(within, commit, tip, author);
  }
  await moveHead(order.worktree, { from: head, to: tip, author, signal });
  note(context, `rebased onto ${base.slice(0, 12)}`);
}

/** One commit applied on `tip`; gives `tip` where nothing of it is left. */
async function picked(clean: CleanGit, commit: string, tip: string, committer: Author): Promise<string> {
  const format = '--format=%T%x00%P%x00%an%x00%ae%x00%aI%x00%B';
  const told = await clean(['log', '-1', '--no-color', format, commit]);
  const [, parents = '', name = '', email = '', date = '', message = ''] = told.stdout.split('\0');
  const parent = parents.split(' ').find((sha) => sha !== '');
  const { stdout: tip_tree } = await clean(['rev-parse', '--verify', `${tip}^{tree}`]);
  // A commit with the tip's tree and the original's parent makes that parent the base of the two: their merge is the pick.
  const above = parent === undefined ? [] : ['-p', parent];
  const stand_in = await clean(['commit-tree', tip_tree, ...above, '-m', 'stand-in'], { author: committer });
  const flags = ['--write-tree', '--allow-unrelated-histories', '--name-only', '-z'];
  const merged = await clean(['merge-tree', ...flags, stand_in.stdout, commit], { ok_codes: [0, 1] });
  const [tree = '', ...rest] = merged.stdout.split('\0');
  if (merged.exit_code !== 0) {
    const end = rest.indexOf('');
    throw new HarnessError('HARNESS_CONFLICTS', { paths: rest.slice(0, end < 0 ? rest.length : end) });
  }
  if (tree === tip_tree) return tip;
  const made = await clean(['commit-tree', tree, '-p', tip, '-F', '-'], {
    stdin: message,
    author: committer,
    env: { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: date },
  });
  return made.stdout;
}
