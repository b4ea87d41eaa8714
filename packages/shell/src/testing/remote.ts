import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';

const AUTHOR = { name: 'seed', email: 'seed@example.invalid' };

/** The repository as every test begins with it: a copy costs none of the programs that making one starts. */
let seed: Promise<{ readonly dir: string; readonly base_sha: string }> | undefined;

async function seedRemote(): Promise<{ readonly dir: string; readonly base_sha: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-shell-seed-'));
  // Files of tests share this module: it goes with the process.
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  await git(['init', '--quiet', '--bare', dir], {});
  return { dir, base_sha: await commitTo(dir, 'main', { 'README.md': 'widgets\n' }) };
}

/** Makes the repository of a forge with one commit on `main`; gives that. */
export async function makeRemote(remote: string): Promise<string> {
  seed ??= seedRemote();
  const { dir, base_sha } = await seed;
  cpSync(dir, remote, { recursive: true });
  return base_sha;
}

/** A commit of files on a branch, made where `from` is when the branch is new; gives it. */
export async function commitTo(
  remote: string,
  branch: string,
  files: Readonly<Record<string, string>>,
  from = 'main',
): Promise<string> {
  const tree = mkdtempSync(join(tmpdir(), 'caloron-commit-'));
  try {
    const index_file = join(tree, 'index');
    const options = { git_dir: remote, index_file };
    const known = async (ref: string): Promise<string | undefined> => {
      const found = await git(['rev-parse', '--verify', '--quiet', `refs/heads/${ref}`], {
        git_dir: remote,
        ok_codes: [0, 1],
      });
      return found.exit_code === 0 ? found.stdout : undefined;
    };
    const parent = (await known(branch)) ?? (await known(from));
    if (parent !== undefined) await git(['read-tree', parent], options);
    for (const [name, content] of Object.entries(files)) {
      const { stdout: blob } = await git(['hash-object', '-w', '--stdin'], {
        git_dir: remote,
        stdin: content,
      });
      await git(['update-index', '--add', '--cacheinfo', `100644,${blob},${name}`], options);
    }
    const { stdout: written } = await git(['write-tree'], options);
    const parents = parent === undefined ? [] : ['-p', parent];
    const made = await git(['commit-tree', ...parents, '-m', `change ${branch}`, written], {
      ...options,
      author: AUTHOR,
    });
    await git(['update-ref', `refs/heads/${branch}`, made.stdout], { git_dir: remote });
    return made.stdout;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
