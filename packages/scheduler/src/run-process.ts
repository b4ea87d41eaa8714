import { bootId, isAlive, pidNamespace, statOf } from '@caloron/capabilities/process-identity';

let own: string | undefined;

/** This process as runs name it in their label `process`: pid, start, boot and pid namespace. */
export function ownProcess(): string {
  return (own ??= [process.pid, statOf(process.pid)?.start_ticks ?? '', bootId(), pidNamespace()].join(' '));
}

/** Whether the process of a run that has not ended still works on it; null where this machine cannot tell. */
export function runProcess(
  labels: Readonly<Record<string, string>>,
): { readonly pid: number; readonly alive: boolean } | null {
  const [pid = '', start_ticks = '', boot_id = '', pid_ns = ''] = labels['process']?.split(' ') ?? [];
  // Another machine or container has pids of its own.
  if (!/^\d+$/.test(pid) || start_ticks === '' || pid_ns !== pidNamespace()) return null;
  return { pid: Number(pid), alive: isAlive({ pid: Number(pid), start_ticks, boot_id, pid_ns }) };
}
