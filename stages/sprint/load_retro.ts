import { DagState, FeedbackItem, Id, keys, RepoName, Timestamp } from '@caloron/types';
import { z } from 'zod';

import { Target } from '../github/target.ts';
import { defineStage } from '../kit.ts';
import { FeedbackRow } from './commit_tick.ts';
import { SprintError } from './errors.ts';
import { exampleState, exampleTarget } from './example.ts';
import { readValue } from './read_value.ts';

const exampleOpen = {
  sprint_id: 'sprint-1',
  state: exampleState,
  target: exampleTarget,
  started_at: '2026-04-14T08:00:00.000Z',
  ended_at: null,
  reported: [],
  interim: true,
};

/** What a retro looks back on. A sprint without an end gives an interim one. */
export const loadRetro = defineStage({
  name: 'load_retro',
  description: 'Loads the state, dates and reported feedback a retro looks back on.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['state.commit', 'kv.read'],
  input: z.object({ sprint_id: Id, repo: RepoName.nullish() }),
  output: z.strictObject({
    sprint_id: Id,
    state: DagState,
    target: Target,
    started_at: Timestamp.nullable(),
    ended_at: Timestamp.nullable(),
    /** Feedback the agents' harnesses reported. */
    reported: z.array(FeedbackItem),
    /** True while the sprint is open. */
    interim: z.boolean(),
  }),
  examples: [
    {
      input: { sprint_id: 'sprint-1' },
      output: exampleOpen,
    },
    { input: { sprint_id: 'sprint-1', repo: 'owner/repo' }, output: exampleOpen },
    {
      input: { sprint_id: 'sprint-2', repo: null },
      output: {
        ...exampleOpen,
        sprint_id: 'sprint-2',
        state: { ...exampleState, sprint_id: 'sprint-2', status: 'completed' },
        started_at: null,
        interim: false,
      },
    },
  ],
  run: async ({ sprint_id, repo }, { state: store, kv }) => {
    const { state } = await store.load(sprint_id);
    const { sprint, status } = state;
    if (repo && repo !== sprint.repo) {
      throw new SprintError('SPRINT_REPO_MISMATCH', { sprint_id, expected: sprint.repo, given: repo });
    }
    const started_at = (await readValue(kv, keys.startedAt(sprint_id), Timestamp)) ?? null;
    const ended_at = (await readValue(kv, keys.endedAt(sprint_id), Timestamp)) ?? null;
    const reported = (await readValue(kv, keys.feedback(sprint_id), FeedbackRow))?.items ?? [];
    const target = { repo: sprint.repo, host: sprint.host, token_env: sprint.token_env };
    const interim = ended_at === null && status !== 'completed' && status !== 'cancelled';
    return { sprint_id, state, target, started_at, ended_at, reported, interim };
  },
});
