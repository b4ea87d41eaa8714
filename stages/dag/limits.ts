import type { EndCause, Task, Timestamp } from '@caloron/types';

import { limitEnd } from '../sprint/retry_policy.ts';
import { budgetReason } from './budget.ts';
import { tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';
import { type Hold, holdReason, providerHold } from './provider_hold.ts';

/** What ends a task's pauses: work came of a run, or a person answered. */
export const notPaused = { retry_at: null, parked: 0, stops: 0, provider_limit: null } as const;

/** What a cause says of its provider, as its task remembers it; null when it says nothing. */
export function limitOf(draft: Draft, cause: EndCause, at: Timestamp): Task['provider_limit'] {
  if (cause.provider === null) return null;
  const { provider } = cause;
  if (cause.class === 'auth' || cause.class === 'billing') return { provider, until: null };
  if (cause.class !== 'quota' && cause.class !== 'rate_limit') return null;
  const until = limitEnd(cause, at);
  return until === null || until <= draft.now ? null : { provider, until };
}

/** The hold on the provider of this sprint's agents; undefined while it serves. */
export function holdOf(draft: Draft): Hold | undefined {
  return providerHold(tasksInOrder(draft), draft.sprint, draft.now);
}

/** Until when a task must not be started for its own sake; undefined when it may be now. */
export function pausedUntil(draft: Draft, { retry_at }: Task): Timestamp | undefined {
  return retry_at === null || retry_at === undefined || retry_at <= draft.now ? undefined : retry_at;
}

/** What a task waits for that is about to be started; null when nothing stands in its way. */
export function pauseReason(draft: Draft, task: Task, hold: Hold | undefined): string | null {
  if (hold !== undefined) return holdReason(hold);
  const until = pausedUntil(draft, task);
  return until === undefined ? budgetReason(draft, task) : `retries_at: ${until}`;
}

/** Whether a reason is one of those: it goes when the pause does. */
export function isPauseReason(reason: string | null): boolean {
  return reason !== null && /^(provider_limited|retries_at|budget): /.test(reason);
}
