import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One process that has to do with a directory. */
export interface Found {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function cwdOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** State letter and parent of a process; null for one that is gone. */
function standing(pid: string): { readonly state: string; readonly parent: number } | null {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is a name in brackets, which may hold anything.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === undefined || stat === '' ? null : { state, parent: Number(parent) };
}

/** Living processes (not this one) that name the directory in their arguments or environment, or work in it. */
export function processesOf(dir: string): readonly Found[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const now = standing(pid);
      if (now === null || now.state === 'Z') return [];
      const command = read(`/proc/${pid}/cmdline`);
      const texts = [command, read(`/proc/${pid}/environ`), cwdOf(pid)];
      if (!texts.some((text) => text.includes(dir))) return [];
      return [{ pid: Number(pid), parent: now.parent, command: command.replaceAll('\0', ' ').trim() }];
    });
}

/** Kills whatever still has to do with the directory: the last resort of a test that failed. */
export function killProcessesOf(dir: string): void {
  for (const { pid } of processesOf(dir)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended between the look and the kill.
    }
  }
}
