import { entriesOf } from '@caloron/types';
import type { Action, AgentInfo, DagState, Id, Sprint, Task, Timestamp } from '@caloron/types';

import { openPurse } from './purse.ts';
import type { Purse } from './purse.ts';
import type { Room } from './room.ts';

/** A `sprint.*` event to append with the state. */
export interface Announcement {
  readonly kind: `sprint.${string}`;
  readonly payload: unknown;
}

/** One evaluation at work: a copy of the state that handlers move on, and what they intend. The given state is never touched. */
export interface Draft {
  readonly sprint: Sprint;
  /** Task ids in authored order; ids the state's order forgot come last. */
  readonly order: readonly Id[];
  readonly tasks: Map<Id, Task>;
  readonly now: Timestamp;
  /** Agents with a live process anywhere. */
  readonly busy: ReadonlySet<Id>;
  status: DagState['status'];
  /** Intended actions by id: intending one twice is intending it once. */
  readonly actions: Map<string, Action>;
  readonly announce: Announcement[];
  /** Bounds nothing until the events are applied. */
  room: Room;
  readonly purse: Purse;
  /** Why a task that could start waits for room. */
  readonly waits: Map<Id, string>;
}

/** Opens a draft of a state. The key of a task is its id. */
export function openDraft(
  state: DagState,
  now: Timestamp,
  busy: readonly Id[],
  agents: readonly AgentInfo[] = [],
): Draft {
  const tasks = new Map(
    entriesOf(state.tasks).map(([id, task]) => [id, task.id === id ? task : { ...task, id }]),
  );
  const known = state.order.filter((id, at) => tasks.has(id) && state.order.indexOf(id) === at);
  const order = [...known, ...[...tasks.keys()].filter((id) => !known.includes(id))];
  return {
    sprint: state.sprint,
    order,
    tasks,
    now,
    busy: new Set(busy),
    status: state.status,
    actions: new Map(),
    announce: [],
    room: { limit: null, left: Infinity },
    purse: openPurse(state, now, agents),
    waits: new Map(),
  };
}

/** The state a draft has come to; the given one itself when nothing moved. */
export function closeDraft(state: DagState, draft: Draft): DagState {
  const given = entriesOf(state.tasks);
  const moved =
    draft.status !== state.status ||
    draft.purse.sprint !== state.budget ||
    draft.tasks.size !== given.length ||
    given.some(([id, task]) => draft.tasks.get(id) !== task);
  if (!moved) return state;
  const { sprint: budget } = draft.purse;
  return {
    ...state,
    status: draft.status,
    tasks: Object.fromEntries(draft.tasks),
    ...(budget === undefined ? {} : { budget }),
  };
}

/** The tasks in authored order, as they stand at the call. */
export function tasksInOrder(draft: Draft): readonly Task[] {
  return draft.order.flatMap((id) => draft.tasks.get(id) ?? []);
}

/** Moves a task on; `status_at` follows a change of status. */
export function update(draft: Draft, task: Task, change: Partial<Task>): Task {
  const moved = change.status !== undefined && change.status !== task.status;
  const same = Object.entries(change).every(([field, value]) => Object.is(task[field as keyof Task], value));
  if (same && !moved && draft.tasks.get(task.id) === task) return task;
  const next: Task = { ...task, ...change, ...(moved ? { status_at: draft.now } : {}) };
  draft.tasks.set(task.id, next);
  return next;
}

/** Intends an action. */
export function intend(draft: Draft, intended: Action): void {
  draft.actions.set(intended.action_id, intended);
}

/** Done or Cancelled: nothing moves the task any more. */
export function isTerminal(task: Pick<Task, 'status'>): boolean {
  return task.status === 'Done' || task.status === 'Cancelled';
}

/** A cause that is new after a person's answer, so that an action which ended for good before can run again. */
export function causeOf(task: Task, cause: string): string {
  const episode = task.episode ?? 0;
  return episode === 0 ? cause : `${cause}:${episode}`;
}
