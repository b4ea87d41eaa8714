import type { Action } from '@caloron/types';

import { cleanup, spawn, stop, supervise } from './act_agent.ts';
import { closeSprint } from './act_close.ts';
import type { ActContext, Acted } from './act_context.ts';
import { createIssue, escalate, markDone, notify } from './act_issue.ts';
import { merge, submitForReview } from './act_pull.ts';
import { ActError } from './errors.ts';

/** Takes one action: looks up whether its effect has happened, and brings it about where it has not. `attempts` counts those that failed before. */
export function act(action: Action, context: ActContext, attempts: number): Promise<Acted> {
  switch (action.type) {
    case 'create_issue':
      return createIssue(action, context);
    case 'spawn_agent':
      return spawn(action, context);
    case 'submit_pr_for_review':
      return submitForReview(action, context);
    case 'merge_pr':
      return merge(action, context, attempts);
    case 'mark_done':
      return markDone(action, context);
    case 'notify_agent':
      return notify(action, context);
    case 'supervisor':
      return supervise(action, context);
    case 'escalate':
      return escalate(action, context);
    case 'stop_agent':
      return stop(action, context);
    case 'cleanup':
      return cleanup(action, context);
    case 'close_sprint':
      return closeSprint(context);
    case 'deliver_webhook':
      return Promise.reject(new ActError('ACTION_NOT_SUPPORTED', { type: action.type }));
  }
}
