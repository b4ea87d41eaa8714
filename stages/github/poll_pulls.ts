import type { DagState, ForgePull, ForgeRepo, ForgeReview, Timestamp } from '@caloron/types';

import type { Candidate } from './candidate.ts';
import type { Reading } from './link.ts';
import { awaitsChecks, readChecks, wantsReviews } from './read_pulls.ts';

/** The reviews of the changed pull requests that may move a task, one request each. */
export async function pollReviews(
  repo: ForgeRepo,
  pulls: readonly ForgePull[],
  reading: Reading,
): Promise<ReadonlyMap<number, readonly ForgeReview[]>> {
  const asked = pulls.filter((pull) => wantsReviews(pull, reading));
  const found = new Map<number, readonly ForgeReview[]>();
  for (const { number } of asked) found.set(number, await repo.reviews(number));
  return found;
}

/** The checks of the heads that wait on them, one request each. */
export async function pollChecks(
  repo: ForgeRepo,
  state: DagState | null,
  at: Timestamp | null,
  only_unknown: boolean,
): Promise<readonly Candidate[]> {
  if (state === null) return [];
  const found: Candidate[] = [];
  for (const task of Object.values(state.tasks)) {
    if (task.head_sha === null || !awaitsChecks(task, state.sprint.required_approvals, only_unknown))
      continue;
    const candidate = readChecks(task, await repo.checks(task.head_sha), at ?? task.status_at);
    if (candidate !== null) found.push(candidate);
  }
  return found;
}
