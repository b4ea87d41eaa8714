import {
  newTask,
  DagState,
  Generator,
  Id,
  ProjectConfig,
  RepoName,
  SprintPolicy,
  Timestamp,
  TokenEnv,
} from '@caloron/types';
import type { Llm, Sprint, Task } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { askModel } from './ask_model.ts';
import { assign } from './assign.ts';
import { planOfClauses } from './clauses.ts';
import { BriefError } from './errors.ts';
import { exampleClauses, exampleDag, exampleKickoff } from './example.ts';
import { RepoContext } from './fetch_repo_context.ts';
import { briefIdOf, type Plan, sprintIdOf } from './planned.ts';
import { parseTaskList } from './task_list.ts';

/** Tasks of one sprint: more is a sign that the brief was not meant to be split like this. */
const MOST_TASKS = 50;

/** Learnings of past sprints that agents are given, newest last. */
const LEARNINGS = 10;

const Input = z.object({
  brief: z.string(),
  repo: RepoName,
  sprint_id: Id.nullish(),
  num_agents: z.number().int().min(1).max(50).nullish(),
  now: Timestamp,
  config: ProjectConfig,
  /** Null for a sprint that was kicked off before: nothing is planned. */
  repo_context: RepoContext.nullable(),
  /** What past sprints taught, oldest first. */
  learnings: z.array(z.string()).nullish(),
  /** The state of this very sprint when it was kicked off before. */
  existing: DagState.nullish(),
  host: z.string().nullish(),
  token_env: TokenEnv.nullish(),
});
type Input = z.infer<typeof Input> & { readonly repo_context: RepoContext };

function orElse(given: readonly string[], fallback: string): string[] {
  return given.length > 0 ? [...given] : [fallback];
}

function conventionsOf({ config, learnings }: Input): string {
  const taught = [...new Set(learnings ?? [])].slice(-LEARNINGS);
  const learned =
    taught.length === 0
      ? []
      : [['What earlier sprints taught:', ...taught.map((text) => `- ${text}`)].join('\n')];
  return [...(config.conventions.trim() === '' ? [] : [config.conventions.trim()]), ...learned].join('\n\n');
}

/** The settings the sprint keeps for its whole life; missing logins are those of the tokens. */
function sprintOf(input: Input, goal: string): Sprint {
  const { config, repo_context, repo, now } = input;
  const { author, reviewer } = repo_context.logins;
  const host = input.host ?? config.host;
  return {
    sprint_id: input.sprint_id ?? sprintIdOf(goal, now),
    goal,
    brief_id: briefIdOf(input.brief),
    repo,
    host: host === '' ? null : host,
    base_branch: config.base_branch ?? repo_context.default_branch,
    token_env: input.token_env ?? config.token_env,
    reviewer_token_env: config.reviewer_token_env,
    agent_logins: orElse(config.agent_logins, author),
    reviewer_logins: orElse(config.reviewer_logins, reviewer ?? author),
    human_logins: orElse(config.human_logins, author),
    required_approvals: config.required_approvals,
    max_review_cycles: config.max_review_cycles,
    max_attempts: config.max_attempts,
    stall_threshold_m: config.stall_threshold_m,
    cooldown_m: config.cooldown_m,
    merge_method: config.merge_method,
    verify: config.verify,
    framework: config.framework,
    framework_options: config.framework_options,
    agent_timeout_ms: config.agent_timeout_ms,
    conventions: conventionsOf(input),
    ...policyOf(config),
  };
}

/** The settings that are kept as they are, where they are given. */
function policyOf(config: ProjectConfig): Pick<Sprint, keyof typeof SprintPolicy> {
  const names = Object.keys(SprintPolicy) as (keyof typeof SprintPolicy)[];
  return Object.fromEntries(
    names.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]] as const])),
  );
}

function stateOf(input: Input, { goal, tasks }: Plan): DagState {
  const sprint = sprintOf(input, goal);
  const { sprint_id } = sprint;
  const people = assign(tasks, input.num_agents ?? input.config.num_agents, sprint.required_approvals > 0);
  const made = tasks.map((planned, at): Task => {
    const { agent_id = 'agent-1', reviewer_id = null } = people[at] ?? {};
    return newTask(sprint_id, { ...planned, agent_id, reviewer_id }, input.now);
  });
  return {
    v: 1,
    sprint_id,
    sprint,
    // A task named twice stays in the order twice: the check of the DAG says so.
    order: made.map((task) => task.id),
    tasks: Object.fromEntries(made.map((task) => [task.id, task])),
    status: 'active',
  };
}

async function plan(input: Input, llm: Llm): Promise<{ readonly plan: Plan; readonly generator: Generator }> {
  const listed = parseTaskList(input.brief);
  if (listed !== undefined) return { plan: listed, generator: 'list' };
  const modelled = llm.available
    ? await askModel(llm, input.brief, input.repo_context, input.learnings ?? [])
    : undefined;
  if (modelled !== undefined) return { plan: modelled, generator: 'llm' };
  return { plan: planOfClauses(input.brief), generator: 'template' };
}

/** Makes the DAG of a sprint from its brief, and says how. A sprint that was kicked off before is given back as it is. */
export const generateSprintDag = defineStage({
  name: 'generate_sprint_dag',
  description: 'Makes a DAG of a brief: from its task list, by a model, or clause by clause.',
  effects: ['Fallible', 'NonDeterministic', { effect: 'Llm', model: 'default' }],
  capabilities: ['llm'],
  input: Input,
  output: z.strictObject({ dag: DagState, generator: Generator, already_exists: z.boolean() }),
  examples: [
    { input: exampleKickoff, output: { dag: exampleDag, generator: 'list', already_exists: false } },
    {
      input: { ...exampleKickoff, existing: exampleDag },
      output: { dag: exampleDag, generator: 'list', already_exists: true },
    },
    {
      input: { ...exampleKickoff, brief: 'A login form\n\nWrite form. Write mail.' },
      output: { dag: exampleClauses, generator: 'template', already_exists: false },
    },
  ],
  run: async (given, { llm }): Promise<{ dag: DagState; generator: Generator; already_exists: boolean }> => {
    if (given.existing !== null && given.existing !== undefined) {
      const generator = parseTaskList(given.brief) === undefined ? 'template' : 'list';
      return { dag: given.existing, generator, already_exists: true };
    }
    const { repo_context } = given;
    if (repo_context === null) throw new BriefError('KICKOFF_REPO_UNREAD', { repo: given.repo });
    const input = { ...given, repo_context };
    const { plan: made, generator } = await plan(input, llm);
    if (made.tasks.length === 0) {
      throw new BriefError(
        'KICKOFF_BRIEF_EMPTY',
        { characters: input.brief.length },
        { hint: 'say what is to be done, or list it: - [id] title (after: a, b)' },
      );
    }
    if (made.tasks.length > MOST_TASKS) {
      const hint = 'split it into several sprints, or list the tasks: - [id] title (after: a, b)';
      throw new BriefError(
        'KICKOFF_TOO_MANY_TASKS',
        { tasks: made.tasks.length, most: MOST_TASKS },
        { hint },
      );
    }
    return { dag: stateOf(input, made), generator, already_exists: false };
  },
});
