import { contentId } from '@caloron/noether/stage';
import type { ActionOf, ActionType, Id } from '@caloron/types';

/** The id of an action: the same cause gives the same id, so that intending it twice is intending it once. */
export function actionId(sprint_id: Id | null, type: ActionType, task_id: Id | null, cause: string): string {
  // Half an emoji has no canonical form; a forge's text may hold one.
  return contentId([sprint_id, type, task_id, cause.toWellFormed()]).slice(0, 32);
}

type Facts<T extends ActionType> = Omit<ActionOf<T>, 'action_id' | 'type'>;

/** An action with the id its cause gives it. */
export function action<T extends ActionType>(type: T, facts: Facts<T>): ActionOf<T> {
  const { sprint_id, task_id, cause } = facts;
  return { ...facts, type, action_id: actionId(sprint_id, type, task_id, cause) } as unknown as ActionOf<T>;
}
