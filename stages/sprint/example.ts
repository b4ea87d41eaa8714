import type { Cursors, DagState, Task } from '@caloron/types';

/** The instant of the examples. */
export const EXAMPLE_NOW = '2026-04-14T08:30:00.000Z';

const STARTED = '2026-04-14T08:00:00.000Z';

/** One task as a kickoff makes it. */
export const exampleTask: Task = {
  id: 'login-form',
  title: 'Add a login form',
  description: 'A form with name and password.',
  depends_on: [],
  agent_id: 'agent-1',
  reviewer_id: 'reviewer-1',
  status: 'Ready',
  status_reason: null,
  status_at: STARTED,
  issue_number: null,
  pr_number: null,
  branch: 'caloron/sprint-1/login-form',
  base_sha: null,
  head_sha: null,
  started_at: null,
  completed_at: null,
  attempt: 0,
  failed_attempts: 0,
  review_attempts: 0,
  process_id: null,
  review_cycles: 0,
  rebases: 0,
  intervention_count: 0,
  last_progress_at: null,
  last_intervention_at: null,
  escalation_issue: null,
  reviews: {},
  checks: 'unknown',
};

/** A sprint of one task as a kickoff leaves it. */
export const exampleState: DagState = {
  v: 1,
  sprint_id: 'sprint-1',
  sprint: {
    sprint_id: 'sprint-1',
    goal: 'People can log in.',
    repo: 'owner/repo',
    host: null,
    base_branch: 'main',
    token_env: 'GITHUB_TOKEN',
    reviewer_token_env: null,
    agent_logins: ['caloron-bot'],
    reviewer_logins: [],
    human_logins: ['ada'],
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
  },
  order: ['login-form'],
  tasks: { 'login-form': exampleTask },
  status: 'active',
};

/** Cursors that have read nothing. */
export const exampleCursors: Cursors = { v: 1, log_seq: 0, forge: {} };

/** Where the example's sprint works. */
export const exampleTarget = { repo: 'owner/repo', host: null, token_env: 'GITHUB_TOKEN' };
