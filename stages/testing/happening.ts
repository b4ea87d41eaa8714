import type { ActionOf, EndCause, HumanWord, Id } from '@caloron/types';

import { action } from '../sprint/action-id.ts';

/** One thing that happens to the world of one task. */
export type Happening =
  | { readonly what: 'act' | 'act_all' | 'wait' }
  | { readonly what: 'refuse'; readonly code: string }
  | { readonly what: 'end'; readonly cause: EndCause['class'] }
  | { readonly what: 'finish' | 'push' | 'late'; readonly head: string }
  | { readonly what: 'restart'; readonly to: Id | null }
  | { readonly what: 'review'; readonly says: 'approved' | 'changes_requested' | 'dismissed' }
  | { readonly what: 'issue' | 'pull' | 'checks' }
  | { readonly what: 'word'; readonly word: HumanWord };

/** The intervention that ends a process, in favour of another agent or of the same. */
export function taken(
  { sprint_id, task_id, agent_id }: ActionOf<'spawn_agent'>,
  process_id: string,
  to: Id | null,
  n: number,
): ActionOf<'supervisor'> {
  return action('supervisor', {
    cause: `0:${String(n)}`,
    sprint_id,
    task_id,
    agent_id,
    process_id,
    action: to === null ? 'restart' : 'reassign',
    reason: 'no progress',
    message: '',
    ...(to === null ? {} : { to }),
  });
}
