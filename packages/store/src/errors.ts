import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why the store could not answer. */
export interface StoreErrorDetails {
  /** The file cannot be opened as this program's database. */
  STORE_OPEN_FAILED: { readonly path: string; readonly reason: string };
  /** A newer version of this program wrote the database. */
  STORE_NEWER: { readonly path: string; readonly version: number; readonly known: number };
  /** Other processes held the write lock for the whole deadline. */
  STORE_BUSY: { readonly path: string; readonly waited_ms: number };
  /** The disk, or the database's size limit, is full; nothing was written. */
  STORE_FULL: { readonly path: string };
  /** SQLite failed in another way; `sqlite_code` is its own name for it. */
  STORE_FAILED: { readonly path: string; readonly sqlite_code: string; readonly reason: string };
  /** The database was closed before the call. */
  STORE_CLOSED: { readonly path: string };
  /** The value of a key is damaged, of another shape, or no JSON. */
  STORE_VALUE_INVALID: { readonly key: string; readonly issues: readonly string[] };
  /** A row does not have the shape its table declares. */
  STORE_ROW_INVALID: { readonly table: string; readonly id: string; readonly issues: readonly string[] };
  /** A key that cannot be stored: empty, over 512 characters, or with half a surrogate pair. */
  STORE_KEY_INVALID: { readonly key: string };
  /** A key that is computed from other tables and cannot be written. */
  STORE_KEY_VIRTUAL: { readonly key: string };
  /** The key has another revision than the caller read; nothing was written. */
  STORE_CONFLICT: { readonly key: string; readonly expected: number; readonly actual: number };
  /** The run's lease, or its hold on the action, was lost; nothing was written. */
  STORE_FENCED: { readonly lease: string; readonly fence: number; readonly actual: number | null };
  /** The stage store file is damaged; `issues` name the places. */
  STORE_STAGES_INVALID: { readonly file: string; readonly issues: readonly string[] };
  /** The stage store file cannot be read or written. */
  STORE_STAGES_FAILED: { readonly file: string; readonly reason: string };
  /** The author's key cannot be read or made, or others can read it. Never says what is in it. */
  STORE_AUTHOR_KEY_FAILED: { readonly file: string; readonly reason: string };
  /** The list of trusted keys is damaged. */
  STORE_TRUST_INVALID: { readonly file: string; readonly issues: readonly string[] };
  /** The beginning of an id fits several runs or compositions. */
  RUN_AMBIGUOUS: { readonly reference: string; readonly candidates: readonly string[] };
  /** No sprint of this id was kicked off in this database. */
  SPRINT_UNKNOWN: { readonly sprint_id: string; readonly known: readonly string[] };
  /** A process was started for this action already, or has this id. */
  PROCESS_EXISTS: { readonly action_id: string; readonly process_id: string };
  /** No process has this id. */
  PROCESS_UNKNOWN: { readonly process_id: string };
  /** The sprint is paused: none of its agents begins. Retryable. */
  SPRINT_PAUSED: { readonly sprint_id: string };
  /** The outbox has no such action. */
  ACTION_UNKNOWN: { readonly action_id: string };
  /** The action was not started, or has another outcome already. */
  ACTION_NOT_RUNNING: { readonly action_id: string; readonly status: string };
}

