import type { ActionError, ActionOf, Task } from '@caloron/types';

import { reserve } from './budget.ts';
import { intend, tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';
import { isPauseReason } from './limits.ts';

/** How many more agents the sprint's own limit lets start; counted down as they are intended. */
export interface Room {
  /** The setting `capacity.sprint`; null does not bind. */
  readonly limit: number | null;
  left: number;
}

/** What the sprint's limit leaves beside the agents that work, authors and reviewers alike. */
export function roomOf(draft: Draft): Room {
  const limit = draft.sprint.capacity?.sprint ?? null;
  if (limit === null) return { limit, left: Infinity };
  let live = 0;
  for (const { status, process_id, reviewer_run } of tasksInOrder(draft)) {
    if (status === 'InProgress' && process_id !== null) live += 1;
    if (reviewer_run?.over === false) live += 1;
  }
  return { limit, left: Math.max(0, limit - live) };
}

/** Why a task cannot have a start of the sprint's limit; null when it can. Noted, for `stuck` tells it where the task's own reason says something else. */
export function roomReason(draft: Draft, task: Task): string | null {
  const { room, waits } = draft;
  if (room.left > 0) return null;
  const reason = `capacity: all ${room.limit ?? 0} agents that this sprint may have at once are at work`;
  waits.set(task.id, reason);
  return reason;
}

/** Intends a start and takes its room; gives why it was put back, if it was. */
export function intendStart(draft: Draft, task: Task, start: ActionOf<'spawn_agent'>): string | null {
  reserve(draft, task, start);
  intend(draft, start);
  draft.room.left -= 1;
  const reason = putBackReason(task, start.action_id);
  if (reason !== null) draft.waits.set(task.id, reason);
  return reason;
}

function putBackReason({ put_back }: Task, action_id: string): string | null {
  return put_back?.action_id === action_id ? put_back.reason : null;
}

/** The code of an action whose task has moved on since it was intended. */
export const OVERTAKEN = 'ACTION_OVERTAKEN';

/** Codes of a merge that its pull request, or a rule of the repository, does not allow for now. */
export const MERGE_WAITS: readonly string[] = ['MERGE_DRAFT', 'MERGE_BLOCKED'];

/** The code of a request that was not made, for a limit or an outage of the forge: nothing failed, and nothing is counted. */
const PARKED = 'FORGE_PARKED';

/** The code of a start on an issue that another orchestrator has. */
export const CLAIM_HELD = 'CLAIM_HELD';
/** The code of a start of which it is not known yet who has its issue. */
export const CLAIM_UNSETTLED = 'CLAIM_UNSETTLED';

/** Codes of what is to wait for as long as it takes, beside the shell's for want of room. */
const WAITS: readonly string[] = [
  ...MERGE_WAITS,
  PARKED,
  'PROVIDER_HELD',
  CLAIM_HELD,
  CLAIM_UNSETTLED,
  'SPRINT_PAUSED',
  OVERTAKEN,
];

/** Whether an action found no room, or its task does not want it for now, and is to wait for as long as it takes: it failed of nothing. */
export function isWait({ code }: Pick<ActionError, 'code'>): boolean {
  return code.startsWith('CAPACITY_') || WAITS.includes(code);
}

/** Whether a task's reason speaks of a wait for its start alone, and goes with it. */
export function isWaiting(reason: string | null): boolean {
  if (reason === null) return false;
  return reason === 'agent_busy' || /^(capacity|not_started|claimed): /.test(reason) || isPauseReason(reason);
}

/** Why a start that will be tried again was not made, for people. */
export function waitReason(error: ActionError): string {
  const { code, message } = error;
  if (code === CLAIM_HELD) return `claimed: ${message}`;
  if (!isWait(error) || code === PARKED || code === CLAIM_UNSETTLED) return `not_started: ${message}`;
  return `${code === 'PROVIDER_HELD' ? 'provider_limited' : 'capacity'}: ${message}`;
}
