import { ownOf, parseMarker, type DagState, type ForgePull, type Marker, type Task } from '@caloron/types';

import { closedIssues } from './closing_keywords.ts';
import { isOneOf } from './trust.ts';

/** What a poll reads for: the sprint, or nothing when it is called by hand, and the repository it asks. */
export interface Reading {
  readonly state: DagState | null;
  readonly repo: string;
  readonly host: string | null;
}

/** How a pull request hangs together with a task. */
export interface Link {
  /** From our own hidden line or branch name; null when it is not by one of our logins. */
  readonly marker: Marker | null;
  /** The issue its body closes by GitHub's keywords; a task's issue before any other. */
  readonly linked_issue: number | null;
  /** The task all this leads to: tracked, marked, or linked, in this order. */
  readonly task: Task | null;
  /** The task has this very pull request already. */
  readonly tracked: boolean;
}

/** Finds the task of a pull request. */
export function linkOf(pull: ForgePull, { state, repo, host }: Reading): Link {
  const tasks = state === null ? [] : Object.values(state.tasks);
  const issues = closedIssues(pull.body, repo, host);
  const linked_issue = issues.find((n) => tasks.some((task) => task.issue_number === n)) ?? issues[0] ?? null;
  const marker = markerIn(pull, state);
  const owner = tasks.find((task) => task.pr_number === pull.number);
  const task =
    owner ??
    (marker === null || state === null ? undefined : ownOf(state.tasks, marker.task_id)) ??
    (linked_issue === null ? undefined : tasks.find((task) => task.issue_number === linked_issue)) ??
    null;
  return { marker, linked_issue, task, tracked: owner !== undefined };
}

function markerIn(pull: ForgePull, state: DagState | null): Marker | null {
  const written = parseMarker(pull.body) ?? null;
  if (state === null) return written;
  if (!isOneOf(pull.author, state.sprint.agent_logins)) return null;
  const named = written ?? branchMarker(pull);
  const known = named?.sprint_id === state.sprint_id && ownOf(state.tasks, named.task_id) !== undefined;
  return known ? named : null;
}

function branchMarker(pull: ForgePull): Marker | null {
  if (pull.fork) return null;
  const [, sprint_id, task_id] =
    /^caloron\/([a-z0-9_-]{1,64})\/([a-z0-9_-]{1,64})$/.exec(pull.head_ref) ?? [];
  return sprint_id === undefined || task_id === undefined ? null : { sprint_id, task_id };
}
