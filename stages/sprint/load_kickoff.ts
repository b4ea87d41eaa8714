import {
  ActiveSprint,
  DagState,
  Id,
  keys,
  Learnings,
  ProjectConfig,
  RepoName,
  TokenEnv,
  type KvRead,
  type StateCommit,
} from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { SprintError } from './errors.ts';
import { readValue } from './read_value.ts';

const exampleStart = {
  config: ProjectConfig.parse({}),
  learnings: [],
  existing: null,
  active: null,
  host: null,
  token_env: 'GITHUB_TOKEN',
  reviewer_token_env: null,
};

/** What a kickoff begins with. One home works on one sprint at a time: another open one is refused by name. */
export const loadKickoff = defineStage({
  name: 'load_kickoff',
  description: 'Loads the settings, learnings and any earlier state a kickoff begins with.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['kv.read', 'state.commit'],
  input: z.object({
    repo: RepoName,
    sprint_id: Id.nullish(),
    host: z.string().nullish(),
    token_env: TokenEnv.nullish(),
  }),
  output: z.strictObject({
    config: ProjectConfig,
    /** What past sprints taught, oldest first. */
    learnings: z.array(z.string()),
    /** The state of this very sprint when it was kicked off before. */
    existing: DagState.nullable(),
    /** The sprint the home works on now; null without one. */
    active: Id.nullable(),
    /** API address of the forge; null is github.com. */
    host: z.string().nullable(),
    token_env: TokenEnv,
    reviewer_token_env: TokenEnv.nullable(),
  }),
  examples: [
    {
      input: { repo: 'owner/repo' },
      output: exampleStart,
    },
    {
      input: { repo: 'owner/repo', sprint_id: 'sprint-9', token_env: 'GITEA_TOKEN' },
      output: { ...exampleStart, token_env: 'GITEA_TOKEN' },
    },
    {
      input: { repo: 'owner/repo', host: 'https://git.example.org/api/v1' },
      output: { ...exampleStart, host: 'https://git.example.org/api/v1' },
    },
  ],
  run: async ({ sprint_id, host, token_env }, { kv, state: store }) => {
    const config = (await readValue(kv, keys.config, ProjectConfig)) ?? ProjectConfig.parse({});
    const learnings = await readValue(kv, keys.learnings, Learnings);
    const active = await openSprint(kv, store);
    if (active !== null && active.sprint_id !== sprint_id) {
      const { repo } = active;
      const hint = `see how it stands: ./caloron status --sprint ${active.sprint_id}; go on with it: ./caloron tick`;
      throw new SprintError('KICKOFF_SPRINT_ACTIVE', { active: active.sprint_id, repo }, { hint });
    }
    const known = sprint_id && (await store.exists(sprint_id));
    return {
      config,
      learnings: (learnings?.items ?? []).map(({ text }) => text),
      existing: known ? (await store.load(sprint_id)).state : null,
      active: active?.sprint_id ?? null,
      host: host ? host : config.host,
      token_env: token_env ?? config.token_env,
      reviewer_token_env: config.reviewer_token_env,
    };
  },
});

/** The active sprint while it is not over. */
async function openSprint(kv: KvRead, store: StateCommit): Promise<ActiveSprint | null> {
  const active = await readValue(kv, keys.activeSprint, ActiveSprint);
  if (active === undefined || !(await store.exists(active.sprint_id))) return null;
  const { status } = (await store.load(active.sprint_id)).state;
  if (status === 'completed' || status === 'cancelled') return null;
  const ended = (await kv.get(keys.endedAt(active.sprint_id))) !== undefined;
  return ended ? null : active;
}
