import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

import type { FileRead, FileWrite, FolderEntry } from '@caloron/types';

import { writeAtomically } from '../atomic-file.ts';
import { FileError } from './errors.ts';
import { codeOf, type Folders } from './folders.ts';
import { inPinnedFolder } from './pinned-folder.ts';

/** Values travel through a graph by copy: more is a matter for a program. */
const MAX_BYTES = 64 * 1024 * 1024;

/** What the system said, as this family's error. */
function unreadable(given: string, cause: unknown): FileError {
  if (cause instanceof FileError) return cause;
  const reason = codeOf(cause);
  if (reason === 'ENOENT' || reason === 'ENOTDIR') return new FileError('FILE_MISSING', { path: given });
  return new FileError('FILE_UNREADABLE', { path: given, reason }, { cause });
}

async function contentOf(file: FileHandle, given: string): Promise<Buffer> {
  const info = await file.stat();
  if (!info.isFile()) {
    const reason = info.isDirectory() ? 'it is a folder' : 'it is no regular file';
    throw new FileError('FILE_UNREADABLE', { path: given, reason });
  }
  if (info.size > MAX_BYTES)
    throw new FileError('FILE_TOO_LARGE', { path: given, size_bytes: info.size, max_bytes: MAX_BYTES });
  return file.readFile();
}

function textOf(bytes: Buffer, given: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FileError('FILE_NOT_TEXT', { path: given });
  }
}

async function entryOf(folder: string, name: string): Promise<FolderEntry | undefined> {
  try {
    const info = await lstat(path.join(folder, name));
    if (info.isFile()) return { name, kind: 'file', size_bytes: info.size };
    const kind = info.isDirectory() ? 'folder' : info.isSymbolicLink() ? 'link' : 'other';
    return { name, kind, size_bytes: 0 };
  } catch {
    // Gone since the folder was read.
    return undefined;
  }
}

/** Puts a text in a file's place under the mode the file has. Throws FILE_UNWRITABLE where that is a folder, a pipe or a device. */
async function replaced(target: string, given: string, content: string): Promise<void> {
  const before = await lstat(target).catch(() => undefined);
  if (before?.isFile() === false) {
    const reason = before.isDirectory() ? 'it is a folder' : 'it is no regular file';
    throw new FileError('FILE_UNWRITABLE', { path: given, reason });
  }
  await writeAtomically(target, content, before === undefined ? 0o666 : before.mode & 0o777);
}

/** Files of the folders the rules allow. */
export function createFiles(folders: Folders): FileRead & FileWrite {
  return {
    async read(given) {
      const target = await folders.resolve(given, 'read');
      let file: FileHandle;
      try {
        // No link may have come since the path was followed, and a pipe must not hold the run up.
        const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
        file = await inPinnedFolder(path.dirname(target), given, (folder) =>
          open(path.join(folder, path.basename(target)), flags),
        );
      } catch (cause) {
        throw unreadable(given, cause);
      }
      try {
        const bytes = await contentOf(file, given);
        return { content: textOf(bytes, given), size_bytes: bytes.length };
      } finally {
        await file.close();
      }
    },
    async exists(given) {
      const target = await folders.resolve(given, 'read');
      return stat(target).then(
        () => true,
        () => false,
      );
    },
    async list(given) {
      const target = await folders.resolve(given, 'read');
      try {
        const entries = await inPinnedFolder(target, given, async (folder) => {
          const names = await readdir(folder);
          return Promise.all(names.map((name) => entryOf(folder, name)));
        });
        return entries
          .filter((entry) => entry !== undefined)
          .toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
      } catch (cause) {
        if (codeOf(cause) === 'ENOTDIR')
          throw new FileError('FILE_UNREADABLE', { path: given, reason: 'it is no folder' });
        throw unreadable(given, cause);
      }
    },
    async write(given, content) {
      const target = await folders.resolve(given, 'write');
      try {
        await inPinnedFolder(path.dirname(target), given, (folder) =>
          replaced(path.join(folder, path.basename(target)), given, content),
        );
      } catch (cause) {
        if (cause instanceof FileError) throw cause;
        const reason = codeOf(cause);
        if (reason === 'ENOENT' || reason === 'ENOTDIR')
          throw new FileError(
            'FILE_MISSING',
            { path: path.dirname(given) },
            { hint: 'make the folder first' },
          );
        throw new FileError('FILE_UNWRITABLE', { path: given, reason }, { cause });
      }
      return { bytes_written: Buffer.byteLength(content) };
    },
  };
}
