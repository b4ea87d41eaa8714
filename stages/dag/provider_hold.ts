import { providerOf } from '@caloron/types';
import type { Sprint, Task, Timestamp } from '@caloron/types';

/** Codes of tasks that wait for a person because their provider refuses them. */
export const REFUSED = { auth: 'provider_auth', billing: 'provider_billing' } as const;

/** How a provider holds further starts: until an instant, or, with null, until a person has answered for the task that met it. */
export interface Hold {
  readonly provider: string;
  readonly until: Timestamp | null;
}

/** The hold on the provider of a sprint's agents; undefined while it serves. Any task's limit counts: the next one would end at it too. */
export function providerHold(
  tasks: readonly Task[],
  { framework, framework_options }: Pick<Sprint, 'framework' | 'framework_options'>,
  now: Timestamp,
): Hold | undefined {
  const provider = providerOf(framework, framework_options);
  const limits = tasks.filter(({ provider_limit }) => provider_limit?.provider === provider);
  if (limits.some(isRefused)) return { provider, until: null };
  const ends = limits.flatMap(({ provider_limit }) => provider_limit?.until ?? []);
  const until = ends.toSorted().at(-1);
  return until === undefined || until <= now ? undefined : { provider, until };
}

/** A hold as the reason of a task that waits for its end. */
export function holdReason({ provider, until }: Hold): string {
  return `provider_limited: ${provider} ${until === null ? 'until a person answers' : `until ${until}`}`;
}

/** Whether a task still waits for the person who can make its provider take it again. */
function isRefused({ status, status_reason, provider_limit }: Task): boolean {
  const codes: readonly (string | null)[] = Object.values(REFUSED);
  return provider_limit?.until === null && status === 'Blocked' && codes.includes(status_reason);
}
