import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import type { Event } from '@caloron/types';

import { type Context, person } from './context.ts';

/** What a person says of a task. */
export type Said = Pick<
  Extract<Event, { type: 'human_command' }>,
  'task_id' | 'word' | 'process_id' | 'approval'
>;

/** Writes a person's word into a sprint's log, as a comment on the task's issue would be read: the next tick acts on it. */
export function say(context: Context, sprint_id: string, said: Said): Promise<{ readonly seq: number }> {
  return context.runtime().store.events.appendEvent(sprint_id, {
    type: 'human_command',
    event_id: `human_command:${systemRandom.uuid()}`,
    created_at: systemClock.now(),
    actor: person(context),
    trusted: true,
    ...said,
  });
}
