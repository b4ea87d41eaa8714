import { Id, Timestamp, type Task } from '@caloron/types';
import { z } from 'zod';

import { closeDraft, intend, isTerminal, openDraft, tasksInOrder, update, type Draft } from '../dag/draft.ts';
import { block } from '../dag/escalation.ts';
import { defineStage } from '../kit.ts';
import { Decision } from '../supervisor/decide_intervention.ts';
import { freeAgent } from '../supervisor/free_agent.ts';
import { action } from './action-id.ts';
import { EXAMPLE_NOW } from './example.ts';
import { interventionRows } from './interventions.ts';
import { isPaused } from './pause.ts';

/** The code of an escalation after the ladder's last rung. */
const REASON_CODE = 'agent_stalled';

/** The tick's second transaction: counts the interventions decided and intends their actions. Without a decision, and while the sprint is paused, it writes nothing. */
export const commitSupervision = defineStage({
  name: 'commit_supervision',
  description: 'Counts the decided interventions and intends their actions in one transaction.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['state.commit', 'kv.read'],
  input: z.object({
    sprint_id: Id,
    decisions: z.array(Decision),
    /** The message of each decision, in their order. */
    messages: z.array(z.object({ message: z.string() })),
    now: Timestamp,
  }),
  output: z.strictObject({
    changed: z.boolean(),
    /** Interventions intended. */
    actions: z.number().int().min(0),
  }),
  examples: [
    {
      input: { sprint_id: 'sprint-1', decisions: [], messages: [], now: EXAMPLE_NOW },
      output: { changed: false, actions: 0 },
    },
    {
      input: {
        sprint_id: 'sprint-1',
        decisions: [{ agent_id: 'agent-1', task_id: 'login-form', action: 'probe', reason: 'no progress' }],
        messages: [{ message: '@caloron-agent-agent-1 what is the state of it?' }],
        now: EXAMPLE_NOW,
      },
      output: { changed: true, actions: 1 },
    },
    {
      input: {
        sprint_id: 'sprint-1',
        decisions: [
          { agent_id: 'agent-2', task_id: 'mail', action: 'restart', reason: 'its process is gone' },
        ],
        messages: [],
        now: EXAMPLE_NOW,
      },
      output: { changed: false, actions: 0 },
    },
  ],
  run: async ({ sprint_id, decisions, messages, now }, { state: store, kv }) => {
    if (decisions.length === 0 || (await isPaused(kv, sprint_id))) return { changed: false, actions: 0 };
    const { state, rev, cursors, last_poll } = await store.load(sprint_id);
    const draft = openDraft(state, now, []);
    for (const [at, decision] of decisions.entries()) {
      const task = draft.tasks.get(decision.task_id);
      const message = messages[at]?.message ?? decision.reason;
      if (task !== undefined && !isTerminal(task)) intervene(draft, task, decision, message);
    }
    const after = closeDraft(state, draft);
    const actions = [...draft.actions.values()];
    const { changed } = await store.commit({
      sprint_id,
      expect_rev: rev,
      state: after,
      cursors,
      last_poll,
      events: [],
      actions,
      announce: draft.announce,
      puts: interventionRows(state, after),
      now,
    });
    return { changed, actions: actions.length };
  },
});

/** Where a task's ladder stands after each action. */
const RUNG_AFTER: Readonly<Record<Decision['action'], number>> = {
  probe: 1,
  restart: 2,
  reassign: 3,
  escalate_human: 3,
};

function intervene(draft: Draft, task: Task, decision: Decision, message: string): void {
  const { sprint_id } = draft.sprint;
  const { agent_id, reason } = decision;
  const { intervention_count, episode = 0 } = task;
  const counted = update(draft, task, {
    intervention_count: intervention_count + 1,
    rung: RUNG_AFTER[decision.action],
    last_intervention_at: draft.now,
  });
  const about = { sprint_id, task_id: task.id, agent_id };
  if (decision.action === 'escalate_human') {
    const { pr_number } = block(draft, counted, REASON_CODE);
    const cause = `${REASON_CODE}:${String(episode)}`;
    intend(
      draft,
      action('escalate', { ...about, cause, reason_code: REASON_CODE, reason, message, pr_number }),
    );
    return;
  }
  // The task changes hands when the process has ended: until then it may come back to life.
  const to = decision.action === 'reassign' ? freeAgent(tasksInOrder(draft), task) : null;
  const taken = decision.action === 'reassign' && to === null ? 'restart' : decision.action;
  // The count only grows, so each intervention is an action of its own, and the same one when a run is repeated.
  const cause = `${String(episode)}:${String(intervention_count)}`;
  const { process_id } = task;
  intend(
    draft,
    action('supervisor', {
      ...about,
      cause,
      action: taken,
      reason,
      message,
      decided_at: draft.now,
      ...(process_id === null ? {} : { process_id }),
      ...(to === null ? {} : { to }),
    }),
  );
}
