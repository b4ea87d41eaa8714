import type { Logger } from '@caloron/capabilities/logger';
import { messageOf } from '@caloron/noether/errors';
import type { Store } from '@caloron/store';
import type { ProcessRow } from '@caloron/types';

import type { ProcessTable } from './process-table.ts';
import { loadState, taskOf } from './sprint.ts';

/** Milliseconds an agent has to end by itself after the signal, before it is killed. */
const GRACE_MS = 10_000;

/**
 * Stops agents whose task is Done or Cancelled, their work saved: who wanted them stopped gave up after some minutes without a shell, and nobody
 * else does it. A failure only warns.
 */
export async function stopUnwanted(
  { store, table, log }: { readonly store: Store; readonly table: ProcessTable; readonly log: Logger },
  rows: readonly ProcessRow[] = store.processes.open(),
): Promise<void> {
  await Promise.all(
    rows.map(async (row) => {
      const { process_id, sprint_id, task_id } = row;
      try {
        if (!table.alive(row)) return;
        const { status } = taskOf(await loadState(store, sprint_id), task_id);
        if (status !== 'Done' && status !== 'Cancelled') return;
        const { wip_ref } = await table.stop(process_id, GRACE_MS, `its task is ${status}`);
        log.info({ process_id, sprint_id, task_id, status, wip_ref }, 'agent of a task that is over stopped');
      } catch (error) {
        const reason = messageOf(error);
        log.warn({ process_id, sprint_id, task_id, reason }, 'agent of a task that is over not stopped');
      }
    }),
  );
}
