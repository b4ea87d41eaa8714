import { git } from '@caloron/capabilities/git';

/** Refs below `prefix` of a bare repository: what follows the prefix → commit. */
export async function refsBelow(git_dir: string, prefix: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await git(['for-each-ref', '--format=%(objectname) %(refname)', prefix], { git_dir });
  const lines = stdout === '' ? [] : stdout.split('\n');
  return new Map(
    lines.map((line) => [
      line.slice(line.indexOf(' ') + 1 + prefix.length),
      line.slice(0, line.indexOf(' ')),
    ]),
  );
}

/** Makes the refs below `prefix` of a repository exactly these; objects must be reachable there. */
export async function setRefsBelow(
  git_dir: string,
  prefix: string,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  const present = await refsBelow(git_dir, prefix);
  const gone = [...present.keys()].filter((name) => !wanted.has(name));
  const changed = [...wanted].filter(([name, sha]) => present.get(name) !== sha);
  // Deleted first and apart: `a` must be gone before `a/b` can be made.
  await updateRefs(
    git_dir,
    gone.map((name) => `delete ${prefix}${name}`),
  );
  await updateRefs(
    git_dir,
    changed.map(([name, sha]) => `update ${prefix}${name} ${sha}`),
  );
}

async function updateRefs(git_dir: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await git(['update-ref', '--no-deref', '--stdin'], { git_dir, stdin: `${lines.join('\n')}\n` });
}
