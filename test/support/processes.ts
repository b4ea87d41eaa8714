import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One process that has to do with a directory. */
export interface Found {
  readonly pid: number;
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

/** Living processes (not this one) that name the directory in their arguments or environment, or work in it. */
export function processesOf(dir: string): readonly Found[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const stat = read(`/proc/${pid}/stat`);
      const zombie = stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
      return (
        stat !== '' &&
        !zombie &&
        [read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/environ`), cwdOf(pid)].some((text) =>
          text.includes(dir),
        )
      );
    })
    .map((pid) => ({ pid: Number(pid), command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }));
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