const message: Messages<StoreErrorDetails> = {
  STORE_OPEN_FAILED: ({ path, reason }) => `${path} cannot be opened as a database: ${reason}`,
  STORE_NEWER: ({ path, version, known }) =>
    `${path} has schema version ${version}; this program knows versions up to ${known}`,
  STORE_BUSY: ({ path, waited_ms }) => `${path} was locked by other processes for ${waited_ms} ms`,
  STORE_FULL: ({ path }) => `${path} cannot grow: the disk is full`,
  STORE_FAILED: ({ path, sqlite_code, reason }) => `${path}: ${sqlite_code}: ${reason}`,
  STORE_CLOSED: ({ path }) => `${path} is closed`,
  STORE_VALUE_INVALID: ({ key, issues }) => `the value at ${key} is not valid: ${issues.join('; ')}`,
  STORE_ROW_INVALID: ({ table, id, issues }) =>
    `row ${id} of table ${table} is not valid: ${issues.join('; ')}`,
  STORE_KEY_INVALID: ({ key }) =>
    `${JSON.stringify(key.slice(0, 80))} cannot be a key: expected 1 to 512 characters of well-formed text`,
  STORE_KEY_VIRTUAL: ({ key }) => `${key} is computed from the agents of the sprint and cannot be written`,
  STORE_CONFLICT: ({ key, expected, actual }) =>
    `${key} has revision ${actual}, expected ${expected}: it was changed in the meantime`,
  STORE_FENCED: ({ lease, fence, actual }) =>
    `${lease} is no longer held with fence ${fence}${actual === null ? '' : ` (now ${actual})`}: another run has taken over`,
  STORE_STAGES_INVALID: ({ file, issues }) => `${file} is no stage store: ${issues.join('; ')}`,
  STORE_STAGES_FAILED: ({ file, reason }) => `${file} cannot be used: ${reason}`,
  STORE_AUTHOR_KEY_FAILED: ({ file, reason }) => `the author's key ${file} cannot be used: ${reason}`,
  STORE_TRUST_INVALID: ({ file, issues }) => `${file} is no list of trusted keys: ${issues.join('; ')}`,
  RUN_AMBIGUOUS: ({ reference, candidates }) =>
    `${JSON.stringify(reference)} fits several: ${candidates.join(', ')}`,
  SPRINT_UNKNOWN: ({ sprint_id, known }) =>
    `no sprint ${sprint_id} in this database; it knows ${known.length === 0 ? 'no sprint yet' : known.join(', ')}`,
  PROCESS_EXISTS: ({ action_id, process_id }) =>
    `process ${process_id} was started for action ${action_id} already`,
  PROCESS_UNKNOWN: ({ process_id }) => `no process ${process_id} in this database`,
  SPRINT_PAUSED: ({ sprint_id }) => `sprint ${sprint_id} is paused: nothing of it is started`,
  ACTION_UNKNOWN: ({ action_id }) => `the outbox has no action ${action_id}`,
  ACTION_NOT_RUNNING: ({ action_id, status }) => `action ${action_id} is ${status}, not running`,
};

const hint: Partial<{ readonly [C in keyof StoreErrorDetails]: string }> = {
  STORE_OPEN_FAILED: 'name another file with CALORON_DB or another directory with --home',
  STORE_NEWER: 'update this program, or name another file with CALORON_DB',
  STORE_BUSY: 'try again; a process that writes without pause holds the database',
  STORE_FULL: 'free some space and try again',
  STORE_VALUE_INVALID: 'if the database was damaged: ./caloron kv rebuild',
  RUN_AMBIGUOUS: 'write more of its id',
  SPRINT_UNKNOWN: 'start a sprint with: ./caloron kickoff',
  SPRINT_PAUSED: 'let it go on with: ./caloron resume',
};

const retryable: ReadonlySet<keyof StoreErrorDetails> = new Set([
  'STORE_BUSY',
  'STORE_FULL',
  'SPRINT_PAUSED',
]);

/** The store could not answer. */
export class StoreError<C extends keyof StoreErrorDetails = keyof StoreErrorDetails> extends CodedError<
  StoreErrorDetails,
  C
> {
  override readonly name = 'StoreError';

  constructor(code: C, details: StoreErrorDetails[C], options: CodedErrorOptions = {}) {
    const advice = options.hint ?? hint[code];
    super(code, details, message[code](details), {
      ...options,
      retryable: options.retryable ?? retryable.has(code),
      ...(advice === undefined ? {} : { hint: advice }),
    });
  }
}

/** Issues of a zod error as `path message`, for people. */
export function issuesOf(error: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}): readonly string[] {
  return error.issues
    .slice(0, 10)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join('.')} ${message}`));
}
