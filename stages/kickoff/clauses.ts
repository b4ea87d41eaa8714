import type { Id } from '@caloron/types';

import { freeId, goalOf } from './planned.ts';
import type { Plan, PlannedTask } from './planned.ts';

/** What ends a clause: a line, or `.`, `,`, `;` before white space, so that 3.11 and an address stay whole. */
const END = /[.,;!?]+(?=\s|$)|[。！？；]+|\n+/;

/** A bullet, number, box or heading mark before a clause. */
const MARK = /^\s*(?:#+|[-*+]|\d+[.)])\s+(?:\[[ xX]?\]\s+)?/;

function clauses(brief: string): readonly string[] {
  return brief
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.replace(MARK, ''))
    .join('\n')
    .split(END)
    .map((clause) => clause.replace(/^\s*(?:and|then)\s+/i, '').trim())
    .filter((clause) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(clause));
}

/** A plan without a model: each clause of the brief is a task and waits for the one before it. No clause is left out. */
export function planOfClauses(brief: string): Plan {
  const taken = new Set<Id>();
  const tasks: PlannedTask[] = [];
  for (const title of clauses(brief)) {
    const id = freeId(title, taken);
    taken.add(id);
    tasks.push({ id, title, description: '', depends_on: tasks.slice(-1).map((before) => before.id) });
  }
  return { goal: goalOf(brief), tasks };
}
