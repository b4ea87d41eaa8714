import { DagState, Event } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleState } from '../sprint/example.ts';
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
        state: exampleState,
      },
      output: { events: [] },
    },
  ],
  run: async ({ target, state }, { forge }) => {
    const candidates = await pollChecks(forge.open(target), state, null, true);
    return { events: [...freshEvents(candidates, new Set())] };
  },
});
