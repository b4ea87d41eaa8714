import { readFileSync } from 'node:fs';

/** How long a stopped git may take to remove its lock files before it is killed. */
const GRACE_MS = 2000;

/** Why a git was stopped. */
export type StopReason = 'timeout' | 'abort';

/** A git under watch: `reason` says why it was stopped, null as long as it was not. */
export interface Deadline {
  readonly reason: () => StopReason | null;
  /** Ends the watch; to be called when git has ended. */
  readonly clear: () => void;
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text
      .split(' ')
      .filter((part) => part !== '')
      .map(Number);
  } catch {
    // It ended meanwhile, or this is no Linux: then git alone is stopped.
    return [];
  }
}

/** A process and all below it. git's transports (git-remote-https) outlive a stopped git and hold its pipes open. */
function treeOf(pid: number): readonly number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

function signalAll(pids: readonly number[], signal: 'SIGTERM' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}

/** Stops a git and its children after `timeout_ms` or when the signal is aborted; without either it is only watched. */
export function watchDeadline(
  pid: number | undefined,
  timeout_ms: number | undefined,
  signal: AbortSignal | undefined,
): Deadline {
  let reason: StopReason | null = null;
  const timers: NodeJS.Timeout[] = [];

  function stop(why: StopReason): void {
    if (pid === undefined || reason !== null) return;
    reason = why;
    const pids = treeOf(pid);
    signalAll(pids, 'SIGTERM');
    timers.push(setTimeout(() => signalAll(pids, 'SIGKILL'), GRACE_MS));
  }

  const onAbort = () => stop('abort');
  if (timeout_ms !== undefined) timers.push(setTimeout(() => stop('timeout'), timeout_ms));
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    reason: () => reason,
    clear() {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}
