/** Most files of an archive; the largest stage of this program has 45. */
export const MAX_FILES = 500;

/** Most text of an archive, UTF-16 units; the largest stage of this program has 180,000. */
export const MAX_TEXT = 2 * 1024 * 1024;

const MAX_PATH = 200;

/** A folder or file: no hidden one, and so neither `.` nor `..`. */
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/u;

const MODULE = /\.(?:ts|mts|js|mjs|json)$/u;

/** What is wrong with an archive as files; null when nothing is. */
export function archiveProblem(archive: Readonly<Record<string, string>>): string | null {
  const paths = Object.keys(archive);
  if (paths.length === 0) return 'its archive is empty';
  if (paths.length > MAX_FILES) return `its archive has ${paths.length} files, more than ${MAX_FILES}`;
  const size = Object.values(archive).reduce((sum, text) => sum + text.length, 0);
  if (size > MAX_TEXT) return `its archive has ${size} characters, more than ${MAX_TEXT}`;
  for (const path of paths) {
    const wrong = pathProblem(path);
    if (wrong !== null) return `its archive has a file ${JSON.stringify(path.slice(0, MAX_PATH))}: ${wrong}`;
  }
  return clash(paths);
}

function pathProblem(path: string): string | null {
  if (path.length > MAX_PATH) return `its path is longer than ${MAX_PATH} characters`;
  if (!path.split('/').every((part) => PART.test(part)))
    return 'expected a relative path of letters, digits, _, . and -, without parts that begin with a dot';
  return MODULE.test(path) ? null : 'expected a .ts, .mts, .js, .mjs or .json file';
}

/** Two paths that a disk might take for one, or a file that is a folder as well. */
function clash(paths: readonly string[]): string | null {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const other = seen.get(path.toLowerCase());
    if (other !== undefined) return `its archive has ${other} and ${path}, which differ in case alone`;
    seen.set(path.toLowerCase(), path);
  }
  for (const path of seen.keys()) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const file = seen.get(parts.slice(0, depth).join('/'));
      if (file !== undefined) return `its archive has ${file} as a file and as a folder`;
    }
  }
  return null;
}
