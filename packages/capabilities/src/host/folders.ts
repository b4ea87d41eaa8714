import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';

import { FileError } from './errors.ts';

/** Which folders graphs may use. */
export interface FolderRules {
  /** The project's folder: what relative paths count from. Absolute. */
  readonly root: string;
  /** Further folders, with all below them. */
  readonly allow: readonly string[];
  /** Further folders that are read and not written. */
  readonly read_only?: readonly string[];
  /** Files that may be read and are not written. */
  readonly kept?: readonly string[];
  /** Folders and files inside of them that are not; the nearest of both decides. */
  readonly deny: readonly string[];
  /** Names of folders that are not, wherever below the allowed ones they lie. */
  readonly reserved?: readonly string[];
}

/** Paths as graphs give them, turned to where they really lead. */
export interface Folders {
  readonly root: string;
  /**
   * Where a path leads once every link is followed; the last parts may be missing. Throws FILE_REFUSED where that is outside
   * the rules, and for writes below a `.git`, whose hooks are programs.
   */
  resolve(given: string, purpose: 'read' | 'write'): Promise<string>;
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Follows every link of the part of a path that exists; undefined for a link that leads nowhere or in circles. */
async function followed(target: string): Promise<string | undefined> {
  try {
    return await realpath(target);
  } catch (error) {
    if (isCode(error, 'ELOOP')) return undefined;
    if (!isCode(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
  const link = await lstat(target).then(
    () => true,
    () => false,
  );
  if (link) return undefined;
  const parent = await followed(path.dirname(target));
  return parent === undefined ? undefined : path.join(parent, path.basename(target));
}

function isInside(folder: string, target: string): boolean {
  const relative = path.relative(folder, target);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** The longest folder that holds the target, links followed; undefined when none does. */
async function nearest(folders: readonly string[], target: string): Promise<string | undefined> {
  const real = await Promise.all(folders.map(async (folder) => (await followed(folder)) ?? folder));
  return real.filter((folder) => isInside(folder, target)).toSorted((a, b) => b.length - a.length)[0];
}

/** Holds paths against the rules each time anew: links may have changed. */
export function createFolders({
  root,
  allow,
  read_only = [],
  kept = [],
  deny,
  reserved = [],
}: FolderRules): Folders {
  const refused = (given: string, reason: string, hint?: string): FileError<'FILE_REFUSED'> =>
    new FileError('FILE_REFUSED', { path: given, reason }, hint === undefined ? {} : { hint });
  return {
    root,
    async resolve(given, purpose) {
      if (given === '' || given.includes('\0')) throw refused(given, 'it is no path');
      let target: string | undefined;
      try {
        target = await followed(path.resolve(root, given));
      } catch (cause) {
        throw refused(given, `the system does not let it be followed (${codeOf(cause)})`);
      }
      if (target === undefined) throw refused(given, 'a link in it leads nowhere');
      const open = purpose === 'read' ? [root, ...allow, ...read_only] : [root, ...allow];
      const allowed = await nearest(open, target);
      if (allowed === undefined) {
        const hint = `an operator allows further folders with CALORON_FS_ALLOW=${path.dirname(path.resolve(root, given))}`;
        throw refused(
          given,
          `it lies outside the project ${root} and of the folders allowed beside it`,
          hint,
        );
      }
      const denied = (await nearest(deny, target)) ?? '';
      const below = path.relative(allowed, target).toLowerCase().split(path.sep);
      if (denied.length >= allowed.length || reserved.some((name) => below.includes(name)))
        throw refused(given, 'Caloron keeps its own state there');
      if (purpose === 'write' && (await nearest(kept, target)) !== undefined)
        throw refused(given, 'a person writes it: it says where tokens go and what agents may do');
      if (purpose === 'write' && target.toLowerCase().split(path.sep).includes('.git'))
        throw refused(given, 'what lies in .git can be a program');
      return target;
    },
  };
}

/** The system's code for an error, e.g. EACCES. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
