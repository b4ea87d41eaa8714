import type { Store } from '@caloron/store';
import { type DagState, newTask, type Report, type Task } from '@caloron/types';

import { stateOf, storeState } from './stored-sprint.ts';

/** The sprint of the crash tests. */
export const SPRINT = 'crash';
/** Logins on its forge: the agents' and a reviewer's. */
export const AGENT = 'agent';
export const REVIEWER = 'reviewer';

const AT = '2026-01-01T00:00:00.000Z';

/** What the forge holds when the sprint stands where a tick has most to do. */
export interface Facts {
  readonly host: string;
  readonly base: string;
  /** Issue by task. */
  readonly issues: Readonly<Record<string, number>>;
  readonly pulls: Readonly<Record<string, { readonly number: number; readonly head: string }>>;
}

function tasksOf({ base, issues, pulls }: Facts): readonly Task[] {
  const working = { status: 'InProgress', started_at: AT, attempt: 1, base_sha: base } as const;
  const task = (
    id: string,
    agent: number,
    change: Partial<Task>,
    depends_on: readonly string[] = [],
  ): Task => ({
    ...newTask(
      SPRINT,
      {
        id,
        title: `Do ${id}`,
        description: '',
        depends_on,
        agent_id: `agent-${agent}`,
        reviewer_id: 'reviewer-1',
      },
      AT,
    ),
    issue_number: issues[id] ?? null,
    ...change,
  });
  const approved = pulls['merge-me'];
  if (approved === undefined) throw new Error('the pull request of merge-me was not opened');
  return [
    // Merge, mark done, clean up, and start what waits for it.
    task('merge-me', 1, {
      ...working,
      status: 'InReview',
      pr_number: approved.number,
      head_sha: approved.head,
      checks: 'none',
      reviews: {
        'agent:reviewer-1': {
          login: 'reviewer-1',
          state: 'approved',
          review_id: 'r1',
          head_sha: approved.head,
          at: AT,
          body: '',
        },
      },
    }),
    task('next', 2, {}, ['merge-me']),
    // An issue, then an agent.
    task('fresh', 3, { status: 'Ready' }),
    // Its author has delivered, in the log.
    task('review-me', 4, { ...working, process_id: 'process-review-me' }),
    // Its author gives up, in the log: a person is asked.
    task('broken', 5, { ...working, process_id: 'process-broken' }),
    // Its agent runs and has not been heard of for a day: it is started again.
    task('silent', 6, working),
  ];
}

/** Writes the sprint as one commit, without anything that wakes a scheduler. */
export async function seedSprint(store: Store, facts: Facts): Promise<DagState> {
  const tasks = tasksOf(facts);
  const state = stateOf(tasks, {
    sprint_id: SPRINT,
    goal: 'survive',
    repo: `${AGENT}/work`,
    host: facts.host,
    agent_logins: [AGENT],
    reviewer_logins: [REVIEWER],
    stall_threshold_m: 600,
  });
  await storeState(store, state);
  return state;
}

/** Binds the process that was started for `silent`, logs what two authors reported, and says that the sprint has started. */
export async function startSprint(
  store: Store,
  state: DagState,
  facts: Facts,
  silent: { readonly process_id: string },
): Promise<void> {
  const task = state.tasks['silent'];
  const delivered = facts.pulls['review-me'];
  if (task === undefined || delivered === undefined) throw new Error('the sprint is not complete');
  const bound = { ...task, process_id: silent.process_id };
  for (const said of [
    reportOf(state, 'review-me', { pr_number: delivered.number, head_sha: delivered.head }),
    reportOf(state, 'broken', { outcome: 'blocked', body: 'The brief contradicts itself.' }),
  ])
    await store.events.appendEvent(SPRINT, {
      type: 'agent_reported',
      event_id: `agent_reported:${said.process_id}`,
      created_at: AT,
      actor: said.agent_id,
      trusted: true,
      report: said,
    });
  const started = { ...state, tasks: { ...state.tasks, silent: bound } };
  await storeState(store, started, { expect_rev: 1, announce: ['sprint.started'] });
}

function reportOf(state: DagState, task_id: string, change: Partial<Report>): Report {
  return {
    sprint_id: SPRINT,
    task_id,
    agent_id: state.tasks[task_id]?.agent_id ?? '',
    process_id: `process-${task_id}`,
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    head_sha: null,
    pr_number: null,
    exit: { code: 0, signal: null, at: AT, known: true },
    tokens_used: 0,
    duration_ms: 1,
    body: '',
    receipt: null,
    feedback: null,
    synthetic: true,
    ...change,
  };
}
