import { apiUrl, Cursors, DagState, Id, RepoName, Timestamp, TokenEnv } from '@caloron/types';
import { z } from 'zod';

import { Target } from '../github/target.ts';
import { defineStage } from '../kit.ts';
import { SprintError } from './errors.ts';
import { exampleCursors, exampleState, exampleTarget } from './example.ts';

const exampleLoaded = {
  state: exampleState,
  rev: 1,
  cursors: exampleCursors,
  last_poll: null,
  target: exampleTarget,
  stall_threshold_m: 20,
  log_after: 0,
};

/** The sprint as the store has it. What the sprint was kicked off with wins: a tick for another repository or forge is an error. */
export const loadSprint = defineStage({
  name: 'load_sprint',
  description: 'Loads the state and the cursors of a sprint.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['state.commit'],
  input: z.object({
    sprint_id: Id,
    repo: RepoName,
    host: z.string().nullish(),
    stall_threshold_m: z.number().positive().nullish(),
    /** Accepted and not used: the sprint's own variable is. */
    token_env: TokenEnv.nullish(),
  }),
  output: z.strictObject({
    state: DagState,
    rev: z.number().int().min(0),
    cursors: Cursors,
    last_poll: Timestamp.nullable(),
    target: Target,
    /** Minutes without progress after which an agent is stalled: this tick's, else the sprint's. */
    stall_threshold_m: z.number().positive(),
    /** Log seq up to which agents' and actions' events were consumed. */
    log_after: z.number().int().min(0),
  }),
  examples: [
    {
      input: { sprint_id: 'sprint-1', repo: 'owner/repo' },
      output: exampleLoaded,
    },
    {
      input: { sprint_id: 'sprint-1', repo: 'owner/repo', stall_threshold_m: 5, token_env: 'GITEA_TOKEN' },
      output: { ...exampleLoaded, stall_threshold_m: 5 },
    },
    {
      input: { sprint_id: 'sprint-1', repo: 'owner/repo', host: 'https://api.github.com' },
      output: exampleLoaded,
    },
  ],
  run: async ({ sprint_id, repo, host, stall_threshold_m }, { state: store }) => {
    const { state, rev, cursors, last_poll } = await store.load(sprint_id);
    const { sprint } = state;
    if (repo !== sprint.repo) {
      throw new SprintError('SPRINT_REPO_MISMATCH', { sprint_id, expected: sprint.repo, given: repo });
    }
    if (host && apiUrl(host) !== apiUrl(sprint.host)) {
      const expected = apiUrl(sprint.host);
      throw new SprintError('SPRINT_HOST_MISMATCH', { sprint_id, expected, given: apiUrl(host) });
    }
    const target = { repo: sprint.repo, host: sprint.host, token_env: sprint.token_env };
    const threshold = stall_threshold_m ?? sprint.stall_threshold_m;
    return {
      state,
      rev,
      cursors,
      last_poll,
      target,
      stall_threshold_m: threshold,
      log_after: cursors.log_seq,
    };
  },
});
