import {
  Action,
  Cursors,
  DagState,
  Event,
  FeedbackItem,
  Id,
  keys,
  ownOf,
  Timestamp,
  type KvRead,
} from '@caloron/types';
import { z } from 'zod';

import { IgnoredShape } from '../github/ignored.ts';
import { defineStage } from '../kit.ts';
import { EXAMPLE_NOW, exampleCursors, exampleState, exampleWord } from './example.ts';
import { interventionRows } from './interventions.ts';
import { readValue } from './read_value.ts';

/** KV `:feedback`: what the agents of a sprint have said of their tasks. */
export const FeedbackRow = z.strictObject({ v: z.literal(1), items: z.array(FeedbackItem) });

/** A `sprint.*` event to append. */
export const Announcement = z.strictObject({
  kind: z.templateLiteral(['sprint.', z.string()]),
  payload: z.unknown(),
});

/**
 * The tick's first transaction: the new state, both cursors, what was consumed and what is intended become true together. From here on a
 * crash loses nothing. Writes nothing when nothing changed; refuses when the state is not the one that was evaluated.
 */
export const commitTick = defineStage({
  name: 'commit_tick',
  description:
    'Makes an evaluation true in one transaction: state, cursors, consumed events and intended actions.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['state.commit', 'kv.read'],
  input: z.object({
    sprint_id: Id,
    /** Revision the state was loaded at. */
    rev: z.number().int().min(0),
    cursors: Cursors,
    /** The state before the evaluation. */
    state: DagState,
    last_poll: Timestamp.nullish(),
    evaluated: z.object({ state: DagState, actions: z.array(Action), announce: z.array(Announcement) }),
    poll: z
      .object({
        events: z.array(Event),
        cursors: Cursors.nullish(),
        last_poll: Timestamp.nullish(),
        ignored: z.array(IgnoredShape).nullish(),
      })
      .nullish(),
    log: z.object({ events: z.array(Event), last_seq: z.number().int().min(0) }).nullish(),
    now: Timestamp,
  }),
  output: z.strictObject({
    rev: z.number().int().min(0),
    changed: z.boolean(),
    log_seq: z.number().int().min(0),
  }),
  examples: [
    {
      input: {
        sprint_id: 'sprint-1',
        rev: 1,
        cursors: exampleCursors,
        state: exampleState,
        evaluated: { state: exampleState, actions: [], announce: [] },
        now: EXAMPLE_NOW,
      },
      output: { rev: 1, changed: false, log_seq: 0 },
    },
    {
      input: {
        sprint_id: 'sprint-1',
        rev: 1,
        cursors: exampleCursors,
        state: exampleState,
        evaluated: { state: { ...exampleState, status: 'waiting_for_human' }, actions: [], announce: [] },
        now: EXAMPLE_NOW,
      },
      output: { rev: 2, changed: true, log_seq: 0 },
    },
    {
      input: {
        sprint_id: 'sprint-1',
        rev: 1,
        cursors: exampleCursors,
        state: exampleState,
        evaluated: { state: exampleState, actions: [], announce: [] },
        log: { events: [exampleWord], last_seq: 7 },
        now: EXAMPLE_NOW,
      },
      output: { rev: 2, changed: true, log_seq: 7 },
    },
  ],
  run: async (input, { state: store, kv }) => {
    const { sprint_id, rev, state, evaluated, poll, log, now } = input;
    const logged = log?.events ?? [];
    // An idle log moves no cursor: what is in it belongs to others, and writing that down would be news itself.
    const log_seq = log && logged.length > 0 ? log.last_seq : input.cursors.log_seq;
    const { changed, rev: at } = await store.commit({
      sprint_id,
      expect_rev: rev,
      state: evaluated.state,
      cursors: { ...(poll?.cursors ?? input.cursors), log_seq },
      last_poll: poll?.last_poll ?? input.last_poll ?? null,
      events: poll?.events ?? [],
      ignored: poll?.ignored ?? [],
      actions: evaluated.actions,
      announce: evaluated.announce,
      puts: {
        ...interventionRows(state, evaluated.state),
        ...(await feedbackRow(kv, evaluated.state, logged)),
        ...(await endedRow(kv, state, evaluated.state, now)),
      },
      now,
    });
    return { rev: at, changed, log_seq };
  },
});

/** The feedback row with what these reports add; nothing when they bring none. */
async function feedbackRow(
  kv: KvRead,
  { sprint_id, tasks }: DagState,
  logged: readonly Event[],
): Promise<Readonly<Record<string, unknown>>> {
  const added = logged.flatMap((event): FeedbackItem[] => {
    if (event.type !== 'agent_reported' || event.report.feedback === null) return [];
    const { task_id, agent_id, feedback } = event.report;
    const issue_number = ownOf(tasks, task_id)?.issue_number ?? null;
    return [{ issue_number, author: agent_id, created_at: event.created_at, feedback }];
  });
  if (added.length === 0) return {};
  const key = keys.feedback(sprint_id);
  const before = (await readValue(kv, key, FeedbackRow))?.items ?? [];
  return { [key]: { v: 1, items: [...before, ...added] } };
}

/** When the sprint ended, for one that ends without having been closed by its action. */
async function endedRow(
  kv: KvRead,
  before: DagState,
  after: DagState,
  now: Timestamp,
): Promise<Readonly<Record<string, unknown>>> {
  if (isOver(before) || !isOver(after)) return {};
  const key = keys.endedAt(after.sprint_id);
  return (await kv.get(key)) === undefined ? { [key]: now } : {};
}

function isOver({ status }: DagState): boolean {
  return status === 'completed' || status === 'cancelled';
}
