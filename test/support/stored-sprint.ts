import { systemClock } from '@caloron/capabilities/clock';
import type { Store } from '@caloron/store';
import { type DagState, Sprint, type Task } from '@caloron/types';

/** What a sprint of a test must say; the rest has a value where most tests need no other. */
export type SprintFacts = Pick<Sprint, 'sprint_id' | 'goal' | 'repo' | 'host'> & Partial<Sprint>;

/** A running sprint with these tasks, in their order: one approval, stub agents, merge commits, nothing verified. */
export function stateOf(tasks: readonly Task[], facts: SprintFacts): DagState {
  const sprint = Sprint.parse({
    base_branch: 'main',
    token_env: 'CALORON_FORGE_TOKEN',
    reviewer_token_env: null,
    agent_logins: [],
    reviewer_logins: [],
    human_logins: [],
    required_approvals: 1,
    max_review_cycles: 3,
    max_attempts: 3,
    stall_threshold_m: 60_000,
    cooldown_m: 10,
    merge_method: 'merge',
    verify: [],
    framework: 'stub',
    framework_options: {},
    agent_timeout_ms: 60_000,
    conventions: '',
    ...facts,
  });
  return {
    v: 1,
    sprint_id: sprint.sprint_id,
    sprint,
    order: tasks.map(({ id }) => id),
    tasks: Object.fromEntries(tasks.map((task) => [task.id, task])),
    status: 'active',
  };
}

/** Where in its life a sprint is written; its first commit, which announces nothing, when absent. */
export interface Written {
  readonly expect_rev?: number;
  readonly announce?: readonly `sprint.${string}`[];
}

/** Commits a sprint's state, as a run that has read nothing of the forge and does nothing. */
export async function storeState(
  store: Store,
  state: DagState,
  { expect_rev = 0, announce = [] }: Written = {},
): Promise<void> {
  await store.forRun({ run_id: 'setup', lease: null }).state.commit({
    sprint_id: state.sprint_id,
    expect_rev,
    state,
    cursors: { v: 1, log_seq: 0, forge: {} },
    last_poll: null,
    events: [],
    actions: [],
    announce: announce.map((kind) => ({ kind, payload: {} })),
    puts: {},
    now: systemClock.now(),
  });
}
