import { DagState, Health, Id, minutesBetween, ownOf, Timestamp } from '@caloron/types';
import type { Task } from '@caloron/types';
import { z } from 'zod';

import { exampleState, exampleTask } from '../dag/example.ts';
import { defineStage } from '../kit.ts';

/** What supervision does about one agent. */
export const Decision = z.strictObject({
  agent_id: Id,
  task_id: Id,
  action: z.enum(['probe', 'restart', 'reassign', 'escalate_human']),
  reason: z.string(),
});
export type Decision = z.infer<typeof Decision>;

/** Rungs below a person: probe and restart. */
const RUNGS = 2;

/**
 * Probe, then restart, then a person. A dead or silent process answers no probe: it is restarted first. One that is only suspect is asked, and
 * then left alone until it is lost: what shows nothing may still be at work.
 */
function rung(
  { status, minutes_since, liveness }: Health,
  taken: number,
): Pick<Decision, 'action' | 'reason'> | null {
  if (status === 'healthy' || status === 'unknown') return null;
  if (liveness === 'suspect' && (status === 'missing' || taken > 0)) return null;
  if (taken >= RUNGS)
    return {
      action: 'escalate_human',
      reason: `${status} after probe and restart, ${minutes_since} minutes`,
    };
  if (status === 'dead') return { action: 'restart', reason: 'its process is gone and left no report' };
  if (status === 'missing')
    return { action: 'restart', reason: `no heartbeat in the ${minutes_since} minutes since its start` };
  if (taken === 0) return { action: 'probe', reason: `no progress for ${minutes_since} minutes` };
  return { action: 'restart', reason: `still no progress after a probe, ${minutes_since} minutes` };
}

/** Rungs taken since the agent last got on: progress after an intervention begins the ladder anew. */
function rungsTaken(task: Task, { last_progress_at }: Health): number {
  const at = task.last_intervention_at;
  if (at !== null && last_progress_at !== null && last_progress_at !== undefined && last_progress_at > at)
    return 0;
  return task.rung ?? task.intervention_count;
}

/** Whether the last intervention was long enough ago to see what it did. */
function cooledDown(task: Task, cooldown_m: number, now: Timestamp): boolean {
  return task.last_intervention_at === null || minutesBetween(task.last_intervention_at, now) >= cooldown_m;
}

/** A task its author works on. */
const working = exampleTask('form', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p-1' });

/** Decides what to do about agents that do not get on. One ladder per task; only an author that has its task in progress is on it. */
export const decideIntervention = defineStage({
  name: 'decide_intervention',
  description: 'Decides for each unhealthy author whether it is probed, restarted or a person is asked.',
  effects: ['Pure'],
  input: z.object({ results: z.array(Health), state: DagState, now: Timestamp }),
  output: z.strictObject({ decisions: z.array(Decision) }),
  examples: [
    {
      input: {
        results: [{ agent_id: 'agent-1', task_id: 'form', status: 'stalled', minutes_since: 25 }],
        state: exampleState([working]),
        now: '2026-04-14T08:30:00.000Z',
      },
      output: {
        decisions: [
          { agent_id: 'agent-1', task_id: 'form', action: 'probe', reason: 'no progress for 25 minutes' },
        ],
      },
    },
    {
      input: {
        results: [{ agent_id: 'agent-1', task_id: 'form', status: 'stalled', minutes_since: 45 }],
        state: exampleState([
          { ...working, intervention_count: 2, rung: 2, last_intervention_at: '2026-04-14T08:15:00.000Z' },
        ]),
        now: '2026-04-14T08:30:00.000Z',
      },
      output: {
        decisions: [
          {
            agent_id: 'agent-1',
            task_id: 'form',
            action: 'escalate_human',
            reason: 'stalled after probe and restart, 45 minutes',
          },
        ],
      },
    },
    {
      input: {
        results: [{ agent_id: 'agent-1', task_id: 'form', status: 'healthy', minutes_since: 2 }],
        state: exampleState([working]),
        now: '2026-04-14T08:30:00.000Z',
      },
      output: { decisions: [] },
    },
  ],
  run: ({ results, state, now }) => ({
    decisions: results.flatMap((health) => {
      const task = ownOf(state.tasks, health.task_id);
      if (
        task === undefined ||
        task.status !== 'InProgress' ||
        task.process_id === null ||
        task.agent_id !== health.agent_id
      )
        return [];
      const decided = cooledDown(task, state.sprint.cooldown_m, now)
        ? rung(health, rungsTaken(task, health))
        : null;
      return decided === null ? [] : [{ agent_id: health.agent_id, task_id: health.task_id, ...decided }];
    }),
  }),
});
