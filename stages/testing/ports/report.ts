import { z } from 'zod';

import { exampleState } from '../../dag/example.ts';
import { inline } from '../../markdown.ts';
import { writeRetroReport } from '../../retro/write_report.ts';
import { fieldsIn, isNoId, itemsIn, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { timestamp, isInstant } from '../vectors.ts';
import type { Row } from '../vectors.ts';
import { feedbackItems } from './retro_feedback.ts';

/** The figures and how many decimals the dashboard gives them. */
const FIGURES: Readonly<Record<string, number>> = {
  total_tasks: 0,
  completed_tasks: 0,
  completion_rate: 2,
  sprint_days: 2,
  tasks_per_day: 2,
  escalated_count: 0,
  blocked_count: 0,
  total_interventions: 0,
  avg_interventions: 2,
};

const SUMMARY = [
  'Total tasks',
  'Completed',
  'Completion rate',
  'Sprint duration',
  'Velocity',
  'Escalations',
  'Avg interventions/task',
];

function labelOf(figure: string): string {
  return figure.replaceAll('_', ' ').replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}

function kpisOf(given: unknown): unknown {
  if (given === undefined || (typeof given === 'object' && given !== null)) {
    const known = Object.keys(FIGURES).map((name) => [name, fieldsIn(given)[name] ?? 0] as const);
    return Object.fromEntries(known);
  }
  return given;
}

function sectionOf(markdown: string, title: string): readonly string[] {
  const lines = markdown.split('\n');
  const start = lines.indexOf(`## ${title}`);
  if (start < 0) return [];
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^(?:## |---$)/.test(line));
  return rest.slice(0, end < 0 ? undefined : end).filter((line) => line !== '');
}

/** A figure as the dashboard prints it: the original tells whole numbers from others by their type, we by the figure. */
function cell(figure: string, text: string): string {
  const decimals = FIGURES[figure] ?? 0;
  const whole = /^-?\d+$/.test(text);
  if (decimals > 0) return whole ? `${text}.00` : text;
  return text.replace(/\.0+$/, '');
}

/** What of a report both have: the title, the seven figures of the summary, what the agents say, the dashboard. */
function partsOf(markdown: string, row: Row): unknown {
  const summary = sectionOf(markdown, 'Summary').map((line) => line.slice(2).split(': '));
  const dashboard = sectionOf(markdown, 'KPI Dashboard').map((line) =>
    line.split('|').map((text) => text.trim()),
  );
  const asked = Object.keys(FIGURES).filter((figure) => Object.hasOwn(fieldsIn(row.input['kpis']), figure));
  return {
    title: markdown.split('\n')[0],
    summary: SUMMARY.map((label) => summary.find(([name]) => name === label)),
    // The original parts blockers with commas or semicolons; neither is asked for.
    feedback: sectionOf(markdown, 'Agent Feedback').map((line) =>
      line.startsWith('- Blockers: ') ? line.replaceAll(/[;,] /g, ', ') : line,
    ),
    dashboard: asked.map((figure) => {
      const value = dashboard.find(([, label]) => label === labelOf(figure))?.[2];
      return [figure, value === undefined ? null : cell(figure, value)];
    }),
  };
}

function run(row: Row): unknown {
  const { sprint_id, kpis, feedback_items, started_at, ended_at } = row.input;
  const input = writeRetroReport.input.parse({
    sprint_id,
    kpis: kpisOf(kpis),
    feedback_items: feedbackItems(feedback_items),
    analysis: { themes: [], improvements: [], learnings: [], sentiment: 'neutral' },
    state: exampleState([]),
    started_at: isInstant(started_at) ? timestamp(started_at) : null,
    ended_at: isInstant(ended_at) ? timestamp(ended_at) : null,
  });
  return partsOf(writeRetroReport.call(input, {}).report_markdown, row);
}

/** What each item of the row says, read as leniently as we read it. */
function said(row: Row): readonly Readonly<Record<string, unknown>>[] {
  return itemsIn(feedbackItems(row.input['feedback_items']))
    .map(fieldsIn)
    .map(({ feedback }) => fieldsIn(feedback));
}

/** The section of the agents, each of their words on its own line. */
function feedbackLines(row: Row): readonly string[] {
  return said(row).flatMap((one) => [
    `### ${inline(String(one['task_id']))} (${inline(String(one['agent_role']))})`,
    `- Clarity: ${one['task_clarity'] === 0 ? '?' : String(one['task_clarity'])}/10`,
    `- Self-assessment: ${String(one['self_assessment'])}`,
    `- Tokens: ${String(one['tokens_consumed'])}`,
    `- Time: ${String(one['time_to_complete_min'])} min`,
    ...(itemsIn(one['blockers']).length === 0
      ? []
      : [
          `- Blockers: ${itemsIn(one['blockers'])
            .map((text) => inline(String(text)).replaceAll('; ', ', '))
            .join(', ')}`,
        ]),
    ...(one['notes'] === '' ? [] : [`- Notes: ${inline(String(one['notes']))}`]),
  ]);
}

const Parts = z.looseObject({ feedback: z.array(z.string()) });

/** Whether an item leaves something out or says it in a way we read differently. */
function isIncomplete(row: Row): boolean {
  const fields = [
    'task_id',
    'agent_role',
    'task_clarity',
    'self_assessment',
    'tokens_consumed',
    'time_to_complete_min',
  ];
  return itemsIn(row.input['feedback_items'])
    .map(fieldsIn)
    .filter(({ is_parsed_yaml, parsed }) => is_parsed_yaml === true && Boolean(parsed))
    .some(({ parsed }) => fields.some((field) => (fieldsIn(parsed)[field] ?? 0) === 0));
}

/** Whether an agent's words hold what Markdown would read as its own. */
function isMarked(row: Row): boolean {
  return said(row).some((one) =>
    [one['task_id'], one['agent_role'], one['notes'], ...itemsIn(one['blockers'])].some(
      (text) => inline(String(text)) !== text,
    ),
  );
}

/** write_retro_report beside the original's. */
export const reportPort: Port = {
  file: 'retro_write_report',
  counterparts: ['write_retro_report'],
  run,
  shared: (output, row) =>
    partsOf(z.object({ report_markdown: z.string() }).parse(output).report_markdown, row),
  rules: [
    {
      why: 'Text of others is fenced, and what an agent left out is read as its default; clarity 0 is unknown.',
      ours: (golden, row) => {
        const parts = Parts.safeParse(golden);
        return parts.success && (isMarked(row) || isIncomplete(row))
          ? { ...parts.data, feedback: feedbackLines(row) }
          : golden;
      },
    },
    refuses('Ids match ^[a-z0-9_-]{1,64}$ everywhere.', (row) =>
      [row.input['sprint_id'], ...said(row).map(({ task_id }) => task_id)].some(isNoId),
    ),
  ],
};
