import { keys } from '@caloron/types';

import { stopAll } from './act_agent.ts';
import type { ActContext, Acted } from './act_context.ts';

/** Ends the sprint: stops its agents, then says when it ended; that event starts the retro. A sprint that has ended ends no second time. */
export async function closeSprint(context: ActContext): Promise<Acted> {
  const { sprint_id, sprint } = context.snapshot.state;
  const line = `close:${sprint_id}`;
  const key = keys.endedAt(sprint_id);
  if ((await context.kv.get(key)) !== undefined) return { result: { already: true }, line };

  await stopAll(context);
  const now = context.now();
  const { state, rev, cursors, last_poll } = await context.state.load(sprint_id);
  await context.state.commit({
    sprint_id,
    expect_rev: rev,
    state,
    cursors,
    last_poll,
    events: [],
    actions: [],
    announce: [{ kind: 'sprint.completed', payload: { sprint_id, repo: sprint.repo, ended_at: now } }],
    puts: { [key]: now },
    now,
  });
  return { result: {}, line };
}
