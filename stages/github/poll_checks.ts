import { DagState, Event } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { freshEvents } from './candidate.ts';
import { pollChecks } from './poll_pulls.ts';
import { Target } from './target.ts';

/**
 * The checks of heads nobody has asked about yet: an approval that came by report in this very tick can so lead to a merge in it. Makes no
 * request while nothing waits.
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
        target: { repo: 'owner/repo', host: null, token_env: 'GITHUB_TOKEN' },
        state: {
          v: 1,
          sprint_id: 'sprint-1',
          sprint: {
            sprint_id: 'sprint-1',
            goal: 'Log in',
            repo: 'owner/repo',
            host: null,
            base_branch: 'main',
            token_env: 'GITHUB_TOKEN',
            reviewer_token_env: null,
            agent_logins: ['bot'],
            reviewer_logins: [],
            human_logins: [],
            required_approvals: 1,
            max_review_cycles: 3,
            max_attempts: 3,
            stall_threshold_m: 20,
            cooldown_m: 10,
            merge_method: 'merge',
            verify: [],
            framework: 'stub',
            framework_options: {},
            agent_timeout_ms: 3_600_000,
            conventions: '',
          },
          order: [],
          tasks: {},
          status: 'active',
        },
      },
      output: { events: [] },
    },
  ],
  run: async ({ target, state }, { forge }) => {
    const candidates = await pollChecks(forge.open(target), state, null, true);
    return { events: [...freshEvents(candidates, new Set())] };
  },
});
