import type { LogRow } from '@caloron/store';
import { Event, type Id, type OutboxRow, type Task, type Timestamp } from '@caloron/types';

import type { Attempt } from './task-attempts.ts';

/** Something that was decided about a task, by the program or a person, and why. */
export interface Decision {
  readonly at: Timestamp;
  /** `retry`: an action or an attempt failed and is tried again; `gave_up`: it is not; `word`: a person's. */
  readonly what: 'probe' | 'restart' | 'reassign' | 'escalate' | 'retry' | 'gave_up' | 'word';
  readonly reason: string;
  /** Of an action that failed its code, of an attempt its class; null for a decision that followed no failure. */
  readonly code: string | null;
  /** What has become of it: `pending` and `running` are under way, `failed` is tried again, `dead` never is; null for a word. */
  readonly state: OutboxRow['status'] | null;
  /** When it is tried next; null when that is not open. */
  readonly next_at: Timestamp | null;
  /** The action it is about; null for a word. */
  readonly action_id: string | null;
}

/** What decisions are read from. */
export interface Decided {
  readonly log: readonly LogRow[];
  readonly outbox: readonly OutboxRow[];
  readonly attempts: readonly Attempt[];
}

/** Whatever was decided about a task, the first one first. */
export function decisionsOf(task: Task, { log, outbox, attempts }: Decided): readonly Decision[] {
  const rows = new Map(outbox.map((row) => [row.action_id, row]));
  const intended = new Map(
    log.flatMap(({ kind, target, at }) =>
      kind === 'outbox.intended' && target !== null ? [[target, at]] : [],
    ),
  );
  const decided = outbox.flatMap((row): readonly Decision[] => {
    const { action, action_id } = row;
    const at = intended.get(action_id);
    if (action.task_id !== task.id || at === undefined) return [];
    if (action.type !== 'supervisor' && action.type !== 'escalate') return [];
    const what = action.type === 'supervisor' ? action.action : 'escalate';
    return [{ ...toldOf(row), at, what, reason: action.reason, code: null }];
  });
  const said = log.flatMap((row) => saidOf(row, task.id, rows));
  // Only of an action's latest failure is the next attempt open.
  const latest = new Map(said.map((each) => [each.action_id, each]));
  const failed = said.map((each) =>
    latest.get(each.action_id) === each ? each : { ...each, next_at: null },
  );
  return [...decided, ...failed, ...retriesOf(task, attempts)].toSorted((a, b) =>
    a.at < b.at ? -1 : a.at > b.at ? 1 : 0,
  );
}

/** Attempts that ended without work and after which another one was, or will be, started. */
function retriesOf({ retry_at, status }: Task, attempts: readonly Attempt[]): readonly Decision[] {
  return attempts.flatMap((attempt, n): readonly Decision[] => {
    const { role, outcome, cause, why, ended_at: at } = attempt;
    const unchanged = outcome === 'no_changes' || (outcome === 'completed' && why !== null);
    const failed = outcome === 'failed' || outcome === 'timeout' || unchanged;
    if (at === null || (cause === null && !failed)) return [];
    const again = attempts.some((later, m) => m > n && later.role === role);
    const next_at = again || status === 'Blocked' ? null : (retry_at ?? null);
    if (!again && next_at === null) return [];
    const reason = `${role} ${attempt.attempt}: ${cause?.sentence ?? why ?? outcome ?? 'ended without work'}`;
    // A failure nobody could explain counts as a crash.
    const code = cause?.class ?? (unchanged ? 'no_changes' : outcome === 'timeout' ? 'timeout' : 'crash');
    return [{ at, what: 'retry', reason, code, state: null, next_at, action_id: null }];
  });
}

function toldOf(row: OutboxRow): Pick<Decision, 'state' | 'next_at' | 'action_id'> {
  const { status, next_at, action_id } = row;
  return { state: status, next_at: status === 'failed' ? next_at : null, action_id };
}

function saidOf(row: LogRow, task_id: Id, rows: ReadonlyMap<string, OutboxRow>): readonly Decision[] {
  if (row.kind !== 'action_failed' && row.kind !== 'human_command') return [];
  const event = Event.safeParse(row.payload).data;
  if (event?.type === 'human_command' && event.task_id === task_id)
    return [
      {
        at: row.at,
        what: 'word',
        reason: event.actor === null ? event.word : `${event.word} (${event.actor})`,
        code: null,
        state: null,
        next_at: null,
        action_id: null,
      },
    ];
  if (event?.type !== 'action_failed' || event.action.task_id !== task_id) return [];
  const { action, error, final } = event;
  const outcome = rows.get(action.action_id);
  const told =
    outcome === undefined ? { state: null, next_at: null, action_id: action.action_id } : toldOf(outcome);
  const reason = `${action.type}: ${error.message}`;
  return [{ ...told, at: row.at, what: final ? 'gave_up' : 'retry', reason, code: error.code }];
}

const STATES: Readonly<Record<OutboxRow['status'], string>> = {
  pending: 'not yet done',
  running: 'under way',
  done: 'done',
  failed: 'to be tried again',
  dead: 'given up',
};

/** A decision as it stands on a terminal. */
export function decisionLine({ at, what, reason, code, state, next_at }: Decision): string {
  const facts = [
    ...(code === null ? [] : [code]),
    ...(state === null ? [] : [STATES[state]]),
    ...(next_at === null ? [] : [`next at ${next_at}`]),
  ];
  return `${at}  ${what.padEnd(8)}  ${reason}${facts.length === 0 ? '' : ` [${facts.join('; ')}]`}`;
}
