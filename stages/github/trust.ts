import { parseMarker, type DagState, type ForgePull, type Task } from '@caloron/types';

/** What the hidden lines of our own comments begin with. */
const OURS = /<!-- caloron[:-]/;

/** Whether a login is one of a list; hosts compare logins without regard to case. */
export function isOneOf(login: string | null, logins: readonly string[]): boolean {
  return login !== null && logins.some((other) => other.toLowerCase() === login.toLowerCase());
}

/** Whether a text was written by an agent or by us: everything they write carries a hidden line. */
export function isOurs(body: string): boolean {
  return OURS.test(body) || parseMarker(body) !== undefined;
}

/**
 * Whether a pull request may move its task: on the expected base, no draft, no fork, by a configured agent login; or by a configured
 * person for a task a person has taken.
 */
export function pullIsTrusted(pull: ForgePull, state: DagState | null, task: Task | null): boolean {
  if (state === null || pull.draft || pull.fork || pull.base_ref !== state.sprint.base_branch) return false;
  const { agent_logins, human_logins } = state.sprint;
  if (isOneOf(pull.author, agent_logins)) return true;
  return task?.status === 'HumanAssigned' && isOneOf(pull.author, human_logins);
}

/**
 * Whether a review counts: by a configured reviewer who is not the author. The public form of a verdict that came by report carries our
 * hidden line, by which the evaluation knows it and does not count it twice.
 */
export function reviewIsTrusted(
  review: { readonly author: string | null },
  pull: ForgePull,
  state: DagState | null,
): boolean {
  if (state === null) return false;
  if (pull.author !== null && isOneOf(review.author, [pull.author])) return false;
  return isOneOf(review.author, state.sprint.reviewer_logins);
}

/** Whether a comment may steer: by a configured person, and not one of ours (a person and the agents may share one account). */
export function commentIsTrusted(
  comment: { readonly author: string | null; readonly body: string },
  state: DagState | null,
): boolean {
  return state !== null && isOneOf(comment.author, state.sprint.human_logins) && !isOurs(comment.body);
}
