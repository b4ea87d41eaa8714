import { Feedback, type ForgeRepo, markerOf, type Order } from '@caloron/types';
import { stringify } from 'yaml';
import { z } from 'zod';

import { FEEDBACK_END, FEEDBACK_START } from './prompt.ts';

/** Characters of notes, and of each blocker, that are kept. */
const TEXT_LIMIT = 2000;

/** Entries of a list that are kept. */
const LIST_LIMIT = 20;

/** What an agent may say of itself: every field on its own, so that one bad field does not lose the others. */
const Said = z.object({
  task_clarity: z.coerce
    .number()
    .transform((clarity) => Math.min(10, Math.max(1, Math.round(clarity))))
    .optional()
    .catch(undefined),
  blockers: z.array(z.string()).optional().catch(undefined),
  tools_used: z.array(z.string()).optional().catch(undefined),
  self_assessment: z.enum(['completed', 'partial', 'blocked', 'failed']).optional().catch(undefined),
  notes: z.string().optional().catch(undefined),
});

/** Facts the harness knows itself. */
export interface FeedbackFacts {
  readonly tokens_used: number;
  readonly minutes: number;
}

/** What an agent said between the feedback marks, last block first; null without a readable one. */
export function parseFeedback(text: string): Partial<Feedback> | null {
  const blocks = text.split(FEEDBACK_START).slice(1).reverse();
  for (const block of blocks) {
    const [inner = '', ...after] = block.split(FEEDBACK_END);
    const said = after.length === 0 ? undefined : Said.safeParse(jsonOf(inner)).data;
    // The prompt's own example, echoed, is no feedback.
    if (said !== undefined && Object.values(said).some((value) => value !== undefined)) {
      return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
    }
  }
  return null;
}

function jsonOf(text: string): unknown {
  const from = text.indexOf('{');
  const to = text.lastIndexOf('}');
  if (from < 0 || to < from) return undefined;
  const json = text.slice(from, to + 1);
  if (json.includes('completed|partial')) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** An agent's feedback with what it left out filled in; a clarity it did not give is 0, unknown. */
export function completeFeedback(order: Order, said: Partial<Feedback>, facts: FeedbackFacts): Feedback {
  return Feedback.parse({
    task_id: order.task.id,
    agent_role: said.agent_role ?? order.role,
    task_clarity: said.task_clarity ?? 0,
    blockers: limited(said.blockers ?? []),
    tools_used: limited(said.tools_used ?? [order.framework.name]),
    tokens_consumed: said.tokens_consumed ?? facts.tokens_used,
    time_to_complete_min: said.time_to_complete_min ?? facts.minutes,
    notes: (said.notes ?? '').slice(0, TEXT_LIMIT),
    self_assessment: said.self_assessment ?? 'completed',
  });
}

/** Feedback made for an agent that gave none: clarity 0, and its end as the blocker unless it ended well. */
export function syntheticFeedback(
  order: Order,
  ended: string,
  clean: boolean,
  facts: FeedbackFacts,
): Feedback {
  return {
    task_id: order.task.id,
    agent_role: order.role,
    task_clarity: 0,
    blockers: clean ? [] : [`The agent's process ended without finishing: ${ended}`.slice(0, TEXT_LIMIT)],
    tools_used: [],
    tokens_consumed: facts.tokens_used,
    time_to_complete_min: facts.minutes,
    notes: clean
      ? 'Synthetic: the agent ended without feedback.'
      : `Synthetic: written by the harness. ${ended}`.slice(0, TEXT_LIMIT),
    self_assessment: clean ? 'completed' : 'crashed',
  };
}

/** The hidden line that tells whether this process's feedback was posted. */
export function feedbackMarker(order: Order): string {
  return `<!-- caloron-feedback:${order.process_id} -->`;
}

/** The comment that carries feedback: a YAML block between `---` lines, every text on one line, and the hidden markers. */
export function feedbackComment(order: Order, feedback: Feedback): string {
  const block = stringify(
    { caloron_feedback: feedback },
    {
      lineWidth: 0,
      defaultStringType: 'QUOTE_DOUBLE',
      defaultKeyType: 'PLAIN',
      doubleQuotedAsJSON: true,
      doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
    },
  );
  // JSON escapes keep every text on one line, so that no `---` in it ends the block; and no hidden marker in it counts as ours.
  const safe = block.replaceAll('<!--', '\\u003c!--');
  return `---\n${safe}---\n\n${markerOf(order.sprint_id, order.task.id)}\n${feedbackMarker(order)}\n`;
}

/** Posts the feedback once per process: a comment with its marker is left as it is. */
export async function postFeedback(forge: ForgeRepo, order: Order, feedback: Feedback): Promise<void> {
  const marker = feedbackMarker(order);
  const there = await forge.comments(order.task.issue_number);
  if (there.some(({ body }) => body.includes(marker))) return;
  await forge.comment(order.task.issue_number, feedbackComment(order, feedback));
}

function limited(list: readonly string[]): string[] {
  return list.slice(0, LIST_LIMIT).map((text) => text.slice(0, TEXT_LIMIT));
}
