import type { ActionOf, EndCause, HumanWord, Id, Role, Timestamp } from '@caloron/types';

import { action } from '../sprint/action-id.ts';

/** One thing that happens to the world of one task. */
export type Happening =
  | { readonly what: 'act' | 'act_all' | 'wait' }
  | { readonly what: 'refuse'; readonly code: string }
  /** The pull request is drafted, or a rule of the repository stands against its merge, until a person sees to it. */
  | { readonly what: 'forbid'; readonly code: 'MERGE_DRAFT' | 'MERGE_BLOCKED' }
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

/** What is told of a process of task `a` that ended. */
export function endOf(process_id: string, role: Role, cause: EndCause['class'], at: Timestamp) {
  const why = { class: cause, until: null, provider: 'stub', sentence: `it was ${cause}` };
  const exit = { code: 1, signal: null, at, known: true, cause: why };
  return { type: 'agent_exited', process_id, task_id: 'a', role, exit } as const;
}
