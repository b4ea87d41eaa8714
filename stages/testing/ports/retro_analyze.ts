import { z } from 'zod';

import { analyzeSprintFeedback } from '../../retro/analyze_feedback.ts';
import { fieldsIn, itemsIn, likePlainer } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import type { Row } from '../vectors.ts';
import { feedbackItems, NUMBERS } from './retro_feedback.ts';

/** What an agent said, of the items the original counts. */
function parsedIn(row: Row): readonly Readonly<Record<string, unknown>>[] {
  return itemsIn(row.input['feedback_items'])
    .map(fieldsIn)
    .filter(({ is_parsed_yaml, parsed }) => is_parsed_yaml === true && Boolean(parsed))
    .map(({ parsed }) => fieldsIn(parsed));
}

const Analysis = z.object({
  themes: z.array(z.string()),
  improvements: z.array(z.string()),
  learnings: z.array(z.string()),
  sentiment: z.string(),
});

const NOTHING = 'No specific improvements identified';

/** Puts a line in front of the lines of its kind, in place of one that begins the same; without a count the line goes. */
function counted(lines: readonly string[], begins: string, count: number, line: string): string[] {
  const others = lines.filter((one) => !one.startsWith(begins) && one !== NOTHING);
  const at = lines.findIndex((one) => one.startsWith(begins));
  const made =
    count > 0 ? [...others.slice(0, at < 0 ? 0 : at), line, ...others.slice(at < 0 ? 0 : at)] : others;
  return made.length > 0 ? made : [NOTHING];
}

const TOOL_GAP =
  /\bunavailable\b|\btools?\b.*\b(?:missing|lacking|not \w+)\b|\b(?:missing|lacking)\b.*\btools?\b/i;

function analyzed({ input }: Row): unknown {
  const feedback_items = feedbackItems(input['feedback_items']);
  return analyzeSprintFeedback.call(analyzeSprintFeedback.input.parse({ ...input, feedback_items }), {});
}

/** An item as an agent without slips would have written it; none where it wrote no mapping. */
function withoutSlips(item: Readonly<Record<string, unknown>>): readonly Readonly<Record<string, unknown>>[] {
  const { is_parsed_yaml, parsed } = item;
  if (is_parsed_yaml !== true || !parsed) return [item];
  if (typeof parsed !== 'object' || Array.isArray(parsed)) return [];
  const said = Object.entries(parsed).map(([key, value]: [string, unknown]) => {
    if (key === 'blockers')
      return [key, (Array.isArray(value) ? value : value === null ? [] : [value]).map(String)];
    const number = Number(value);
    const isNumber = typeof value === 'string' && NUMBERS.includes(key) && !Number.isNaN(number);
    return [key, isNumber ? number : value];
  });
  return [{ ...item, parsed: Object.fromEntries(said) }];
}

/** analyze_sprint_feedback beside the original's. */
export const analyzePort: Port = {
  file: 'retro_analyze_feedback',
  counterparts: ['analyze_sprint_feedback', 'collect_sprint_feedback'],
  run: analyzed,
  rules: [
    likePlainer(
      'Feedback is read leniently, field by field: one slip of one agent never stops a retro.',
      analyzed,
      (row) => {
        const items = itemsIn(row.input['feedback_items']).map(fieldsIn);
        const plainer = items.flatMap((item) => withoutSlips(item));
        const differs = JSON.stringify(plainer) !== JSON.stringify(items);
        return differs ? { ...row, input: { ...row.input, feedback_items: plainer } } : null;
      },
    ),
    {
      why: 'Clarity 0 is unknown, and neither low nor high.',
      ours: (golden, row) => {
        const analysis = Analysis.safeParse(golden);
        const clarities = parsedIn(row).map(({ task_clarity = 10 }) => Number(task_clarity));
        if (!analysis.success || !clarities.includes(0)) return golden;
        const low = clarities.filter((score) => score > 0 && score < 5).length;
        const { themes, improvements, sentiment, ...others } = analysis.data;
        const left = themes.filter((text) => !text.includes('low clarity'));
        const counts = low === 0 ? [] : [`${low} tasks had low clarity scores (< 5/10)`];
        const kept = improvements.filter((text) => low > 0 || !text.startsWith('Add more detail'));
        const clean = low === 0 && !left.some((text) => text.includes('failed or crashed'));
        return {
          ...others,
          themes:
            counts.length + left.length === 0
              ? ['Sprint completed without notable issues']
              : [...counts, ...left],
          improvements: kept.length === 0 ? [NOTHING] : kept,
          sentiment: sentiment === 'mixed' && clean ? 'positive' : sentiment,
        };
      },
    },
    {
      why: 'Words are whole words: "independent" is no dependency, "tooling" no tool.',
      ours: (golden, row) => {
        const analysis = Analysis.safeParse(golden);
        if (!analysis.success) return golden;
        const blockers = parsedIn(row).flatMap(({ blockers: all }) => itemsIn(all).map(String));
        const depends = blockers.filter((text) =>
          /\b(?:depend(?:s|ed|ing|ent|ency|encies)?|dag)\b/i.test(text),
        );
        const tools = blockers.filter((text) => TOOL_GAP.test(text));
        const [dag, gap] = ['Add missing DAG dependencies', 'Add missing tools to agent definitions'];
        const first = counted(
          analysis.data.improvements,
          dag,
          depends.length,
          `${dag} — ${depends.length} runtime deps discovered`,
        );
        const improvements = counted(first, gap, tools.length, `${gap} — ${tools.length} tool gaps found`);
        return { ...analysis.data, improvements };
      },
    },
  ],
};
