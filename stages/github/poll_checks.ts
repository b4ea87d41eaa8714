import { DagState, Event, type Task } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleState, exampleTarget, exampleTask } from '../sprint/example.ts';
import { isOutage } from './away.ts';
import { freshEvents } from './candidate.ts';
import { pollChecks } from './poll_pulls.ts';
import { Target } from './target.ts';

const HEAD = 'a'.repeat(40);

const review = {
  login: 'reviewer-1',
  state: 'approved',
  review_id: 'r-1',
  head_sha: HEAD,
  at: exampleTask.status_at,
  body: '',
} as const;

/** A task whose pull request is approved and whose checks nobody has asked for. */
const approved: Task = {
  ...exampleTask,
  status: 'InReview',
  issue_number: 1,
  pr_number: 4,
  head_sha: HEAD,
  reviews: { 'agent:reviewer-1': review },
};

/**
 * The checks of heads nobody has asked about yet: an approval that came by report in this very tick can so lead to a merge in it. Makes no
 * request while nothing waits. Of a forge that is away nothing is told here: the next poll tells that, and asks.
 */
export const githubPollChecks = defineStage({
  name: 'github_poll_checks',
  description: 'Reads the checks of approved heads that were never asked for.',
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({ target: Target, state: DagState }),
  output: z.strictObject({ events: z.array(Event) }),
  examples: [
    {
      input: {
        target: exampleTarget,
        state: exampleState,
      },
      output: { events: [] },
    },
    {
      input: { target: exampleTarget, state: { ...exampleState, tasks: { 'login-form': approved } } },
      output: {
        events: [
          {
            type: 'checks_changed',
            event_id: `checks_changed:4:${HEAD}:none`,
            created_at: approved.status_at,
            actor: null,
            trusted: true,
            pr_number: 4,
            head_sha: HEAD,
            checks: 'none',
          },
        ],
      },
    },
    {
      input: {
        target: exampleTarget,
        state: { ...exampleState, tasks: { 'login-form': { ...approved, checks: 'green' } } },
      },
      output: { events: [] },
    },
  ],
  run: async ({ target, state }, { forge }) => {
    const query = { repo: forge.open(target), state, at: null, now: null, cursors: {}, only_unknown: true };
    try {
      const { candidates } = await pollChecks(query);
      return { events: [...freshEvents(candidates, new Set())] };
    } catch (error) {
      if (!isOutage(error)) throw error;
      return { events: [] };
    }
  },
});
