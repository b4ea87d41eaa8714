import { git } from '@caloron/capabilities/git';

/** An object id that stands for "no such ref" in pushes and ref updates. */
export const NO_SHA = '0'.repeat(40);

const SHA = /^[0-9a-f]{40}$/;

/** Whether a text is a full object id. */
export function isSha(text: string): boolean {
  return SHA.test(text);
}

/** Whether a text can be a branch or tag name: git's own rules, and nothing that reads as an option or a revision expression. */
export function isRefName(text: string): boolean {
  if (text === '' || text.length > 255 || text.startsWith('-') || text === '@') return false;
  // oxlint-disable-next-line no-control-regex -- git forbids control characters in names
  if (/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\/$|^\/|\.$/.test(text)) return false;
  return text.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}

/** All branches of a repository and their commits. */
export async function branches(git_dir: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await git(['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads/'], {
    git_dir,
  });
  const found = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const [sha, name] = [line.slice(0, 40), line.slice(41)];
    if (name !== '') found.set(name.slice('refs/heads/'.length), sha);
  }
  return found;
}

/** Refs whose full name begins with a prefix, with the kind of object they name. */
export async function refsUnder(
  git_dir: string,
  prefix: string,
): Promise<readonly { readonly ref: string; readonly sha: string; readonly type: string }[]> {
  const { stdout } = await git(['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)'], {
    git_dir,
  });
  return stdout
    .split('\n')
    .map((line) => /^(\S+) (\S+) (.+)$/.exec(line))
    .flatMap((match) =>
      match === null ? [] : [{ sha: match[1] ?? '', type: match[2] ?? '', ref: match[3] ?? '' }],
    )
    .filter(({ ref }) => ref.startsWith(prefix));
}

/** The commit a full ref or object id names; undefined when there is none. */
async function commitOf(git_dir: string, name: string): Promise<string | undefined> {
  const { stdout, exit_code } = await git(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], {
    git_dir,
    ok_codes: [0, 1, 128],
  });
  return exit_code === 0 && isSha(stdout) ? stdout : undefined;
}

/** The commit a branch points at. */
export async function branchSha(git_dir: string, branch: string): Promise<string | undefined> {
  return isRefName(branch) ? commitOf(git_dir, `refs/heads/${branch}`) : undefined;
}

/** The commit a user's word means: a branch, a tag, or (part of) an object id. */
export async function resolveCommit(git_dir: string, word: string): Promise<string | undefined> {
  // A whole object id is that object, as in git itself, whatever a branch calls itself.
  const object = isSha(word) ? await commitOf(git_dir, word) : undefined;
  if (object !== undefined) return object;
  if (isRefName(word)) {
    const named =
      (await commitOf(git_dir, `refs/heads/${word}`)) ?? (await commitOf(git_dir, `refs/tags/${word}`));
    if (named !== undefined) return named;
  }
  return /^[0-9a-f]{7,40}$/.test(word) ? commitOf(git_dir, word) : undefined;
}

/** Whether `ancestor` is in the history of `descendant`; false when either is missing. */
export async function isAncestor(git_dir: string, ancestor: string, descendant: string): Promise<boolean> {
  const args = ['merge-base', '--is-ancestor', ancestor, descendant];
  const { exit_code } = await git(args, { git_dir, ok_codes: [0, 1, 128] });
  return exit_code === 0;
}

/** The best common ancestor; undefined when the histories have none. */
export async function mergeBase(git_dir: string, a: string, b: string): Promise<string | undefined> {
  const { stdout, exit_code } = await git(['merge-base', a, b], { git_dir, ok_codes: [0, 1] });
  return exit_code === 0 ? stdout.split('\n')[0] : undefined;
}

/** Moves a ref from `old_sha` to `new_sha` (NO_SHA creates or deletes); false when it was elsewhere by then. */
export async function moveRef(
  git_dir: string,
  ref: string,
  new_sha: string,
  old_sha: string,
): Promise<boolean> {
  const args =
    new_sha === NO_SHA ? ['update-ref', '-d', ref, old_sha] : ['update-ref', ref, new_sha, old_sha];
  const { exit_code } = await git(args, { git_dir, ok_codes: [0, 1, 128] });
  return exit_code === 0;
}

/** Sets a ref of the forge's own (refs/pull/…), wherever it was. */
export async function setRef(git_dir: string, ref: string, sha: string): Promise<void> {
  await git(['update-ref', ref, sha], { git_dir });
}

/** Makes a branch the one a clone checks out. */
export async function setHead(git_dir: string, branch: string): Promise<void> {
  await git(['symbolic-ref', 'HEAD', `refs/heads/${branch}`], { git_dir });
}
