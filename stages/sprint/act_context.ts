import {
  markerOf,
  ownOf,
  type Action,
  type ActionResult,
  type ForgeIssue,
  type ForgeRepo,
  type KvRead,
  type KvWrite,
  type Shell,
  type SprintSnapshot,
  type StateCommit,
  type Task,
  type Timestamp,
} from '@caloron/types';

import { isOneOf } from '../github/trust.ts';
import { ActError } from './errors.ts';
import type { ForeignHold } from './held_elsewhere.ts';
import { written } from './unsure_write.ts';

/** What acting needs of the world. */
export interface ActContext {
  /** The sprint as it was when the drain began. */
  readonly snapshot: SprintSnapshot;
  /** Opened when the first action needs it: a missing token fails those actions and no others. */
  readonly forge: () => ForgeRepo;
  readonly shell: () => Shell;
  /** Creates one of our labels where it is missing; asked once per drain. */
  readonly ensureLabel: (label: string) => Promise<void>;
  /** All issues of the sprint's repository with our task label; listed once per drain. */
  readonly taskIssues: () => Promise<readonly ForgeIssue[]>;
  /** The hold on the sprint's provider that another sprint met; looked up once per drain. */
  readonly heldElsewhere: () => Promise<ForeignHold | undefined>;
  readonly state: StateCommit;
  readonly kv: KvRead & KvWrite;
  readonly now: () => Timestamp;
}

/** What came of one action. */
export interface Acted {
  readonly result: ActionResult;
  /** The action in one short line, for people. */
  readonly line: string;
  /** What went wrong beside the point: the action itself is done. */
  readonly notes?: readonly string[];
}

/** The task an action is about; ACTION_TASK_UNKNOWN when the sprint has no such task. */
export function taskOf({ action_id, task_id }: Action, { snapshot }: ActContext): Task {
  const task = task_id === null ? undefined : ownOf(snapshot.state.tasks, task_id);
  if (task === undefined) throw new ActError('ACTION_TASK_UNKNOWN', { action_id, task_id });
  return task;
}

/** The hidden line by which a repeated action finds what it wrote before. */
export function actionMarker(action_id: string): string {
  return `<!-- caloron-action:${action_id} -->`;
}

/** A text with the hidden lines everything we write carries. */
export function signed(text: string, action: Action): string {
  const task =
    action.sprint_id === null || action.task_id === null ? '' : markerOf(action.sprint_id, action.task_id);
  return `${text}\n\n${task}${actionMarker(action.action_id)}`;
}

/** Whether a login is ours: of an agent, or the one our token stands for. Anybody can write our hidden lines. */
export async function isFromUs(author: string | null, context: ActContext): Promise<boolean> {
  if (isOneOf(author, context.snapshot.state.sprint.agent_logins)) return true;
  return author !== null && isOneOf(author, [await context.forge().whoami()]);
}

/** The first that we have written; undefined when none is ours. */
export async function firstOfOurs<T extends { readonly author: string | null }>(
  all: readonly T[],
  context: ActContext,
): Promise<T | undefined> {
  for (const one of all) if (await isFromUs(one.author, context)) return one;
  return undefined;
}

/** Comments once: a comment of ours that carries the action's hidden line is the one this action wrote before. */
export async function commentOnce(
  action: Action,
  issue_number: number,
  text: string,
  context: ActContext,
): Promise<{ readonly comment_id: number; readonly already: boolean }> {
  const repo = context.forge();
  const marked = (await repo.comments(issue_number)).filter(({ body }) =>
    body.includes(actionMarker(action.action_id)),
  );
  const before = await firstOfOurs(marked, context);
  if (before !== undefined) return { comment_id: before.id, already: true };
  const { id } = await written(context, () => repo.comment(issue_number, signed(text, action)));
  return { comment_id: id, already: false };
}
