import { readFileSync, readdirSync } from 'node:fs';

import { Event, Task, toTimestamp } from '@caloron/types';
import { z } from 'zod';

import { exampleState, exampleTask } from '../dag/example.ts';

const folder = new URL('../../test/conformance/stages/', import.meta.url);

/** One golden row: what the original's stage made of an input. */
export const Row = z.object({
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
  now: z.string().optional(),
  reference_bug: z.string().optional(),
  js_unsafe_int: z.boolean().optional(),
  /** Canned answers of a forge by path; `{"__status": n}` is an HTTP status. */
  api: z.record(z.string(), z.unknown()).optional(),
  /** Files of the original's store by name. */
  kv_files_before: z.record(z.string(), z.string()).optional(),
  kv_files_after: z.record(z.string(), z.string()).optional(),
});
export type Row = z.infer<typeof Row>;

/** The golden rows of a stage. Rows with integers beyond 2^53 are left out: JSON.parse cannot read them. */
export function rowsOf(stage: string): readonly Row[] {
  const lines = readFileSync(new URL(`${stage}.jsonl`, folder), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => Row.parse(JSON.parse(line)))
    .filter((row) => row.js_unsafe_int !== true);
}

const Difference = z.strictObject({ why: z.string().min(1), expect: z.unknown() });
/** An answer of ours that is not the golden one, with the sentence of the design we follow. */
export type Difference = z.infer<typeof Difference>;

function recorded(): Readonly<Record<string, Readonly<Record<string, Difference>>>> {
  const Differs = z.record(z.string(), z.record(z.string(), Difference));
  return Differs.parse(JSON.parse(readFileSync(new URL('differs.json', folder), 'utf8')));
}

/** Rows of a golden file whose answer we do not give, and ours. */
export function differences(file: string): Readonly<Record<string, Difference>> {
  return recorded()[file] ?? {};
}

/** The golden files a difference is recorded for. */
export function differingFiles(): readonly string[] {
  return Object.keys(recorded());
}

/** The golden files there are, without their ending. */
export function goldenFiles(): readonly string[] {
  return readdirSync(folder).flatMap((name) => (name.endsWith('.jsonl') ? [name.slice(0, -6)] : []));
}

const Loose = z.object({
  state: z.object({ tasks: z.record(z.string(), z.record(z.string(), z.unknown())) }),
});
const Typed = z.looseObject({ type: z.string() });

/** The head that a pull request of the original's shape is taken to have. */
const HEAD = 'a'.repeat(40);

/** An instant as RFC 3339 writes it: with a time and a zone. */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/i;

/** Whether a value is an instant as hosts write it. */
export function isInstant(value: unknown): boolean {
  return typeof value === 'string' && RFC_3339.test(value) && toTimestamp(value) !== undefined;
}

/** An instant as we write it; whatever is none stays as it is. */
export function timestamp(value: unknown): unknown {
  return typeof value === 'string' && isInstant(value) ? toTimestamp(value) : value;
}

/** What the original leaves out and our shape asks for: a running process in progress, a head without checks in review. */
function defaultsOf(id: string, status: unknown): Partial<Task> {
  const shared = { title: id, agent_id: id, reviewer_id: null };
  if (status === 'InProgress') return { ...shared, process_id: 'p-1', attempt: 1 };
  if (status === 'InReview') return { ...shared, attempt: 1, head_sha: HEAD, checks: 'none' };
  return shared;
}

/** A task of the original's shape in ours: our defaults filled in, unknown fields left out. */
export function taskOf(id: string, loose: Readonly<Record<string, unknown>>): unknown {
  const known = Object.fromEntries(Object.entries(loose).filter(([key]) => key in Task.shape));
  const status = loose['status'];
  const times = {
    started_at: timestamp(loose['started_at'] ?? null),
    completed_at: timestamp(loose['completed_at'] ?? null),
  };
  return { ...exampleTask(id, defaultsOf(id, status)), ...known, ...times, id, status };
}

/** Facts of an event the original does not have. */
const extras: Readonly<Record<string, object>> = {
  issue_opened: { labels: [], marker: null },
  pr_opened: {
    head_sha: HEAD,
    head_ref: 'feature',
    base_ref: 'main',
    draft: false,
    fork: false,
    linked_issue: null,
    marker: null,
  },
  pr_closed: {
    head_sha: HEAD,
    head_ref: 'feature',
    base_ref: 'main',
    draft: false,
    fork: false,
    linked_issue: null,
    marker: null,
  },
  pr_merged: { merge_sha: HEAD },
  pr_review_submitted: { review_id: 'r-1', head_sha: HEAD, body: '' },
  label_added: {},
  issue_comment: { comment_id: 1 },
};

/** An event in our shape; one that is none is left out where events enter. */
function eventOf(loose: unknown, at: number, now: string | undefined): readonly Event[] {
  const typed = Typed.safeParse(loose);
  if (!typed.success) return [];
  const told = { event_id: `e-${at}`, created_at: now, trusted: true, actor: 'maria' };
  const known = Object.hasOwn(extras, typed.data.type) ? extras[typed.data.type] : {};
  const event = Event.safeParse({ ...told, ...known, ...typed.data });
  return event.success ? [event.data] : [];
}

/** An input of the original's dag_evaluate in our shape: our defaults filled in, unknown fields left out. */
export function evaluateInput(row: Row): unknown {
  const { state } = Loose.parse(row.input);
  const now = toTimestamp(row.now ?? '') ?? row.now;
  const tasks = Object.entries(state.tasks).map(([id, loose]) => [id, taskOf(id, loose)]);
  return {
    ...row.input,
    state: { ...exampleState([]), order: Object.keys(state.tasks), tasks: Object.fromEntries(tasks) },
    now,
    events: z
      .array(z.unknown())
      .parse(row.input['events'] ?? [])
      .flatMap((event, at) => eventOf(event, at, now)),
  };
}
