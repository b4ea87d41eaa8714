import { Sha } from '@caloron/types';
import { z } from 'zod';

import type { CleanGit } from './clean-repository.ts';
import { headState } from './own-worktree.ts';

/** A ref of a repository inside a worktree, by its whole name, and the commit it leads to. */
const Ref = z.object({ name: z.string().regex(/^refs\/(?!remotes\/|stash$)[^\0\n]+$/), sha: Sha });

/** What a repository inside a worktree has beside its files. */
export const Inside = z.object({
  /** From the worktree's own directory, `/` between its parts. */
  path: z.string().min(1),
  /** The branch checked out; null when detached. */
  branch: z.string().nullable(),
  /** The commit checked out; null without any. */
  head: Sha.nullable(),
  /** Branches, and tags on commits that its remotes do not have. */
  refs: z.array(Ref),
  /** Newest first, as `git stash list` has them. */
  stashes: z.array(Sha),
  /** Why none of its commits could be kept, only its files; null when all are. */
  missing: z.string().nullable(),
});
export type Inside = z.infer<typeof Inside>;

/** A repository inside, and whether it has commits that neither its remotes nor the repository around it know. */
export interface InsideFound extends Inside {
  readonly own: boolean;
}

const ACCOUNT = z.object({ v: z.literal(1), repositories: z.array(Inside) });

/** What the message of a commit of ours says of repositories inside. */
export function accountOf(inside: readonly Inside[]): string {
  return inside.length === 0 ? '' : JSON.stringify(ACCOUNT.parse({ v: 1, repositories: inside }));
}

/** Reads it again; nothing where nothing was written, or where somebody else wrote it. */
export function insideIn(account: string): readonly Inside[] {
  try {
    return ACCOUNT.parse(JSON.parse(account)).repositories;
  } catch {
    // Agents write to the repository it comes from.
    return [];
  }
}

const REFS = ['refname', 'objecttype', 'objectname', '*objecttype', '*objectname']
  .map((field) => `%(${field})`)
  .join('%00');

/** Reads branches, stashes and head of a repository; `known` is the commit that the one around it records. */
export async function lookInside(
  clean: CleanGit,
  git_dir: string,
  path: string,
  head: Sha | null,
  known: string | undefined,
): Promise<InsideFound> {
  const ask = async (args: readonly string[], stdin?: string): Promise<readonly string[] | undefined> => {
    const { stdout, exit_code } = await clean.plain(args, { git_dir, stdin, ok_codes: [0, 1, 128] });
    if (exit_code !== 0) return undefined;
    return stdout === '' ? [] : stdout.split('\n');
  };
  const refs = ((await ask(['for-each-ref', `--format=${REFS}`])) ?? []).flatMap((line) => {
    const [name = '', type, sha = '', peeled_type, peeled = ''] = line.split('\0');
    const commit = type === 'commit' ? sha : peeled_type === 'commit' ? peeled : '';
    const ref = Ref.safeParse({ name, sha: commit });
    return ref.success ? [ref.data] : [];
  });
  const stashes = (await ask(['rev-list', '--walk-reflogs', 'refs/stash', '--'])) ?? [];
  const isTag = ({ name }: { readonly name: string }): boolean => name.startsWith('refs/tags/');
  const branches = refs.filter((ref) => !isTag(ref));
  const tips = [...branches.map(({ sha }) => sha), ...stashes, ...(head === null ? [] : [head])];
  const tagged = refs.filter(isTag);
  const own = await ownCommits(ask, [...tips, ...tagged.map(({ sha }) => sha)], known);
  const { branch } = headState({ path, git_dir });
  return {
    path,
    branch,
    head,
    refs: [...branches, ...tagged.filter(({ sha }) => own.has(sha))],
    stashes: [...stashes],
    missing: null,
    // A clone has tags on commits that no branch of its remote leads to: they alone are nobody's work.
    own: tips.some((sha) => own.has(sha)),
  };
}

type Ask = (args: readonly string[], stdin?: string) => Promise<readonly string[] | undefined>;

/** Commits of these and below them that no remote has. */
async function ownCommits(
  ask: Ask,
  tips: readonly Sha[],
  known: string | undefined,
): Promise<ReadonlySet<string>> {
  if (tips.length === 0) return new Set();
  const stdin = [...tips, ...(known === undefined ? [] : [`^${known}`])].join('\n');
  const found = await ask(['rev-list', '--ignore-missing', '--not', '--remotes', '--not', '--stdin'], stdin);
  // What cannot be walked is nobody's but the agent's.
  return new Set(found ?? tips);
}

/** Every commit that leads to what a repository inside has. */
export function tipsOf({ head, refs, stashes }: Inside): readonly Sha[] {
  return [...new Set([...(head === null ? [] : [head]), ...refs.map(({ sha }) => sha), ...stashes])];
}

/** Copies its commits with their history; gives it as it is kept: a shallow one cannot give them. */
export async function takeInside(
  clean: CleanGit,
  clone: string,
  git_dir: string,
  { own: _own, ...inside }: InsideFound,
): Promise<Inside> {
  const tips = tipsOf(inside);
  if (tips.length === 0) return inside;
  // git copies what a shallow one has and says nothing: commits whose parents are nowhere would break the clone.
  const shallow = await clean.plain(['rev-parse', '--is-shallow-repository'], {
    git_dir,
    ok_codes: [0, 1, 128],
  });
  if (shallow.stdout !== 'false') return { ...inside, missing: 'its history is shallow' };
  const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
  const fetch = ['fetch', ...flags, '--stdin', git_dir];
  const asked = await clean(fetch, { clone }, { stdin: `${tips.join('\n')}\n`, ok_codes: [0, 1, 128] });
  if (asked.exit_code === 0) return inside;
  const said = asked.stderr.trim().split('\n').at(-1) ?? '';
  return { ...inside, missing: said.replace(/^(?:error|fatal): /, '').slice(0, 200) };
}
