import { git, gitStream } from '@caloron/capabilities/git';

/** One changed file, as GitHub lists it. `patch` is absent for binary files. */
export interface ChangedFile {
  readonly filename: string;
  readonly previous_filename: string | null;
  readonly status: 'added' | 'removed' | 'modified' | 'renamed' | 'copied' | 'changed';
  readonly additions: number;
  readonly deletions: number;
  readonly sha: string | null;
  readonly patch: string | null;
}

const STATUS: Readonly<Record<string, ChangedFile['status']>> = {
  A: 'added',
  D: 'removed',
  M: 'modified',
  R: 'renamed',
  C: 'copied',
  T: 'changed',
};

/** Longest patch of one file that is shown, in characters; longer ones are left out, as GitHub does. */
const MAX_PATCH = 400_000;

/** Most bytes of a diff or of mails that are given whole. GitHub counts 20,000 lines; this is a machine's own limit, and larger. */
export const MAX_DIFF_BYTES = 10_000_000;

/** Text of git up to a limit. `cut` says that there is more. */
export interface CutText {
  readonly text: string;
  readonly cut: boolean;
}

/** What git prints, at most `max` bytes of it: the rest is never read, and git is stopped. */
async function printed(git_dir: string, args: readonly string[], max: number): Promise<CutText> {
  const running = gitStream(args, { git_dir });
  running.stdin.end();
  running.stderr.resume();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of running.stdout) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > max) break;
  }
  const cut = bytes > max;
  if (cut) running.kill();
  const { exitCode } = await running;
  if (!cut && exitCode !== 0) throw new Error(`git ${args[0] ?? ''} ended with ${String(exitCode)}`);
  return { text: Buffer.concat(chunks).subarray(0, max).toString('utf8'), cut };
}

/** What the head changes since `from`, the commit where it left the base, as git prints it. */
export async function diffText(
  git_dir: string,
  from: string,
  head: string,
  max: number = MAX_DIFF_BYTES,
): Promise<CutText> {
  const args = ['diff', '--no-color', '-M', '--src-prefix=a/', '--dst-prefix=b/', `${from}..${head}`];
  return printed(git_dir, args, max);
}

/** The head's commits since the base as mails, as git prints them. */
export async function patchText(git_dir: string, base: string, head: string): Promise<CutText> {
  const args = ['format-patch', '--stdout', '--no-signature', `${base}..${head}`];
  return printed(git_dir, args, MAX_DIFF_BYTES);
}

/** The files the head changes since `from`, without their patches. */
export async function countedFiles(
  git_dir: string,
  from: string,
  head: string,
): Promise<readonly Omit<ChangedFile, 'patch'>[]> {
  const range = `${from}..${head}`;
  const [raw, numbers] = await Promise.all([
    git(['diff', '--no-color', '-M', '--raw', '--no-abbrev', '-z', range], { git_dir }),
    git(['diff', '--no-color', '-M', '--numstat', '-z', range], { git_dir }),
  ]);
  const counts = parseNumbers(numbers.stdout);
  return parseRaw(raw.stdout).map((file, index) => {
    const [additions, deletions] = counts[index] ?? [0, 0];
    return { ...file, additions, deletions };
  });
}

/** The files the head changes since `from`. Where the diff is cut, the patches after the cut are left out. */
export async function changedFiles(
  git_dir: string,
  from: string,
  head: string,
): Promise<readonly ChangedFile[]> {
  const files = await countedFiles(git_dir, from, head);
  const { text, cut } = await diffText(git_dir, from, head);
  const patches = splitPatches(text);
  // The last one of a cut diff is not whole.
  if (cut) patches.pop();
  return files.map((file, index) => ({ ...file, patch: patches[index] ?? null }));
}

type RawFile = Pick<ChangedFile, 'filename' | 'previous_filename' | 'status' | 'sha'>;

function parseRaw(text: string): readonly RawFile[] {
  const fields = text.split('\0');
  const files: RawFile[] = [];
  for (let at = 0; at + 1 < fields.length;) {
    const [, , , sha = '', letter = ''] = (fields[at] ?? '').split(' ');
    const status = STATUS[letter.slice(0, 1)] ?? 'changed';
    const moved = status === 'renamed' || status === 'copied';
    const first = fields[at + 1] ?? '';
    files.push({
      filename: moved ? (fields[at + 2] ?? '') : first,
      previous_filename: moved ? first : null,
      status,
      sha: /^0+$/.test(sha) ? null : sha,
    });
    at += moved ? 3 : 2;
  }
  return files;
}

function parseNumbers(text: string): readonly (readonly [number, number])[] {
  const fields = text.split('\0');
  const counts: (readonly [number, number])[] = [];
  for (let at = 0; at < fields.length; at += 1) {
    const match = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(fields[at] ?? '');
    if (match === null) continue;
    // Binary files have "-" for both.
    counts.push([Number(match[1]) || 0, Number(match[2]) || 0]);
    // A rename has an empty name here and its two names in the next two fields.
    if (match[3] === '') at += 2;
  }
  return counts;
}

/** The hunks of each file: every line of content begins with a space, +, - or \, so a line that begins with "diff --git" begins a file. */
function splitPatches(text: string): (string | null)[] {
  return text
    .split(/^(?=diff --git )/m)
    .filter((part) => part !== '')
    .map((part) => {
      const hunks = part.search(/^@@ /m);
      if (hunks < 0 || part.length - hunks > MAX_PATCH) return null;
      return part.slice(hunks).replace(/\n$/, '');
    });
}
