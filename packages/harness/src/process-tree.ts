import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds of one unit of processor time in /proc: USER_HZ is 100 on every architecture Node runs on. Source: proc(5). */
const TICK_MS = 10;

interface Member {
  readonly pid: number;
  readonly ppid: number;
  readonly cpu_ms: number;
}

/**
 * Milliseconds of processor time the processes of an agent have used: all that descend from `root` and all whose environment
 * carries `CALORON_PROCESS_ID` with this value, their ended children included; `root` itself, the harness, is left out. What
 * a process that has ended used is in its parent's count, or gone when that is `root`: so the sum can fall.
 */
export function cpuOfAgent(root: number, process_id: string): number {
  const found = members();
  const children = new Map<number, Member[]>();
  for (const member of found) children.set(member.ppid, [...(children.get(member.ppid) ?? []), member]);
  const own = new Set<number>();
  const take = (pid: number): void => {
    for (const child of children.get(pid) ?? []) {
      if (own.has(child.pid)) continue;
      own.add(child.pid);
      take(child.pid);
    }
  };
  take(root);
  const ours = ({ pid }: Member): boolean => own.has(pid) || tagOf(pid) === process_id;
  return found
    .filter((member) => member.pid !== root && ours(member))
    .reduce((sum, { cpu_ms }) => sum + cpu_ms, 0);
}

function members(): readonly Member[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (memberOf(Number(name)) ?? []) : []));
}

/** The name may hold spaces and parentheses: fields start after the last `)`. Fields 14 to 17 are utime, stime, cutime and cstime. */
function memberOf(pid: number): Member | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/);
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid, ppid: Number(fields[1]), cpu_ms: ticks * TICK_MS };
}

function tagOf(pid: number): string | undefined {
  const prefix = 'CALORON_PROCESS_ID=';
  const entry = textOf(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((line) => line.startsWith(prefix));
  return entry?.slice(prefix.length);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Gone, or another user's: both mean there is nothing to see.
    return undefined;
  }
}
