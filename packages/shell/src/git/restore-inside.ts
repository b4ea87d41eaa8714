import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { Sha } from '@caloron/types';

import { type Inside, tipsOf } from './inside.ts';

const AUTHOR = { name: 'caloron', email: 'caloron@localhost' };

/** Names that lead out of where they are looked for, or into what is git's. */
const ODD_PARTS = new Set(['', '.', '..']);

/** Copies commits into a repository, each under a ref there. */
export type Take = (
  cwd: string,
  commits: readonly { readonly sha: Sha; readonly ref: string }[],
) => Promise<void>;

/**
 * Makes repositories of directories again: branches, tags, stashes, what was checked out; files stay as they are, nothing is
 * staged, and there is no remote. One that is a repository already is left as it is. Gives the paths of those that were made.
 */
export async function restoreInside(
  inside: readonly Inside[],
  dir: string,
  take: Take,
): Promise<readonly string[]> {
  const made: string[] = [];
  for (const each of inside) {
    const place = join(dir, each.path);
    if (each.missing !== null || !isPlain(dir, each.path)) continue;
    if (lstatSync(join(place, '.git'), { throwIfNoEntry: false }) !== undefined) continue;
    await restoreOne(each, place, take);
    made.push(each.path);
  }
  return made;
}

/** Agents write to where the path comes from: none that leads elsewhere, by its parts or by a link on the way, is followed. */
function isPlain(dir: string, path: string): boolean {
  const parts = path.split('/');
  if (parts.some((part) => ODD_PARTS.has(part) || part.toLowerCase() === '.git' || part.includes('\0')))
    return false;
  return parts.every((_, at) => {
    const found = lstatSync(join(dir, ...parts.slice(0, at + 1)), { throwIfNoEntry: false });
    return found === undefined || found.isDirectory();
  });
}

async function restoreOne(inside: Inside, place: string, take: Take): Promise<void> {
  const { head, branch, refs, stashes } = inside;
  mkdirSync(place, { recursive: true });
  await git(['init', '--quiet', '--template=', place], {});
  const ask = (args: readonly string[], stdin?: string) => git(args, { cwd: place, stdin });
  // Fetched aside: git fetches into no branch that is checked out.
  const tips = tipsOf(inside).map((sha) => ({ sha, ref: `refs/caloron/kept/${sha}` }));
  if (tips.length > 0) await take(place, tips);
  const lines = [
    ...refs.map(({ name, sha }) => `create ${name} ${sha}`),
    ...tips.map(({ ref }) => `delete ${ref}`),
  ];
  await ask(['update-ref', '--no-deref', '--stdin'], lines.map((line) => `${line}\n`).join(''));
  for (const sha of stashes.toReversed()) {
    const said = await ask(['show', '--no-patch', '--format=%s', sha]);
    await git(['stash', 'store', '--message', said.stdout, sha], { cwd: place, author: AUTHOR });
  }
  if (branch !== null) await ask(['symbolic-ref', 'HEAD', `refs/heads/${branch}`]);
  else if (head !== null) await ask(['update-ref', '--no-deref', 'HEAD', head]);
  if (head !== null) await ask(['read-tree', head]);
}
