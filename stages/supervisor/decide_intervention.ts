import { addMs, DagState, Health, Id, minutesBetween, ownOf, Timestamp } from '@caloron/types';
import type { ProgressKind, Task } from '@caloron/types';
import { z } from 'zod';

import { exampleState, exampleTask } from '../dag/example.ts';
import { defineStage } from '../kit.ts';
import { freeAgent } from './free_agent.ts';

/** What supervision does about one agent. */
export const Decision = z.strictObject({
  agent_id: Id,
  task_id: Id,
  action: z.enum(['probe', 'restart', 'reassign', 'escalate_human']),
  reason: z.string(),
  /** Who gets a task that is reassigned. */
  to: Id.optional(),
});
export type Decision = z.infer<typeof Decision>;

/** Rungs after which the same agent is given up: probe and restart. */
const RUNGS = 2;

/** What a rung does and why. */
type Rung = Omit<Decision, 'agent_id' | 'task_id'>;

/** What was seen of an agent, in words: for how long nothing, and what came last. */
function seen({ status, minutes_since, last_progress_at: at, progress_kind, silent_since }: Health): string {
  if (status === 'dead') return 'its process is gone and left no report';
  if (status === 'missing') return `no heartbeat in the ${minutes_since} minutes since its start`;
  const last = at && progress_kind ? `, the last sign was ${SIGN[progress_kind]} at ${at}` : '';
  const silent = silent_since === undefined ? '' : `, no heartbeat since ${silent_since}`;
  return `no progress for ${minutes_since} minutes${last}${silent}`;
}

const SIGN: Readonly<Record<ProgressKind, string>> = {
  output: 'output',
  files: 'a change in its worktree',
  commit: 'a commit',
  cpu: 'processor time',
};

/**
 * Probe, then restart, then another agent that is free, then a person. A dead or silent process answers no probe: it is restarted first. One
 * that is only suspect is asked, and then left alone until it is lost: what shows nothing may still be at work.
 */
function rung(health: Health, taken: number, other: Id | null): Rung | null {
  const { status, minutes_since, liveness } = health;
  if (status === 'healthy' || status === 'unknown') return null;
  if (liveness === 'suspect' && (status === 'missing' || taken > 0)) return null;
  if (taken === RUNGS && other !== null)
    return { action: 'reassign', reason: `${seen(health)}, after a restart; ${other} is free`, to: other };
  if (taken > RUNGS)
    return {
      action: 'escalate_human',
      reason: `${status} after probe, restart and another agent, ${minutes_since} minutes`,
    };
  if (taken === RUNGS)
    return {
      action: 'escalate_human',
      reason: `${status} after probe and restart, ${minutes_since} minutes`,
    };
  if (taken === 0 && status === 'stalled') return { action: 'probe', reason: seen(health) };
  return {
    action: 'restart',
    reason: status === 'stalled' ? `${seen(health)}, after a probe` : seen(health),
  };
}

/**
 * Rungs taken since the agent last got on: progress after an intervention begins the ladder anew. After a restart it has to go on for as
 * long as an agent may be silent, counted from when its successor came to start: whoever is started prints and writes something before it
 * hangs on the same again. So does a clock that was set back begin it anew: which came first is not known then.
 */
function rungsTaken(task: Task, { last_progress_at }: Health, threshold_m: number, now: Timestamp): number {
  const at = task.last_intervention_at;
  const taken = task.rung ?? task.intervention_count;
  if (at === null) return taken;
  if (at > now) return 0;
  const started = task.last_progress_at !== null && task.last_progress_at > at ? task.last_progress_at : at;
  const got_on = taken < RUNGS ? at : addMs(started, threshold_m * 60_000);
  return last_progress_at !== null && last_progress_at !== undefined && last_progress_at > got_on ? 0 : taken;
}

/** Whether the last intervention was long enough ago to see what it did; one far ahead of the clock was before the clock was set back. */
function cooledDown(task: Task, cooldown_m: number, now: Timestamp): boolean {
  if (task.last_intervention_at === null) return true;
  return Math.abs(minutesBetween(task.last_intervention_at, now)) >= cooldown_m;
}

/** A task its author works on. */
const working = exampleTask('form', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p-1' });

/** Decides what to do about agents that do not get on. One ladder per task; only an author that has its task in progress is on it. */
export const decideIntervention = defineStage({
  name: 'decide_intervention',
  description:
    'Decides for each unhealthy author whether it is probed, restarted, replaced or a person is asked.',
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
      const { cooldown_m, stall_threshold_m } = state.sprint;
      const task = ownOf(state.tasks, health.task_id);
      if (
        task === undefined ||
        task.status !== 'InProgress' ||
        task.process_id === null ||
        task.agent_id !== health.agent_id
      )
        return [];
      if (!cooledDown(task, cooldown_m, now)) return [];
      const taken = rungsTaken(task, health, stall_threshold_m, now);
      // In the order in which it is given on: the one that is named gets it.
      const tasks = state.order.flatMap((id) => ownOf(state.tasks, id) ?? []);
      const decided = rung(health, taken, freeAgent(tasks, task));
      return decided === null ? [] : [{ agent_id: health.agent_id, task_id: health.task_id, ...decided }];
    }),
  }),
});
