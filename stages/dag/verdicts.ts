import type { Id, Review, Task } from '@caloron/types';

/** The key an agent's verdicts are kept under, apart from any login. */
export function agentKey(agent_id: Id): string {
  return `agent:${agent_id}`;
}

/** The reviews that count: those of the current head. */
export function countingReviews(task: Task): readonly Review[] {
  return Object.values(task.reviews).filter((review) => review.head_sha === task.head_sha);
}

/** How many approve the current head. */
export function approvalsOf(task: Task): number {
  return countingReviews(task).filter(({ state }) => state === 'approved').length;
}

/** What one reviewer said of the current head. */
export function verdictOn(task: Task, key: string): Review | undefined {
  const review = Object.hasOwn(task.reviews, key) ? task.reviews[key] : undefined;
  return review?.head_sha === task.head_sha ? review : undefined;
}
