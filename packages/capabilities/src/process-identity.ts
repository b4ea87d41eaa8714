import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';

/** What tells one process from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/{pid}/stat: clock ticks from boot to start. */
  readonly start_ticks: string | null;
  readonly boot_id: string;
  readonly pid_ns: string;
}

/** One process as /proc shows it. */
export interface ProcessStat {
  readonly pid: number;
  /** `Z` is dead: only its parent has not asked yet. */
  readonly state: string;
  readonly pgid: number;
  readonly start_ticks: string;
}

/** Grows to the largest file of /proc that was read: an environment has some kilobytes, at most two megabytes. */
let buffer = Buffer.alloc(16 * 1024);

/**
 * The bytes of a file of /proc, good until the next call; undefined when it cannot be read. Such files are read by the hundred
 * at each look: their size is told by no `fstat`, and one read gives all.
 */
function bytesOf(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    // Gone, or another user's: both mean there is nothing to see.
    return undefined;
  }
  try {
    let length = 0;
    for (;;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      length += read;
      if (length < buffer.length) return buffer.subarray(0, length);
      if (read === 0) return buffer.subarray(0, length);
      buffer = Buffer.concat([buffer, Buffer.alloc(buffer.length)]);
    }
  } catch {
    // It ended in between.
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** The text of a file of /proc; undefined when it cannot be read: its process is gone, or another user's. */
function procText(file: string): string | undefined {
  return bytesOf(file)?.toString('utf8');
}

let boot_id: string | undefined;
let pid_ns: string | undefined;

/** Identifies this boot of the machine. */
export function bootId(): string {
  return (boot_id ??= procText('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown');
}

/** Identifies the pid namespace this process counts pids in. */
export function pidNamespace(): string {
  return (pid_ns ??= ownNamespace());
}

function ownNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'unknown';
  }
}

/**
 * Fields of /proc/{pid}/stat from the state on, which is the third of proc(5); undefined when there is no such process. The name before
 * may hold spaces and parentheses: fields start after the last `)`.
 */
export function statFields(pid: number): readonly string[] | undefined {
  const text = procText(`/proc/${pid}/stat`);
  return text
    ?.slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/);
}

/** Reads /proc/{pid}/stat; undefined when there is no such process. */
export function statOf(pid: number): ProcessStat | undefined {
  const [state, , pgid, ...more] = statFields(pid) ?? [];
  const start_ticks = more[16];
  if (state === undefined || pgid === undefined || start_ticks === undefined) return undefined;
  return { pid, state, pgid: Number(pgid), start_ticks };
}

/** Whether a stat belongs to a process that still runs. */
export function runs(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X' && stat.state !== 'x';
}

/** Whether the very process that was recorded still runs: same boot, same namespace, same start ticks, no zombie. */
export function isAlive(identity: {
  readonly pid: number | null;
  readonly start_ticks: string | null;
  readonly boot_id: string;
  readonly pid_ns: string;
}): boolean {
  if (identity.pid === null || identity.boot_id !== bootId() || identity.pid_ns !== pidNamespace())
    return false;
  const stat = statOf(identity.pid);
  return stat !== undefined && runs(stat) && stat.start_ticks === identity.start_ticks;
}

/** What identifies this very process to others. */
export function thisProcess(): ProcessIdentity {
  const { pid } = process;
  return { pid, start_ticks: statOf(pid)?.start_ticks ?? null, boot_id: bootId(), pid_ns: pidNamespace() };
}

/** Ids of all processes this one can see. */
export function pids(): readonly number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** Running processes of one group. */
export function groupMembers(pgid: number): readonly ProcessStat[] {
  return pids().flatMap((pid) => {
    const stat = statOf(pid);
    return stat !== undefined && stat.pgid === pgid && runs(stat) ? [stat] : [];
  });
}

/** A running process whose environment carries `CALORON_PROCESS_ID`, with that value. */
export interface Tagged extends ProcessStat {
  readonly process_id: string;
}

/** Running processes whose environment carries `CALORON_PROCESS_ID` with one of these values. */
export function taggedProcesses(process_ids: ReadonlySet<string>): readonly Tagged[] {
  if (process_ids.size === 0) return [];
  return pids().flatMap((pid) => {
    const tag = tagOf(pid);
    if (tag === undefined || !process_ids.has(tag)) return [];
    const stat = statOf(pid);
    return stat !== undefined && runs(stat) ? [{ ...stat, process_id: tag }] : [];
  });
}

/** All running processes that carry a `CALORON_PROCESS_ID`, and where they work; null where that cannot be seen. */
export function everyTagged(): readonly (Tagged & { readonly cwd: string | null })[] {
  return pids().flatMap((pid) => {
    const process_id = tagOf(pid);
    const stat = process_id === undefined ? undefined : statOf(pid);
    if (process_id === undefined || stat === undefined || !runs(stat)) return [];
    return [{ ...stat, process_id, cwd: cwdOf(pid) }];
  });
}

function cwdOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // Gone, or another user's.
    return null;
  }
}

const TAG = Buffer.from('CALORON_PROCESS_ID=');

/** The `CALORON_PROCESS_ID` in the environment of a process; undefined without one, or when it cannot be seen. */
export function tagOf(pid: number): string | undefined {
  const bytes = bytesOf(`/proc/${pid}/environ`);
  if (bytes === undefined) return undefined;
  let at = bytes.indexOf(TAG);
  while (at > 0 && bytes[at - 1] !== 0) at = bytes.indexOf(TAG, at + 1);
  if (at < 0) return undefined;
  const end = bytes.indexOf(0, at);
  return bytes.toString('utf8', at + TAG.length, end < 0 ? bytes.length : end);
}
