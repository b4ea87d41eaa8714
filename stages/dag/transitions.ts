import type { Event } from '@caloron/types';

import type { Draft } from './draft.ts';
import { onFailed, onSucceeded } from './on_action.ts';
import { onExited, onReported } from './on_agent.ts';
import { onComment, onIssueClosed, onIssueOpened, onIssueReopened, onWord } from './on_person.ts';
import { onChecks, onPull, onPullClosed, onPullMerged } from './on_pull.ts';
import { onReview } from './review.ts';

/** Applies one event. What names no task of this sprint, or comes in a status it cannot move, changes nothing. False asks to be tried again after the others. */
export function applyEvent(draft: Draft, event: Event): boolean {
  switch (event.type) {
    case 'action_succeeded':
      onSucceeded(draft, event);
      return true;
    case 'action_failed':
      onFailed(draft, event);
      return true;
    case 'agent_reported':
      onReported(draft, event);
      return true;
    case 'agent_exited':
      onExited(draft, event);
      return true;
    case 'human_command':
      onWord(draft, draft.tasks.get(event.task_id), event.word, event);
      return true;
    case 'issue_comment':
      onComment(draft, event);
      return true;
    case 'issue_opened':
      onIssueOpened(draft, event);
      return true;
    case 'issue_closed':
      onIssueClosed(draft, event);
      return true;
    case 'issue_reopened':
      onIssueReopened(draft, event);
      return true;
    case 'pr_opened':
    case 'pr_updated':
    case 'pr_reopened':
      onPull(draft, event);
      return true;
    case 'pr_closed':
      onPullClosed(draft, event);
      return true;
    case 'pr_merged':
      return onPullMerged(draft, event);
    case 'pr_review_submitted':
      onReview(draft, event);
      return true;
    case 'checks_changed':
      onChecks(draft, event);
      return true;
    case 'label_added':
    case 'label_removed':
      return true;
  }
}
