import { lstatSync, rmSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

/** Whether a path is a directory or lies below it, by its name alone. */
export function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/**
 * Clears the way to each place that something is laid over: what an earlier run left there that is no directory, or not of the kind that
 * comes there, goes. Without this a link would have the next sandbox make its mount points outside.
 */
export function clearWay(
  instead: readonly { readonly at: string; readonly is: string }[],
  sources: readonly string[],
): void {
  const laid = [...sources.map((at) => ({ at, is: at })), ...instead];
  for (const { at, is } of laid) {
    const [over] = instead
      .filter((one) => one.at !== at && isBelow(one.at, at))
      .toSorted((a, b) => b.at.length - a.at.length);
    const source = statSync(is, { throwIfNoEntry: false });
    if (over === undefined || source === undefined) continue;
    const parts = relative(over.at, at).split(sep);
    for (const depth of parts.keys()) {
      const path = join(over.is, ...parts.slice(0, depth + 1));
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) break;
      const directory = depth < parts.length - 1 || source.isDirectory();
      if (directory ? found.isDirectory() : found.isFile()) continue;
      rmSync(path, { recursive: true, force: true });
      break;
    }
  }
}
