import { runProcess } from '@caloron/scheduler/run-process';
import type { RunRow } from '@caloron/store';

/** How a run stands. `interrupted`: its process ended before it did. */
export type RunStatus = RunRow['status'] | 'interrupted';

/** Every status a run can have. */
export const RUN_STATUSES: readonly RunStatus[] = [
  'running',
  'interrupted',
  'ok',
  'failed',
  'skipped',
  'refused',
];

/** A run as commands tell of it. */
export type RunFacts = Omit<RunRow, 'status'> & { readonly status: RunStatus };

/** A run with the status it has now: one that goes on in no process any more was interrupted. */
export function factsOfRun(run: RunRow): RunFacts {
  const gone = run.status === 'running' && runProcess(run.labels)?.alive === false;
  return gone ? { ...run, status: 'interrupted' } : run;
}

/** Who asked for a run: a job's cause, or the command. */
export function causeOf({ labels }: RunFacts): string {
  return labels['cause'] ?? labels['command'] ?? '';
}
