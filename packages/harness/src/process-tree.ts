import { pids, statFields, tagOf } from '@caloron/capabilities/process-identity';

/** Milliseconds of one unit of processor time in /proc: USER_HZ is 100 on every architecture Node runs on. Source: proc(5). */
const TICK_MS = 10;

interface Member {
  readonly pid: number;
  readonly ppid: number;
  readonly cpu_ms: number;
}

/** How long a process that is another's is not looked at again, in milliseconds: none becomes the agent's, but its id may. */
const FOREIGN_MS = 60_000;

/**
 * Milliseconds of processor time the processes of an agent have used: all that descend from `root` and all whose environment
 * carries `CALORON_PROCESS_ID` with this value, their ended children included; `root` itself, the harness, is left out. What
 * a process that has ended used is in its parent's count, or gone when that is `root`: so the sum can fall.
 */
export function cpuOfAgent(root: number, process_id: string): number {
  return createAgentCpu(root, process_id, () => 0)();
}

/** The same, asked again and again: processes of others are read once a minute. `monotonic` gives milliseconds from any start. */
export function createAgentCpu(root: number, process_id: string, monotonic: () => number): () => number {
  let foreign = new Set<number>();
  let since = monotonic();
  return () => {
    const now = monotonic();
    if (now - since >= FOREIGN_MS) {
      foreign = new Set();
      since = now;
    }
    const found = pids().flatMap((pid) => (foreign.has(pid) ? [] : (memberOf(pid) ?? [])));
    const own = descendants(root, found);
    let sum = 0;
    for (const { pid, cpu_ms } of found) {
      if (pid === root) continue;
      if (own.has(pid) || tagOf(pid) === process_id) sum += cpu_ms;
      else foreign.add(pid);
    }
    return sum;
  };
}

function descendants(root: number, members: readonly Member[]): ReadonlySet<number> {
  const children = new Map<number, number[]>();
  for (const { pid, ppid } of members) {
    const siblings = children.get(ppid);
    if (siblings === undefined) children.set(ppid, [pid]);
    else siblings.push(pid);
  }
  const own = new Set<number>();
  const next = [root];
  for (let pid = next.pop(); pid !== undefined; pid = next.pop())
    for (const child of children.get(pid) ?? []) {
      if (own.has(child)) continue;
      own.add(child);
      next.push(child);
    }
  return own;
}

/** Of the fields from the state on, the second is ppid, and the 12th to 15th are utime, stime, cutime and cstime. */
function memberOf(pid: number): Member | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid, ppid: Number(fields[1]), cpu_ms: ticks * TICK_MS };
}
