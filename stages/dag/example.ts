import { newTask } from '@caloron/types';
import type { DagState, Sprint, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';

const now = '2026-04-14T08:30:00.000Z';

/** A sprint as examples and tests begin with it. */
export const exampleSprint: Sprint = {
  sprint_id: 'login-20260414',
  goal: 'A login form',
  repo: 'acme/shop',
  host: null,
  base_branch: 'main',
  token_env: 'GITHUB_TOKEN',
  reviewer_token_env: null,
  agent_logins: ['caloron-bot'],
  reviewer_logins: ['caloron-bot'],
  human_logins: ['maria'],
  required_approvals: 1,
  max_review_cycles: 3,
  max_attempts: 3,
  stall_threshold_m: 20,
  cooldown_m: 10,
  merge_method: 'merge',
  verify: [],
  framework: 'stub',
  framework_options: {},
  agent_timeout_ms: 3_600_000,
  conventions: '',
};

/** A task as examples and tests begin with it: Pending, nobody has touched it. */
export function exampleTask(id: string, change: Partial<Task> = {}): Task {
  const start = {
    id,
    title: `Write ${id}`,
    description: '',
    depends_on: [],
    agent_id: 'agent-1',
    reviewer_id: 'reviewer-1',
  };
  return {
    ...newTask(exampleSprint.sprint_id, start, now),
    ...change,
  };
}

/** A state of the example sprint with these tasks. */
export function exampleState(tasks: readonly Task[], sprint: Partial<Sprint> = {}): DagState {
  const { sprint_id } = exampleSprint;
  return {
    v: 1,
    sprint_id,
    sprint: { ...exampleSprint, ...sprint },
    order: tasks.map((task) => task.id),
    tasks: Object.fromEntries(tasks.map((task) => [task.id, task])),
    status: 'active',
  };
}

/** The example of dag_evaluate: a pending task with an issue and no dependency. */
export const exampleInput = {
  state: exampleState([exampleTask('form', { issue_number: 1 })]),
  events: [],
  now,
};

/** What dag_evaluate makes of it: the task is Ready and its author is started. */
export const exampleOutput = {
  state: exampleState([exampleTask('form', { issue_number: 1, status: 'Ready' })]),
  actions: [
    action('spawn_agent', {
      cause: 'author:start:1:-',
      sprint_id: exampleSprint.sprint_id,
      task_id: 'form',
      agent_id: 'agent-1',
      issue_number: 1,
      role: 'author',
      mode: 'start',
      attempt: 1,
      instruction: null,
      pr_number: null,
      head_sha: null,
    }),
  ],
  stuck: {},
  announce: [],
};

const done = exampleState([exampleTask('form', { status: 'Done', issue_number: 1 })]);

/** The last task is Done: the sprint is closed. */
export const exampleEnd = {
  input: { state: done, now },
  output: {
    state: done,
    actions: [
      action('close_sprint', { cause: 'close', sprint_id: done.sprint_id, task_id: null, agent_id: null }),
    ],
    stuck: {},
    announce: [],
  },
};

const waiting = exampleState([
  exampleTask('form', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p-1' }),
  exampleTask('mail', { issue_number: 2, depends_on: ['form'] }),
]);

/** A task waits for the one that is worked on: nothing is done. */
export const exampleWait = {
  input: { state: waiting, events: [], log_events: [], now, busy: ['agent-1'] },
  output: { state: waiting, actions: [], stuck: { mail: 'waits_for: form' }, announce: [] },
};
