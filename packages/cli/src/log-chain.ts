import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';

/** Rotated files that the harness keeps beside a log: `{file}.1` is the newest. */
const KEPT = 3;
/** Bytes read at a time. */
const CHUNK_BYTES = 64 * 1024;

/** An agent's output, read from its oldest kept file on and over every rotation. */
export interface LogChain {
  /** Hands on what was written since the last call, oldest first; true when some of it was rotated away before it could be read. */
  read(take: (bytes: Buffer) => void): boolean;
  close(): void;
}

interface Opened {
  readonly fd: number;
  readonly id: string;
  offset: number;
}

/** Opens a plain file; undefined when there is none. A symbolic link is not followed and a pipe not waited for: the agent can write here. */
function open(file: string): Opened | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) return { fd, id: `${stat.dev}:${stat.ino}`, offset: 0 };
  closeSync(fd);
  return undefined;
}

/** All kept files, newest first: in this order a rotation meanwhile shows a file twice and hides none. */
function openAll(file: string): Opened[] {
  const found: Opened[] = [];
  for (let n = 0; n <= KEPT; n += 1) {
    const opened = open(n === 0 ? file : `${file}.${n}`);
    if (opened === undefined) continue;
    if (found.some(({ id }) => id === opened.id)) closeSync(opened.fd);
    else found.push(opened);
  }
  return found;
}

function isNewest(file: string, { id }: Opened): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && `${stat.dev}:${stat.ino}` === id;
}

function drain(file: Opened, take: (bytes: Buffer) => void): void {
  // Somebody emptied it in place: what is in it now is new.
  if (fstatSync(file.fd).size < file.offset) file.offset = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const length = readSync(file.fd, chunk, 0, CHUNK_BYTES, file.offset);
    if (length === 0) return;
    file.offset += length;
    take(chunk.subarray(0, length));
  }
}

/** Reads a log that may not be there yet and that is rotated while it is read. */
export function openLogChain(file: string): LogChain {
  let current: Opened | undefined;

  /** Goes on through every file that is newer than the current one. */
  function advance(take: (bytes: Buffer) => void): boolean {
    const chain = openAll(file);
    const at = chain.findIndex(({ id }) => id === current?.id);
    const known = chain.splice(at === -1 ? chain.length : at);
    for (const { fd } of known) closeSync(fd);
    const lost = current !== undefined && known.length === 0 && chain.length > 0;
    // It may have grown between the last look and its rotation.
    if (current !== undefined) drain(current, take);
    for (const next of chain.toReversed()) {
      if (current !== undefined) closeSync(current.fd);
      current = next;
      drain(next, take);
    }
    return lost;
  }

  return {
    read(take) {
      if (current !== undefined) drain(current, take);
      return current !== undefined && isNewest(file, current) ? false : advance(take);
    },
    close() {
      if (current !== undefined) closeSync(current.fd);
      current = undefined;
    },
  };
}
