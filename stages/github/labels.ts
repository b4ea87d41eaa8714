import { contentId } from '@caloron/noether/stage';
import type { Cursors, DagState, Event, ForgeIssue } from '@caloron/types';

import type { Candidate } from './candidate.ts';

/** Characters of a label that an event id has room for; GitHub allows no more. */
const LONGEST = 50;

/** The labels last seen, by number. */
export type SeenLabels = NonNullable<Cursors['labels']>;

/** What a look at the issues says of labels. */
export interface LabelChanges {
  readonly candidates: readonly Candidate[];
  /** What the next look compares with. */
  readonly seen: SeenLabels;
}

/**
 * Which labels came and went on the issues and pull requests of tasks since they were last seen. The forge tells what stands there now and
 * not who put it: these events have no actor and steer nothing. The labels of a first sight came with the opening.
 */
export function readLabels(
  issues: readonly ForgeIssue[],
  state: DagState | null,
  before: SeenLabels,
): LabelChanges {
  const numbers = numbersOf(state);
  const seen = new Map(Object.entries(before).filter(([number]) => numbers.has(Number(number))));
  const candidates: Candidate[] = [];
  for (const issue of issues) {
    if (!numbers.has(issue.number)) continue;
    const key = String(issue.number);
    const known = seen.get(key);
    const now = [...new Set(issue.labels)].sort();
    if (known !== undefined) candidates.push(...changesOf(issue, known, now));
    seen.set(key, now);
  }
  return { candidates, seen: Object.fromEntries(seen) };
}

/** A label within an event id, which has an end: hosts allow names of 255 characters. */
function named(label: string): string {
  return label.length <= LONGEST ? label : contentId(label.toWellFormed()).slice(0, 32);
}

function changesOf(issue: ForgeIssue, known: readonly string[], now: readonly string[]): Candidate[] {
  const event = (type: 'label_added' | 'label_removed', label: string): Candidate => {
    const base = { created_at: issue.updated_at, actor: null, trusted: false, issue_number: issue.number };
    const event_id = `${type}:${String(issue.number)}:${named(label)}:${issue.updated_at}`;
    const change: Event = { ...base, type, event_id, label };
    return { event: change };
  };
  return [
    ...now.filter((label) => !known.includes(label)).map((label) => event('label_added', label)),
    ...known.filter((label) => !now.includes(label)).map((label) => event('label_removed', label)),
  ];
}

function numbersOf(state: DagState | null): ReadonlySet<number> {
  const tasks = state === null ? [] : Object.values(state.tasks);
  return new Set(
    tasks.flatMap(({ issue_number, pr_number }) => [issue_number ?? [], pr_number ?? []].flat()),
  );
}
