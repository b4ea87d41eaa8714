import { Feedback } from '@caloron/types';
import type { Id } from '@caloron/types';
import { parse } from 'yaml';
import { z } from 'zod';

/** The line a feedback block begins with; in YAML's flow form it is the whole block. */
const HEAD = /^caloron[_-]feedback:\s*(?<flow>\{.*\})?\s*$/;

/** What ends a block: a rule, the end of a fence, or any line that is neither indented nor empty. */
const ENDS = /^\S/;

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const amount = z.union([z.number(), z.string().transform(Number)]).pipe(z.number().min(0));
const list = z
  .union([z.array(text.nullable().catch(null)), text.transform((one) => [one])])
  .transform((all) => all.flatMap((one) => (one === null || one.trim() === '' ? [] : [one])));

/** An agent's feedback as it may come: every field by itself, so that one slip does not lose the others. */
const Lenient = z.object({
  agent_role: text.catch('developer'),
  task_clarity: amount.transform((score) => Math.min(score, 10)).catch(0),
  blockers: list.catch([]),
  tools_used: list.catch([]),
  tokens_consumed: amount.catch(0),
  time_to_complete_min: amount.catch(0),
  notes: text.catch(''),
  // A word nobody knows is no claim that the task is finished.
  self_assessment: Feedback.shape.self_assessment.catch('partial'),
});

function blocks(body: string): readonly string[] {
  const lines = body.replaceAll('\r\n', '\n').replaceAll('\t', '  ').split('\n');
  return lines.flatMap((line, at) => {
    const head = HEAD.exec(line);
    if (head === null) return [];
    const flow = head.groups?.['flow'];
    if (flow !== undefined) return [flow];
    const rest = lines.slice(at + 1);
    const end = rest.findIndex((next) => ENDS.test(next));
    return [rest.slice(0, end < 0 ? rest.length : end).join('\n')];
  });
}

/** The fields of a block that is no YAML: those that fit on a line. */
function byLine(block: string): unknown {
  const fields = block.split('\n').flatMap((line) => {
    const [, key, value] = /^\s+(\w+):\s*(.+?)\s*$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value.replace(/^"(.*)"$/, '$1')] as const];
  });
  return Object.fromEntries(fields);
}

function read(block: string): unknown {
  try {
    // The last of two equal keys wins, as in the line form.
    return parse(block, { uniqueKeys: false });
  } catch {
    return byLine(block);
  }
}

/** The feedback blocks in a comment, as feedback on the task the comment is about; what is no block gives nothing. */
export function feedbackIn(body: string, task_id: Id): readonly Feedback[] {
  return blocks(body).flatMap((block) => {
    const parsed = Lenient.safeParse(read(block));
    return parsed.success ? [{ task_id, ...parsed.data }] : [];
  });
}
