import { Action, AgentsMap, DagState, Event, Id, Timestamp } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { askForBudget, tidyBudgets, watchBudget } from './pausing.ts';
import { closePurse } from './budget.ts';
import { criticalFirst } from './critical_path.ts';
import { closeDraft, openDraft, tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';
import { exampleEnd, exampleInput, exampleOutput, exampleWait } from './example.ts';
import { holdOf } from './limits.ts';
import { account } from './purse.ts';
import { judge, proceed } from './review.ts';
import { roomOf } from './room.ts';
import { resumeAuthors, skipDelivered, startReady, takenAgents, unblockPending } from './start.ts';
import { moveSprint, pausedTasks, stuckTasks } from './stuck.ts';
import { applyEvent } from './transitions.ts';

const Announced = z.strictObject({ kind: z.string().regex(/^sprint\./), payload: z.unknown() });

/** The log's events in their order, then the forge's by time; events of one instant keep their order. */
function inOrder(log_events: readonly Event[], events: readonly Event[]): readonly Event[] {
  const byTime = (a: Event, b: Event) =>
    a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0;
  return [...log_events, ...events.toSorted(byTime)];
}

function advance(draft: Draft, events: readonly Event[]): void {
  const known = new Set(draft.tasks.keys());
  const again = events.filter((event) => {
    account(draft.purse, event, draft.sprint.sprint_id, known);
    return !applyEvent(draft, event);
  });
  // A merge can be told before the pull request that it merges.
  for (const event of again) applyEvent(draft, event);
  unblockPending(draft);
  skipDelivered(draft);
  for (const task of tasksInOrder(draft)) judge(draft, task);
  const taken = takenAgents(draft);
  const hold = holdOf(draft);
  watchBudget(draft);
  draft.room = roomOf(draft);
  // What is nearest to its end comes first where not all can start.
  resumeAuthors(draft, taken, hold);
  for (const task of criticalFirst(draft)) proceed(draft, task, taken, hold);
  startReady(draft, taken, hold);
  askForBudget(draft);
  tidyBudgets(draft);
}

/** Advances the DAG by what happened. The heart of the tick: pure, and the same events give the same actions. */
export const dagEvaluate = defineStage({
  name: 'dag_evaluate',
  description: 'Advances the DAG by what happened and gives the actions that follow.',
  effects: ['Pure'],
  input: z.object({
    state: DagState,
    /** From the forge, in any order. */
    events: z.array(Event).nullish(),
    /** From the log, oldest first; applied before the forge's. */
    log_events: z.array(Event).nullish(),
    now: Timestamp,
    /** Agents with a live process anywhere. */
    busy: z.array(Id).nullish(),
    /** The sprint's agents as the shell sees them: what they have used so far. */
    agents: AgentsMap.nullish(),
    stall_threshold_m: z.number().nullish(),
  }),
  output: z.strictObject({
    state: DagState,
    actions: z.array(Action),
    /** Reason per task that cannot move without a person, another task, or a time to come. */
    stuck: z.record(Id, z.string()),
    announce: z.array(Announced),
  }),
  examples: [
    { input: exampleInput, output: exampleOutput },
    { input: exampleEnd.input, output: exampleEnd.output },
    { input: exampleWait.input, output: exampleWait.output },
  ],
  run: ({ state, events, log_events, now, busy, agents }) => {
    if (state.status === 'completed' || state.status === 'cancelled')
      return { state, actions: [], stuck: {}, announce: [] };
    const draft = openDraft(state, now, busy ?? [], Object.values(agents ?? {}));
    advance(draft, inOrder(log_events ?? [], events ?? []));
    const stuck = stuckTasks(draft);
    moveSprint(draft, stuck);
    const paused = pausedTasks(draft);
    closePurse(draft);
    return {
      state: closeDraft(state, draft),
      actions: [...draft.actions.values()],
      stuck: { ...paused, ...stuck },
      announce: draft.announce,
    };
  },
});
