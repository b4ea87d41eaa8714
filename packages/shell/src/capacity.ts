import type { Store } from '@caloron/store';
import type { Id, ProcessRow, Sprint } from '@caloron/types';

import { CapacityError } from './machine/errors.ts';
import type { Machine } from './machine/readings.ts';
import type { ProcessTable } from './process-table.ts';
import { loadState } from './sprint.ts';

/** MiB of memory that must be available where a sprint sets nothing: about what an agent CLI on Node and its tests' first process take. */
export const MIN_MEMORY_MB = 512;
/** MiB that must be free for worktrees where a sprint sets nothing: a checkout with its dependencies is some hundreds. */
export const MIN_DISK_MB = 1024;
/** Files that must still be possible there: a checkout of some thousand files, its clone and what an agent installs. */
export const MIN_INODES = 10_000;

/** A start that asks for room. */
export interface Start {
  readonly action_id: string;
  readonly sprint: Sprint;
}

/** Room for agents on this machine. */
export interface Capacity {
  /** Does `work`, in which the agent is started, while its place is kept. Throws a CapacityError, with nothing begun. */
  within<T>(start: Start, work: () => Promise<T>): Promise<T>;
}

/** What room is reckoned from. */
export interface CapacityDeps {
  readonly store: Store;
  readonly table: Pick<ProcessTable, 'alive'>;
  readonly machine: Machine;
  /** Where the worktrees lie. */
  readonly worktrees: string;
}

/** Agents that live or are being started. */
interface Place {
  readonly action_id: string;
  readonly sprint_id: Id;
  /** Null when its sprint cannot be read: it may be any. */
  readonly framework: string | null;
}

/** Keeps the places of starts that are under way, so that starts at once cannot together be too many: a home has one shell. */
export function createCapacity(deps: CapacityDeps): Capacity {
  const starting = new Map<string, Place>();
  const frameworks = new Map<Id, string>();

  const learn = async (rows: readonly ProcessRow[]): Promise<void> => {
    for (const sprint_id of new Set(rows.map((row) => row.sprint_id))) {
      if (frameworks.has(sprint_id)) continue;
      const state = await loadState(deps.store, sprint_id).catch(() => undefined);
      if (state !== undefined) frameworks.set(sprint_id, state.sprint.framework);
    }
  };

  const places = (): readonly Place[] => {
    const live = deps.store.processes
      .open()
      .filter((row) => !starting.has(row.action_id))
      .filter((row) => row.state === 'spawning' || deps.table.alive(row))
      .map(({ action_id, sprint_id }) => ({
        action_id,
        sprint_id,
        framework: frameworks.get(sprint_id) ?? null,
      }));
    return [...live, ...starting.values()];
  };

  return {
    async within({ action_id, sprint }, work) {
      const { sprint_id, framework } = sprint;
      await learn(deps.store.processes.open());
      // From the count to the place nothing is awaited.
      refuseCrowd(sprint, places());
      refuseScarce(sprint, deps);
      starting.set(action_id, { action_id, sprint_id, framework });
      try {
        return await work();
      } finally {
        starting.delete(action_id);
      }
    },
  };
}

/** Whether a sprint, the shell or a framework has as many agents as it may. */
function refuseCrowd({ sprint_id, framework, capacity = {} }: Sprint, places: readonly Place[]): void {
  const of_sprint = places.filter((place) => place.sprint_id === sprint_id).length;
  if (capacity.sprint !== undefined && of_sprint >= capacity.sprint)
    throw new CapacityError('CAPACITY_SPRINT', { sprint_id, limit: capacity.sprint, running: of_sprint });
  if (capacity.host !== undefined && places.length >= capacity.host)
    throw new CapacityError('CAPACITY_HOST', { limit: capacity.host, running: places.length });
  const { frameworks = {} } = capacity;
  const limit = Object.hasOwn(frameworks, framework) ? frameworks[framework] : undefined;
  const same = places.filter((place) => place.framework === framework || place.framework === null).length;
  if (limit !== undefined && same >= limit)
    throw new CapacityError('CAPACITY_FRAMEWORK', { framework, limit, running: same });
}

/** Whether the machine has too little left for one more; a guard set to 0 is off, and load counts only where a limit is set. */
function refuseScarce({ capacity = {} }: Sprint, { machine, worktrees: path }: CapacityDeps): void {
  const { min_memory_mb = MIN_MEMORY_MB, min_disk_mb = MIN_DISK_MB, max_load_per_core: max } = capacity;
  const memory = min_memory_mb === 0 ? undefined : machine.memory();
  if (memory !== undefined && memory.available_mb < min_memory_mb)
    throw new CapacityError('CAPACITY_MEMORY', { ...memory, min_mb: min_memory_mb });
  const disk = min_disk_mb === 0 ? undefined : machine.disk(path);
  if (disk !== undefined && disk.free_mb < min_disk_mb)
    throw new CapacityError('CAPACITY_DISK', { path, free_mb: disk.free_mb, min_mb: min_disk_mb });
  if (disk !== undefined && disk.free_files !== null && disk.free_files < MIN_INODES)
    throw new CapacityError('CAPACITY_INODES', { path, free: disk.free_files, min: MIN_INODES });
  const load = max === undefined ? undefined : machine.load();
  if (max !== undefined && load !== undefined && load.per_core > max) {
    const load_per_core = Math.round(load.per_core * 100) / 100;
    throw new CapacityError('CAPACITY_LOAD', { load_per_core, max, cores: load.cores });
  }
}
