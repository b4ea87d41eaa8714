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

import { briefIdOf, sprintIdOf } from '../kickoff/planned.ts';
import { goalOfBrief } from '../kickoff/task_list.ts';
import { isComplete } from '../dag/stuck.ts';
import { defineStage } from '../kit.ts';
import { OTHER_ID, SprintError } from './errors.ts';
import { readValue } from './read_value.ts';

const exampleStart = {
  config: ProjectConfig.parse({}),
  learnings: [],
  existing: null,
  active: null,
  sprint_id: null,
  host: null,
  token_env: 'GITHUB_TOKEN',
  reviewer_token_env: null,
};

/**
 * What a kickoff begins with. One home works on one sprint at a time: another open one is told by name, and the run is skipped. A sprint that is
 * known is what it is, whatever else is open; one without a name is known by its goal, its day and its brief, so that a job that is fired twice on
 * a day begins one.
 */
export const loadKickoff = defineStage({
  name: 'load_kickoff',
  description: 'Loads the settings, learnings and any earlier state a kickoff begins with.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['kv.read', 'state.commit', 'clock'],
  input: z.object({
    repo: RepoName,
    /** Names the sprint that has no other name. */
    brief: z.string().nullish(),
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
    /** The sprint's id, as given or as its brief and this day name it; null without either. */
    sprint_id: Id.nullable(),
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
      output: { ...exampleStart, sprint_id: 'sprint-9', token_env: 'GITEA_TOKEN' },
    },
    {
      input: { repo: 'owner/repo', brief: 'Write mail.', host: 'https://git.example.org/api/v1' },
      output: {
        ...exampleStart,
        sprint_id: 'write-mail-20260414',
        host: 'https://git.example.org/api/v1',
      },
    },
  ],
  run: async ({ sprint_id: given, brief, host, token_env }, { kv, state: store, clock }) => {
    const config = (await readValue(kv, keys.config, ProjectConfig)) ?? ProjectConfig.parse({});
    const learnings = await readValue(kv, keys.learnings, Learnings);
    const active = await openSprint(kv, store);
    const sprint_id = given ?? (brief ? sprintIdOf(goalOfBrief(brief), clock.now()) : null);
    const found = sprint_id !== null && (await store.exists(sprint_id)) ? sprint_id : null;
    const known = found === null ? null : (await store.load(found)).state;
    const existing = known !== null && (given || isOf(known, brief)) ? known : null;
    if (existing === null) refuse(active, found);
    return {
      config,
      learnings: (learnings?.items ?? []).map(({ text }) => text),
      existing,
      active: active?.sprint_id ?? null,
      sprint_id,
      host: host ? host : config.host,
      token_env: token_env ?? config.token_env,
      reviewer_token_env: config.reviewer_token_env,
    };
  },
});

/** Whether a sprint was made of a brief. */
function isOf({ sprint }: DagState, brief: string | null | undefined): boolean {
  return typeof brief === 'string' && sprint.brief_id === briefIdOf(brief);
}

/** Throws where no new sprint can begin: another one is open, or its id is another's. */
function refuse(active: OpenSprint | null, taken: Id | null): void {
  if (active !== null) {
    const { sprint_id, repo } = active;
    const hint = active.ending
      ? `it ends with its next tick, of the scheduler or ./caloron tick --sprint ${sprint_id}; then give this command again`
      : `see how it stands: ./caloron status --sprint ${sprint_id}; end it: ./caloron end --sprint ${sprint_id}`;
    // Nothing is wrong: a job's kickoff waits for the end of the sprint before it.
    throw new SprintError('KICKOFF_SPRINT_ACTIVE', { active: sprint_id, repo }, { hint, skips: true });
  }
  if (taken !== null)
    throw new SprintError('KICKOFF_SPRINT_EXISTS', { sprint_id: taken }, { hint: OTHER_ID });
}

/** A sprint that is not over; `ending` once nothing of it is left to do. */
type OpenSprint = ActiveSprint & { readonly ending: boolean };

/** The active sprint while it is not over. */
async function openSprint(kv: KvRead, store: StateCommit): Promise<OpenSprint | null> {
  const active = await readValue(kv, keys.activeSprint, ActiveSprint);
  if (active === undefined || !(await store.exists(active.sprint_id))) return null;
  const { status, tasks } = (await store.load(active.sprint_id)).state;
  if (status === 'completed' || status === 'cancelled') return null;
  const ended = (await kv.get(keys.endedAt(active.sprint_id))) !== undefined;
  return ended ? null : { ...active, ending: isComplete(Object.values(tasks)) };
}
