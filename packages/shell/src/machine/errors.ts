import { CodedError, type Messages } from '@caloron/noether/errors';

/** Why there is no room for an agent now: code → facts. Every one passes by itself, and is retryable. */
export interface CapacityErrorDetails {
  /** The sprint has as many live agents as it may (`capacity.sprint`). */
  CAPACITY_SPRINT: { readonly sprint_id: string; readonly limit: number; readonly running: number };
  /** The shell has as many live agents, of all its sprints, as it may (`capacity.host`). */
  CAPACITY_HOST: { readonly limit: number; readonly running: number };
  /** So many live agents of the framework (`capacity.frameworks`). */
  CAPACITY_FRAMEWORK: { readonly framework: string; readonly limit: number; readonly running: number };
  /** Less memory is available, in MiB, than must be left (`capacity.min_memory_mb`). */
  CAPACITY_MEMORY: { readonly available_mb: number; readonly min_mb: number; readonly source: string };
  /** Less is free, in MiB, where the worktrees lie than must be left (`capacity.min_disk_mb`). */
  CAPACITY_DISK: { readonly path: string; readonly free_mb: number; readonly min_mb: number };
  /** Fewer files can be made where the worktrees lie than a checkout may need. */
  CAPACITY_INODES: { readonly path: string; readonly free: number; readonly min: number };
  /** More processes wait per core, over the last minute, than may (`capacity.max_load_per_core`). */
  CAPACITY_LOAD: { readonly load_per_core: number; readonly max: number; readonly cores: number };
}

function agents(running: number, limit: number, whose: string): string {
  return `${running} of at most ${limit} agents ${whose} are at work`;
}

const messages: Messages<CapacityErrorDetails> = {
  CAPACITY_SPRINT: ({ sprint_id, limit, running }) =>
    `${agents(running, limit, `of sprint ${sprint_id}`)} (capacity.sprint)`,
  CAPACITY_HOST: ({ limit, running }) => `${agents(running, limit, 'of this shell')} (capacity.host)`,
  CAPACITY_FRAMEWORK: ({ framework, limit, running }) =>
    `${agents(running, limit, `with ${framework}`)} (capacity.frameworks)`,
  CAPACITY_MEMORY: ({ available_mb, min_mb, source }) =>
    `${available_mb} MiB of memory are available by ${source}, ${min_mb} MiB must be (capacity.min_memory_mb)`,
  CAPACITY_DISK: ({ path, free_mb, min_mb }) =>
    `${free_mb} MiB are free at ${path}, ${min_mb} MiB must be (capacity.min_disk_mb)`,
  CAPACITY_INODES: ({ path, free, min }) => `${free} more files can be made at ${path}, ${min} must be`,
  CAPACITY_LOAD: ({ load_per_core, max, cores }) =>
    `the load is ${load_per_core} per core of ${cores}, at most ${max} may be (capacity.max_load_per_core)`,
};

const hints: Readonly<Record<keyof CapacityErrorDetails, string>> = {
  CAPACITY_SPRINT: 'it starts by itself when one of them ends',
  CAPACITY_HOST: 'it starts by itself when one of them ends',
  CAPACITY_FRAMEWORK: 'it starts by itself when one of them ends',
  CAPACITY_MEMORY: 'end what needs memory here; it starts by itself then',
  CAPACITY_DISK: 'delete what is not needed there; it starts by itself then',
  CAPACITY_INODES: 'delete files that are not needed there; it starts by itself then',
  CAPACITY_LOAD: 'it starts by itself when the machine has less to do',
};

/** There is no room for an agent now. */
export class CapacityError<
  C extends keyof CapacityErrorDetails = keyof CapacityErrorDetails,
> extends CodedError<CapacityErrorDetails, C> {
  override readonly name = 'CapacityError';

  constructor(code: C, details: CapacityErrorDetails[C]) {
    super(code, details, messages[code](details), { retryable: true, hint: hints[code] });
  }
}
