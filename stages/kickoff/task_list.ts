import { ID_PATTERN, slug } from '@caloron/types';
import type { Id } from '@caloron/types';

import { freeId, goalOf } from './planned.ts';
import type { Plan, PlannedTask } from './planned.ts';

/** `- [id] title (after: a, b)`; also with `*`, `+` or a number. The id is optional, `[ ]` is a box to tick. */
const ITEM =
  /^(?:[-*+]|\d+[.)])\s+(?:\[(?<id>[^\]\s]+)\]\s+|\[\s\]\s+)?(?<title>.*?)\s*(?:\((?:after|depends on):\s*(?<after>[^()]*)\))?\s*$/i;

interface Item {
  readonly id: string | undefined;
  readonly title: string;
  readonly after: readonly string[];
  readonly description: string[];
}

function itemOf(line: string): Item | undefined {
  const groups = ITEM.exec(line)?.groups;
  if (groups === undefined) return undefined;
  const { id, title = '', after = '' } = groups;
  const names = after.split(',').map((name) => name.trim().replace(/^\[(.*)\]$/, '$1'));
  return { id, title, after: names.filter((name) => name !== ''), description: [] };
}

/** An id as it is written, or the slug of what is none; what cannot be found stays, for the check of the DAG to name. */
function idOf(written: string): Id {
  return ID_PATTERN.test(written) ? written : slug(written);
}

function dedent(lines: readonly string[]): string {
  const indents = lines
    .filter((line) => line.trim() !== '')
    .map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents, Number.MAX_SAFE_INTEGER);
  return lines
    .map((line) => line.slice(indent))
    .join('\n')
    .trim();
}

function read(brief: string): { readonly intro: readonly string[]; readonly items: readonly Item[] } {
  const intro: string[] = [];
  const items: Item[] = [];
  for (const line of brief.replaceAll('\r\n', '\n').replaceAll('\t', '  ').split('\n')) {
    const item = itemOf(line);
    if (item !== undefined) items.push(item);
    else if (/^\s+\S/.test(line) || line.trim() === '') (items.at(-1)?.description ?? []).push(line);
    else if (items.length === 0) intro.push(line.replace(/^#+\s*/, ''));
  }
  return { intro, items };
}

/** What a brief is all for, however its tasks are found. */
export function goalOfBrief(brief: string): string {
  return parseTaskList(brief)?.goal ?? goalOf(brief);
}

/** The plan a Markdown list of tasks stands for, exactly; undefined when the brief has no item with an `[id]`. Text above the list is the goal. */
export function parseTaskList(brief: string): Plan | undefined {
  const { intro, items } = read(brief);
  if (!items.some((item) => item.id !== undefined)) return undefined;
  const taken = new Set(items.flatMap((item) => (item.id === undefined ? [] : [idOf(item.id)])));
  const tasks = items.map((item): PlannedTask => {
    const id = item.id === undefined ? freeId(item.title, taken) : idOf(item.id);
    taken.add(id);
    const title = item.title === '' ? id : item.title;
    return {
      id,
      title,
      description: dedent(item.description),
      depends_on: [...new Set(item.after.map(idOf))],
    };
  });
  const goal = goalOf(intro.join(' '));
  return { goal: goal === '' ? goalOf(tasks.map((task) => task.title).join(', ')) : goal, tasks };
}
