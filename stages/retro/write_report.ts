import { DagState, FeedbackItem, Id, Kpis, ownOf, RetroAnalysis, Timestamp } from '@caloron/types';
import type { Task } from '@caloron/types';
import { z } from 'zod';

import { exampleSprint, exampleState, exampleTask } from '../dag/example.ts';
import { defineStage } from '../kit.ts';
import { inline, table } from '../markdown.ts';
import { fixedHalfEven } from '../rounding.ts';
import { exampleFeedback, exampleKpis } from './example.ts';
import { DONE_REPORT, FEEDBACK_REPORT, INTERIM_REPORT } from './report_examples.ts';

/** The dashboard's rows: label and decimals; a count has none. */
const DASHBOARD: readonly (readonly [keyof Kpis, string, number])[] = [
  ['total_tasks', 'Total Tasks', 0],
  ['completed_tasks', 'Completed Tasks', 0],
  ['completion_rate', 'Completion Rate', 2],
  ['sprint_days', 'Sprint Days', 2],
  ['tasks_per_day', 'Tasks Per Day', 2],
  ['escalated_count', 'Escalated Count', 0],
  ['blocked_count', 'Blocked Count', 0],
  ['total_interventions', 'Total Interventions', 0],
  ['avg_interventions', 'Avg Interventions', 2],
];

const Input = z.object({
  sprint_id: Id,
  kpis: Kpis,
  feedback_items: z.array(FeedbackItem).nullish(),
  analysis: RetroAnalysis,
  state: DagState,
  started_at: Timestamp.nullish(),
  ended_at: Timestamp.nullish(),
  interim: z.boolean().nullish(),
});
type Input = z.infer<typeof Input>;

function summary({ kpis, state, started_at, ended_at, analysis }: Input): readonly string[] {
  return [
    '## Summary',
    '',
    `- Goal: ${inline(state.sprint.goal)}`,
    `- Repository: ${inline(state.sprint.repo)}`,
    `- Started: ${started_at ?? 'unknown'}`,
    `- Ended: ${ended_at ?? 'still open'}`,
    `- Total tasks: ${kpis.total_tasks}`,
    `- Completed: ${kpis.completed_tasks}`,
    `- Completion rate: ${fixedHalfEven(kpis.completion_rate * 100, 0)}%`,
    `- Sprint duration: ${fixedHalfEven(kpis.sprint_days, 1)} days`,
    `- Velocity: ${fixedHalfEven(kpis.tasks_per_day, 1)} tasks/day`,
    `- Escalations: ${kpis.escalated_count}`,
    `- Avg interventions/task: ${fixedHalfEven(kpis.avg_interventions, 1)}`,
    `- Sentiment: ${analysis.sentiment}`,
  ];
}

function taskRow(task: Task): readonly string[] {
  const reason =
    task.status === 'Done' || task.status_reason === null ? '' : ` (${inline(task.status_reason)})`;
  return [
    inline(task.id),
    inline(task.title),
    inline(task.agent_id),
    `${task.status}${reason}`,
    task.pr_number === null ? '–' : `#${task.pr_number}`,
    String(task.attempt),
    String(task.review_cycles),
    String(task.intervention_count),
  ];
}

function tasks({ state }: Input): readonly string[] {
  const all = state.order.flatMap((id) => ownOf(state.tasks, id) ?? []);
  return [
    '## Tasks',
    '',
    ...table(
      ['Task', 'Title', 'Agent', 'Status', 'PR', 'Attempts', 'Review cycles', 'Interventions'],
      all.map(taskRow),
    ),
  ];
}

function feedback({ feedback_items }: Input): readonly string[] {
  const items = feedback_items ?? [];
  if (items.length === 0) return [];
  const sections = items.flatMap(({ feedback: one }) => [
    '',
    `### ${inline(one.task_id)} (${inline(one.agent_role)})`,
    '',
    `- Clarity: ${one.task_clarity === 0 ? '?' : one.task_clarity}/10`,
    `- Self-assessment: ${one.self_assessment}`,
    `- Tokens: ${one.tokens_consumed}`,
    `- Time: ${one.time_to_complete_min} min`,
    ...(one.blockers.length === 0 ? [] : [`- Blockers: ${one.blockers.map(inline).join('; ')}`]),
    ...(one.notes.trim() === '' ? [] : [`- Notes: ${inline(one.notes)}`]),
  ]);
  return ['## Agent Feedback', ...sections];
}

function bullets(title: string, texts: readonly string[]): readonly string[] {
  return texts.length === 0 ? [] : [`## ${title}`, '', ...texts.map((text) => `- ${inline(text)}`)];
}

/** A sprint of one task, done. */
const exampleRetro: Input = {
  sprint_id: exampleSprint.sprint_id,
  kpis: exampleKpis,
  feedback_items: [],
  analysis: {
    themes: ['Sprint completed without notable issues'],
    improvements: [],
    learnings: [],
    sentiment: 'positive',
  },
  state: exampleState([exampleTask('form', { status: 'Done', pr_number: 7, attempt: 1 })]),
  started_at: '2026-04-14T08:00:00.000Z',
  ended_at: '2026-04-14T20:00:00.000Z',
  interim: false,
};

/** Writes the report of a sprint in Markdown. What agents and people wrote is escaped. */
export const writeRetroReport = defineStage({
  name: 'write_retro_report',
  description: 'Writes the report of a sprint: figures, tasks, what the agents say, what follows from it.',
  effects: ['Pure'],
  input: Input,
  output: z.strictObject({ report_markdown: z.string() }),
  examples: [
    {
      input: exampleRetro,
      output: {
        report_markdown: DONE_REPORT,
      },
    },
    {
      input: {
        ...exampleRetro,
        kpis: { ...exampleKpis, completed_tasks: 0, completion_rate: 0.125, blocked_count: 1 },
        state: exampleState([exampleTask('form', { status: 'Blocked', status_reason: 'pr_closed: #7' })]),
        ended_at: null,
        interim: true,
      },
      output: {
        report_markdown: INTERIM_REPORT,
      },
    },
    {
      input: {
        ...exampleRetro,
        state: exampleState([]),
        feedback_items: [exampleFeedback],
        analysis: {
          themes: [],
          improvements: ['Say where the tests are'],
          learnings: ['Name *every* file'],
          sentiment: 'mixed',
        },
      },
      output: {
        report_markdown: FEEDBACK_REPORT,
      },
    },
  ],
  run: (input) => {
    const { sprint_id, analysis, interim, kpis } = input;
    const dashboard = DASHBOARD.map(([key, label, digits]) => [
      label,
      digits === 0 ? String(kpis[key]) : fixedHalfEven(kpis[key], digits),
    ]);
    const sections = [
      [`# Sprint Retro — ${inline(sprint_id)}`],
      interim === true ? ['*Interim: the sprint is still open.*'] : [],
      summary(input),
      tasks(input),
      bullets('Themes', analysis.themes),
      bullets('Improvements', analysis.improvements),
      bullets('Learnings', analysis.learnings),
      feedback(input),
      ['## KPI Dashboard', '', ...table(['Metric', 'Value'], dashboard)],
      ['---\n*Generated by Caloron*\n'],
    ].filter((section) => section.length > 0);
    return { report_markdown: sections.map((section) => section.join('\n')).join('\n\n') };
  },
});
