import { z } from 'zod';

import { Feedback } from './agent.ts';
import { Timestamp } from './time.ts';

/** The figures of a sprint. Rounding is half to even on the binary value. */
export const Kpis = z.strictObject({
  total_tasks: z.number(),
  completed_tasks: z.number(),
  /** Share of tasks that are Done, 3 decimals. */
  completion_rate: z.number(),
  /** Days from start to end, 1 decimal. */
  sprint_days: z.number(),
  tasks_per_day: z.number(),
  escalated_count: z.number(),
  blocked_count: z.number(),
  total_interventions: z.number(),
  avg_interventions: z.number(),
});
export type Kpis = z.infer<typeof Kpis>;

/** One agent's feedback and where it was read. */
export const FeedbackItem = z.strictObject({
  issue_number: z.number().int().positive().nullable(),
  author: z.string().nullable(),
  created_at: Timestamp.nullable(),
  feedback: Feedback,
});
export type FeedbackItem = z.infer<typeof FeedbackItem>;

/** What the feedback says, by rule. */
export const RetroAnalysis = z.strictObject({
  themes: z.array(z.string()),
  improvements: z.array(z.string()),
  learnings: z.array(z.string()),
  sentiment: z.enum(['positive', 'mixed', 'negative', 'neutral']),
});
export type RetroAnalysis = z.infer<typeof RetroAnalysis>;

/** What past sprints taught: KV `caloron:learnings`. */
export const Learnings = z.strictObject({
  v: z.literal(1),
  items: z.array(z.strictObject({ sprint_id: z.string(), at: Timestamp, text: z.string() })),
});
export type Learnings = z.infer<typeof Learnings>;
