import { contentId } from '@caloron/noether/stage';
import { slug } from '@caloron/types';
import type { Id, Timestamp } from '@caloron/types';

/** A task as a brief gives it, before anybody is assigned. */
export interface PlannedTask {
  readonly id: Id;
  readonly title: string;
  readonly description: string;
  readonly depends_on: readonly Id[];
}

/** A brief made into tasks: what it is all for, and what is to be done. */
export interface Plan {
  readonly goal: string;
  readonly tasks: readonly PlannedTask[];
}

/** Characters of a goal. */
const GOAL_CHARS = 200;

/** One line of text, cut to what a goal holds. */
export function goalOf(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return Array.from(line).slice(0, GOAL_CHARS).join('');
}

/** The id of a sprint that nobody named: its goal and the day (UTC). */
export function sprintIdOf(goal: string, now: Timestamp): Id {
  return `${slug(goal, 'sprint')}-${now.slice(0, 10).replaceAll('-', '')}`;
}

/** Which brief a text is: the hash of what it says, white space around it aside. */
export function briefIdOf(brief: string): string {
  // Half an emoji has no canonical form.
  return contentId(brief.trim().toWellFormed());
}

/** An id made of a title that none of `taken` is: a second one of the same words gets a number. */
export function freeId(title: string, taken: ReadonlySet<Id>): Id {
  const base = slug(title);
  for (let n = 1; ; n += 1) {
    const id = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(id)) return id;
  }
}
