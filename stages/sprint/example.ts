import { newTask, type AgentInfo, type Cursors, type DagState, type Event, type Task } from '@caloron/types';

import { exampleSprint } from '../dag/example.ts';

/** The instant of the examples. */
export const EXAMPLE_NOW = '2026-04-14T08:30:00.000Z';

const STARTED = '2026-04-14T08:00:00.000Z';

/** One task as a kickoff makes it. */
export const exampleTask: Task = {
  ...newTask(
    'sprint-1',
    {
      id: 'login-form',
      title: 'Add a login form',
      description: 'A form with name and password.',
      depends_on: [],
      agent_id: 'agent-1',
      reviewer_id: 'reviewer-1',
    },
    STARTED,
  ),
  status: 'Ready',
};

/** A sprint of one task as a kickoff leaves it. */
export const exampleState: DagState = {
  v: 1,
  sprint_id: 'sprint-1',
  sprint: {
    ...exampleSprint,
    sprint_id: 'sprint-1',
    goal: 'People can log in.',
    repo: 'owner/repo',
    reviewer_logins: [],
    human_logins: ['ada'],
  },
  order: ['login-form'],
  tasks: { 'login-form': exampleTask },
  status: 'active',
};

/** Cursors that have read nothing. */
export const exampleCursors: Cursors = { v: 1, log_seq: 0, forge: {} };

/** Where the example's sprint works. */
export const exampleTarget = { repo: 'owner/repo', host: null, token_env: 'GITHUB_TOKEN' };

/** The author of the example's task, as the shell sees it. */
export const exampleAgent: AgentInfo = {
  sprint_id: 'sprint-1',
  task_id: 'login-form',
  role: 'author',
  process_id: 'process-1',
  pid: 4711,
  alive: true,
  status: 'working',
  task_started_at: STARTED,
  last_heartbeat_at: STARTED,
  last_progress_at: STARTED,
  next_by: null,
  tokens_used: 0,
  exit: null,
};

/** What a person said of the example's task. */
export const exampleWord: Event = {
  type: 'human_command',
  event_id: 'word-1',
  created_at: EXAMPLE_NOW,
  actor: 'ada',
  trusted: true,
  task_id: 'login-form',
  word: 'resolved',
};
