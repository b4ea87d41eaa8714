import { DagState, Generator, Id, keys, ownOf, Timestamp, type Task } from '@caloron/types';
import { z } from 'zod';

import { createIssue } from '../dag/issue.ts';
import { defineStage } from '../kit.ts';
import { OTHER_ID, SprintError } from './errors.ts';
import { EXAMPLE_NOW, exampleState } from './example.ts';

/** Begins a sprint in one transaction: its state, the intended issues (tasks that can start first), and that it is the active one. */
export const storeSprint = defineStage({
  name: 'store_sprint',
  description: 'Stores a new sprint and intends an issue for each of its tasks.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['state.commit'],
  input: z.object({ dag: DagState, generator: Generator, already_exists: z.boolean(), now: Timestamp }),
  output: z.strictObject({ sprint_id: Id, dag: DagState }),
  examples: [
    {
      input: { dag: exampleState, generator: 'list', already_exists: false, now: EXAMPLE_NOW },
      output: { sprint_id: 'sprint-1', dag: exampleState },
    },
    {
      input: { dag: exampleState, generator: 'template', already_exists: true, now: EXAMPLE_NOW },
      output: { sprint_id: 'sprint-1', dag: exampleState },
    },
    {
      input: {
        dag: { ...exampleState, order: [], tasks: {} },
        generator: 'llm',
        already_exists: false,
        now: EXAMPLE_NOW,
      },
      output: { sprint_id: 'sprint-1', dag: { ...exampleState, order: [], tasks: {} } },
    },
  ],
  run: async ({ dag, already_exists, now }, { state: store }) => {
    const { sprint_id, sprint } = dag;
    if (already_exists) return { sprint_id, dag };
    if (await store.exists(sprint_id)) {
      throw new SprintError('KICKOFF_SPRINT_EXISTS', { sprint_id }, { hint: OTHER_ID });
    }
    const { repo, stall_threshold_m } = sprint;
    await store.commit({
      sprint_id,
      expect_rev: 0,
      state: dag,
      cursors: { v: 1, log_seq: 0, forge: {} },
      last_poll: null,
      events: [],
      actions: startableFirst(dag).map((task) => createIssue(sprint, task)),
      announce: [{ kind: 'sprint.started', payload: { sprint_id, repo } }],
      puts: {
        [keys.startedAt(sprint_id)]: now,
        [keys.activeSprint]: { sprint_id, repo, stall_threshold_m },
      },
      now,
    });
    return { sprint_id, dag };
  },
});

/** Tasks that wait for nothing before those that do, each in authored order: a forge takes its issues one after the other. */
function startableFirst({ order, tasks }: DagState): readonly Task[] {
  const all = order
    .flatMap((id) => ownOf(tasks, id) ?? [])
    .filter(({ issue_number }) => issue_number === null);
  return [...all.filter((t) => t.depends_on.length === 0), ...all.filter((t) => t.depends_on.length > 0)];
}
