import type { FeedbackItem, Kpis } from '@caloron/types';

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

/** What an agent says of the example's task. */
export const exampleFeedback: FeedbackItem = {
  issue_number: 1,
  author: 'agent-1',
  created_at: '2026-04-14T09:00:00.000Z',
  feedback: {
    task_id: 'form',
    agent_role: 'developer',
    task_clarity: 4,
    blockers: ['The mail task is a dependency the DAG does not know'],
    tools_used: ['bash'],
    tokens_consumed: 14_200,
    time_to_complete_min: 47,
    notes: '',
    self_assessment: 'completed',
  },
};
