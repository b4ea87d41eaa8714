import { feedbackIn } from '../../retro/feedback_block.ts';
import { fieldsIn } from '../conformance.ts';

/** Fields of feedback that are numbers. */
export const NUMBERS: readonly string[] = ['task_clarity', 'tokens_consumed', 'time_to_complete_min'];

/** The comment an agent's parsed feedback comes from. */
function commentOf(parsed: unknown): string {
  const isMapping = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  if (!isMapping) return `---\ncaloron_feedback: ${JSON.stringify(parsed)}\n---`;
  const fields = Object.entries(parsed).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`);
  return ['---', 'caloron_feedback:', ...fields, '---'].join('\n');
}

/** Feedback the original has parsed, as our own reader gives it: each item is written as a comment and read by collect_sprint_feedback's. */
export function feedbackItems(given: unknown): unknown {
  if (!Array.isArray(given)) return given;
  return given.flatMap((one): unknown[] => {
    if (typeof one !== 'object' || one === null) return [one];
    const { is_parsed_yaml, parsed, issue_number, author } = fieldsIn(one);
    if (is_parsed_yaml !== true || !parsed) return [];
    const { task_id = 'unknown' } = fieldsIn(parsed);
    return feedbackIn(commentOf(parsed), 'task').map((feedback) => ({
      issue_number: issue_number ?? null,
      author: author ?? null,
      created_at: null,
      feedback: { ...feedback, task_id },
    }));
  });
}
