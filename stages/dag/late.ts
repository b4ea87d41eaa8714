import type { Event, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { isAskedHead, withHead } from './attempts.ts';
import { intend, isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { release } from './escalation.ts';
import { notPaused } from './limits.ts';
import { enterReview } from './on_pull.ts';

type Reported = Extract<Event, { type: 'agent_reported' }>;
type Offer = NonNullable<Task['offers']>[number];

/** Offers that are kept of one task; older ones are in the log. */
const MAX_OFFERS = 5;

/**
 * An author's report of finished work that comes when its process counts as gone: lost, stopped or replaced. It is taken as if it had come in
 * time where nothing is given up by that: no other process has the task, and no newer run has begun. Else it is offered to a person.
 */
export function onLateReport(draft: Draft, task: Task, event: Reported): void {
  const { report, created_at } = event;
  const { head_sha, pr_number, process_id, agent_id } = report;
  if (report.outcome !== 'completed' || head_sha === null || pr_number === null) return;
  if (isTerminal(task) || task.head_sha === head_sha || isAskedHead(task, head_sha)) return;
  const offer: Offer = { process_id, agent_id, head_sha, pr_number, at: created_at };
  const free = task.status === 'InProgress' && task.process_id === null && report.attempt === task.attempt;
  if (free) return take(draft, task, offer);
  const offers = task.offers ?? [];
  if (offers.some((each) => each.process_id === process_id)) return;
  const offered = update(draft, task, { offers: [...offers, offer].slice(-MAX_OFFERS) });
  if (offered.issue_number === null) return;
  const { sprint_id } = draft.sprint;
  intend(
    draft,
    action('notify_agent', {
      cause: `late:${process_id}`,
      sprint_id,
      task_id: task.id,
      agent_id,
      issue_number: offered.issue_number,
      message: offerText(offer),
    }),
  );
}

function offerText({ agent_id, head_sha, pr_number, process_id }: Offer): string {
  return [
    `Agent \`${agent_id}\`, which had counted as gone, has finished after all: pull request #${pr_number} at ${head_sha} (process \`${process_id}\`).`,
    'Nothing was changed by that. Comment `adopt` to take this work instead of what is going on now; whatever works on the task is stopped then, its own work saved.',
  ].join('\n\n');
}

/** A person wants offered work taken: of the process named, else the newest. What works on the task is stopped. */
export function onAdopt(draft: Draft, task: Task, process_id: string | undefined): void {
  const offers = task.offers ?? [];
  const offer = offers.findLast((each) => process_id === undefined || each.process_id === process_id);
  if (offer === undefined) return;
  // Its head may have been in review before, by a poll that was faster: the next review is one of its own.
  const episode = (task.episode ?? 0) + 1;
  take(draft, update(draft, task, { ...release(draft, task), episode }), offer);
}

function take(draft: Draft, task: Task, { head_sha, pr_number, at }: Offer): void {
  const bound = update(draft, withHead(draft, task, head_sha, at > draft.now ? draft.now : at), {
    process_id: null,
    pr_number,
    checks: 'unknown',
    review_attempts: 0,
    failed_attempts: 0,
    ...notPaused,
    rung: 0,
    offers: [],
  });
  enterReview(draft, bound);
}
