import { Generator, Id, KickoffOutput } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleState } from './example.ts';

/** Sums up a kickoff: the sprint as stored, and the issues there are so far. */
export const kickoffOutput = defineStage({
  name: 'kickoff_output',
  description: 'Sums up a kickoff with the issues opened so far.',
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['state.commit'],
  input: z.object({
    sprint_id: Id,
    generator: Generator,
    already_exists: z.boolean(),
    issues_created: z.array(z.number().int().positive()),
  }),
  output: KickoffOutput,
  examples: [
    {
      input: { sprint_id: 'sprint-1', generator: 'list', already_exists: false, issues_created: [1] },
      output: {
        sprint_id: 'sprint-1',
        dag: exampleState,
        issues_created: [1],
        generator: 'list',
        already_exists: false,
      },
    },
    {
      input: { sprint_id: 'sprint-1', generator: 'template', already_exists: true, issues_created: [] },
      output: {
        sprint_id: 'sprint-1',
        dag: exampleState,
        issues_created: [],
        generator: 'template',
        already_exists: true,
      },
    },
    {
      input: { sprint_id: 'sprint-1', generator: 'llm', already_exists: false, issues_created: [7, 3, 7] },
      output: {
        sprint_id: 'sprint-1',
        dag: exampleState,
        issues_created: [3, 7],
        generator: 'llm',
        already_exists: false,
      },
    },
  ],
  run: async ({ sprint_id, generator, already_exists, issues_created }, { state: store }) => {
    const { state } = await store.load(sprint_id);
    const known = Object.values(state.tasks).flatMap(({ issue_number }) => issue_number ?? []);
    const issues = [...new Set([...known, ...issues_created])].sort((a, b) => a - b);
    return { sprint_id, dag: state, issues_created: issues, generator, already_exists };
  },
});
