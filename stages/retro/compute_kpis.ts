import { Kpis, toTimestamp, epochMs } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { roundHalfEven } from '../rounding.ts';

/** Milliseconds of a day. */
const DAY_MS = 86_400_000;

/** A task as far as figures look at it. */
const Counted = z.object({
  status: z.unknown(),
  intervention_count: z.number().optional(),
  escalation_issue: z.number().nullish(),
});
type Counted = z.infer<typeof Counted>;

/** A time without a zone is UTC: only so can it be compared with one that has a zone. */
function instant(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text === '') return undefined;
  const iso = text.replace(/^(\d{4}-\d{2}-\d{2}) /, '$1T');
  const zoned = /T.*(?:Z|[+-]\d{2}:?\d{2})$/i.test(iso) || !iso.includes('T') ? iso : `${iso}Z`;
  const at = toTimestamp(zoned);
  return at === undefined ? undefined : epochMs(at);
}

/** Days of a sprint, not rounded; 0 while it is open, when a time is no date, or when it ends before it began. */
function daysBetween(started_at: string | null | undefined, ended_at: string | null | undefined): number {
  const from = instant(started_at);
  const to = instant(ended_at);
  return from === undefined || to === undefined ? 0 : Math.max(0, (to - from) / DAY_MS);
}

/** A person was asked, or still has to answer. */
function isEscalated(task: Counted): boolean {
  const asked = task.escalation_issue !== null && task.escalation_issue !== undefined;
  return asked || task.status === 'Blocked' || task.status === 'Escalated';
}

/** Computes the figures of a sprint from its state and its dates. */
export const computeSprintKpis = defineStage({
  name: 'compute_sprint_kpis',
  description:
    'Computes the figures of a sprint: completion, duration, velocity, escalations, interventions.',
  effects: ['Pure'],
  input: z.object({
    state: z.object({ tasks: z.record(z.string(), Counted) }),
    started_at: z.string().nullish(),
    ended_at: z.string().nullish(),
  }),
  output: Kpis,
  examples: [
    {
      input: {
        state: {
          tasks: {
            form: { status: 'Done', intervention_count: 1 },
            mail: { status: 'Done' },
            docs: { status: 'Cancelled' },
          },
        },
        started_at: '2026-04-14T08:00:00.000Z',
        ended_at: '2026-04-16T08:00:00.000Z',
      },
      output: {
        total_tasks: 3,
        completed_tasks: 2,
        completion_rate: 0.667,
        sprint_days: 2,
        tasks_per_day: 1,
        escalated_count: 0,
        blocked_count: 0,
        total_interventions: 1,
        avg_interventions: 0.33,
      },
    },
    {
      input: { state: { tasks: {} } },
      output: {
        total_tasks: 0,
        completed_tasks: 0,
        completion_rate: 0,
        sprint_days: 0,
        tasks_per_day: 0,
        escalated_count: 0,
        blocked_count: 0,
        total_interventions: 0,
        avg_interventions: 0,
      },
    },
    {
      input: {
        state: { tasks: { form: { status: 'Done' }, mail: { status: 'Blocked', intervention_count: 3 } } },
        started_at: '2026-04-14T08:00:00.000Z',
        ended_at: null,
      },
      output: {
        total_tasks: 2,
        completed_tasks: 1,
        completion_rate: 0.5,
        sprint_days: 0,
        tasks_per_day: 0,
        escalated_count: 1,
        blocked_count: 1,
        total_interventions: 3,
        avg_interventions: 1.5,
      },
    },
  ],
  run: ({ state, started_at, ended_at }) => {
    const tasks = Object.values(state.tasks);
    const total = tasks.length;
    const completed = tasks.filter((task) => task.status === 'Done').length;
    const interventions = tasks.reduce((sum, task) => sum + (task.intervention_count ?? 0), 0);
    const days = daysBetween(started_at, ended_at);
    const share = (part: number) => (total === 0 ? 0 : part / total);
    return {
      total_tasks: total,
      completed_tasks: completed,
      completion_rate: roundHalfEven(share(completed), 3),
      sprint_days: roundHalfEven(days, 1),
      tasks_per_day: roundHalfEven(days > 0 ? completed / days : 0, 1),
      escalated_count: tasks.filter(isEscalated).length,
      blocked_count: tasks.filter((task) => task.status === 'Blocked').length,
      total_interventions: interventions,
      avg_interventions: roundHalfEven(share(interventions), 2),
    };
  },
});
