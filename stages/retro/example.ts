import type { Kpis } from '@caloron/types';

/** The figures of the examples: one task, done in half a day. */
export const exampleKpis: Kpis = {
  total_tasks: 1,
  completed_tasks: 1,
  completion_rate: 1,
  sprint_days: 0.5,
  tasks_per_day: 2,
  escalated_count: 0,
  blocked_count: 0,
  total_interventions: 0,
  avg_interventions: 0,
};
