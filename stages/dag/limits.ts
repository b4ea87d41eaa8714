import { providerOf } from '@caloron/types';
import type { EndCause, Task, Timestamp } from '@caloron/types';

import { limitEnd } from '../sprint/retry_policy.ts';
import { budgetReason } from './budget.ts';
import { tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';

/** Codes of tasks that wait for a person because their provider refuses them. */
export const REFUSED = { auth: 'provider_auth', billing: 'provider_billing' } as const;

/** How a provider holds further starts: until an instant, or, with null, until a person has answered for the task that met it. */
export interface Hold {
  readonly provider: string;
  readonly until: Timestamp | null;
}

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

/** The hold on the provider of this sprint's agents; undefined while it serves. Any task's limit counts: the next one would end at it too. */
export function holdOf(draft: Draft): Hold | undefined {
  const { framework, framework_options } = draft.sprint;
  const provider = providerOf(framework, framework_options);
  const limits = tasksInOrder(draft).filter(({ provider_limit }) => provider_limit?.provider === provider);
  if (limits.some(isRefused)) return { provider, until: null };
  const ends = limits.flatMap(({ provider_limit }) => provider_limit?.until ?? []);
  const until = ends.toSorted().at(-1);
  return until === undefined || until <= draft.now ? undefined : { provider, until };
}

/** Whether a task still waits for the person who can make its provider take it again. */
function isRefused({ status, status_reason, provider_limit }: Task): boolean {
  const codes: readonly (string | null)[] = Object.values(REFUSED);
  return provider_limit?.until === null && status === 'Blocked' && codes.includes(status_reason);
}

/** Until when a task must not be started for its own sake; undefined when it may be now. */
export function pausedUntil(draft: Draft, { retry_at }: Task): Timestamp | undefined {
  return retry_at === null || retry_at === undefined || retry_at <= draft.now ? undefined : retry_at;
}

/** What a task waits for that is about to be started; null when nothing stands in its way. */
export function pauseReason(draft: Draft, task: Task, hold: Hold | undefined): string | null {
  if (hold !== undefined) {
    const end = hold.until === null ? 'until a person answers' : `until ${hold.until}`;
    return `provider_limited: ${hold.provider} ${end}`;
  }
  const until = pausedUntil(draft, task);
  return until === undefined ? budgetReason(draft, task) : `retries_at: ${until}`;
}

/** Whether a reason is one of those: it goes when the pause does. */
export function isPauseReason(reason: string | null): boolean {
  return reason !== null && /^(provider_limited|retries_at|budget): /.test(reason);
}
