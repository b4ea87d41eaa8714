import {
  parseMarker,
  type Event,
  type ForgeComment,
  type ForgeIssue,
  type ForgePull,
  type ForgeReview,
} from '@caloron/types';

import type { Candidate } from './candidate.ts';
import { relevantPulls, readPull, readReviews } from './read_pulls.ts';
import type { Reading } from './link.ts';
import { commentIsTrusted, isOneOf } from './trust.ts';

/** The label of every issue a sprint works on. */
export const TASK_LABEL = 'caloron:task';

/** What a poll was answered. */
export interface Answers {
  readonly issues: readonly ForgeIssue[];
  readonly pulls: readonly ForgePull[];
  readonly comments: readonly ForgeComment[];
  /** Per pull request number, for those that were asked. */
  readonly reviews: ReadonlyMap<number, readonly ForgeReview[]>;
}

/** Everything the answers say has happened in the sprint; whether it is new, the log knows. */
export function readEvents(answers: Answers, reading: Reading): readonly Candidate[] {
  const pulls = relevantPulls(answers.pulls, reading);
  const talk = conversations(pulls, reading);
  return [
    ...answers.issues.filter((issue) => !issue.is_pull).flatMap((issue) => readIssue(issue, reading)),
    ...pulls.flatMap((pull) => readPull(pull, reading)),
    ...pulls.flatMap((pull) => readReviews(pull, answers.reviews.get(pull.number) ?? [], reading)),
    ...answers.comments
      .filter((comment) => talk(comment.issue_number))
      .flatMap((c) => readComment(c, reading)),
  ];
}

function readIssue(issue: ForgeIssue, { state }: Reading): readonly Candidate[] {
  const tasks = state === null ? [] : Object.values(state.tasks);
  const task = tasks.find((task) => task.issue_number === issue.number);
  const escalated = tasks.some((task) => task.escalation_issue === issue.number);
  const marker = taskMarker(issue);
  const ours = marker !== null && marker.sprint_id === state?.sprint_id;
  if (state !== null && task === undefined && !ours && !escalated) return [];

  const n = String(issue.number);
  const base = { actor: issue.author, issue_number: issue.number };
  const authored = state !== null && isOneOf(issue.author, state.sprint.agent_logins);
  const opened: Event = {
    ...base,
    type: 'issue_opened',
    event_id: `issue_opened:${n}`,
    created_at: issue.created_at,
    trusted: authored,
    labels: [...issue.labels],
    marker,
  };
  const known = state !== null;
  const closed = issue.closed_at ?? issue.updated_at;
  const now: Event =
    issue.state === 'closed'
      ? {
          ...base,
          type: 'issue_closed',
          event_id: `issue_closed:${n}:${closed}`,
          created_at: closed,
          actor: null,
          trusted: known,
        }
      : {
          ...base,
          type: 'issue_reopened',
          event_id: `issue_reopened:${n}:${issue.updated_at}`,
          created_at: issue.updated_at,
          actor: null,
          trusted: known,
        };
  const waits = task?.status === 'Blocked' && task.status_reason === 'issue_closed';
  return [{ event: opened }, ...(issue.state === 'closed' || waits ? [{ event: now }] : [])];
}

/** The task an issue is about; an escalation names its task too, and is not its issue. */
function taskMarker(issue: ForgeIssue): { sprint_id: string; task_id: string } | null {
  if (!issue.labels.includes(TASK_LABEL) || issue.body.includes('<!-- caloron-escalation:')) return null;
  return parseMarker(issue.body) ?? null;
}

/** Tells whether comments on a number belong to the sprint. */
function conversations(pulls: readonly ForgePull[], { state }: Reading): (number: number) => boolean {
  if (state === null) return () => true;
  const tasks = Object.values(state.tasks);
  const numbers = new Set<number | null>([
    ...tasks.flatMap(({ issue_number, pr_number, escalation_issue }) => [
      issue_number,
      pr_number,
      escalation_issue,
    ]),
    ...pulls.map((pull) => pull.number),
  ]);
  return (number) => numbers.has(number);
}

function readComment(comment: ForgeComment, { state }: Reading): readonly Candidate[] {
  // What execute_actions wrote is in the outbox.
  if (comment.body.includes('<!-- caloron-action:')) return [];
  const event: Event = {
    type: 'issue_comment',
    event_id: `issue_comment:${String(comment.id)}:${comment.updated_at}`,
    created_at: comment.updated_at,
    actor: comment.author,
    trusted: commentIsTrusted(comment, state),
    issue_number: comment.issue_number,
    comment_id: comment.id,
    body: comment.body,
  };
  return [{ event }];
}
