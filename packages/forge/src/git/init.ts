import { git } from '@caloron/capabilities/git';
import type { Signature } from './merge.ts';
import { commitTree } from './merge.ts';
import { setRef } from './refs.ts';

/** What every repository of the forge is set to. */
const CONFIG: readonly (readonly [string, string])[] = [
  // Pull request refs are the forge's; a push may not touch them, a fetch may.
  ['receive.hideRefs', 'refs/pull'],
  ['receive.fsckObjects', 'true'],
  ['receive.advertisePushOptions', 'false'],
  ['uploadpack.allowFilter', 'true'],
  ['uploadpack.allowAnySHA1InWant', 'true'],
  // Objects of closed pull requests stay: nothing is ever collected.
  ['gc.auto', '0'],
  ['core.logAllRefUpdates', 'true'],
];

/** Makes a bare repository whose first branch will be `branch`. Doing it again changes nothing. */
export async function initRepository(git_dir: string, branch: string): Promise<void> {
  await git(['init', '--quiet', '--bare', `--initial-branch=${branch}`, git_dir], {});
  for (const [key, value] of CONFIG) await git(['config', key, value], { git_dir });
}

/** Puts a first commit with a README on a branch. */
export async function commitReadme(
  git_dir: string,
  readme: { readonly branch: string; readonly text: string; readonly by: Signature },
): Promise<void> {
  const blob = await git(['hash-object', '-w', '--stdin'], { git_dir, stdin: readme.text });
  const tree = await git(['mktree'], { git_dir, stdin: `100644 blob ${blob.stdout}\tREADME.md\n` });
  const sha = await commitTree(git_dir, {
    tree: tree.stdout,
    parents: [],
    message: 'Initial commit',
    author: readme.by,
    committer: readme.by,
  });
  await setRef(git_dir, `refs/heads/${readme.branch}`, sha);
}
