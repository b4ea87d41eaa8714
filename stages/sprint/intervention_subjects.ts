import { DagState, Health, ownOf } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { Decision } from '../supervisor/decide_intervention.ts';
import { exampleState } from './example.ts';

/** Joins each decision with what its message needs to say. */
export const interventionSubjects = defineStage({
  name: 'intervention_subjects',
  description: "Joins each decision with its task's title and its agent's health.",
  effects: ['Pure'],
  input: z.object({ decisions: z.array(Decision), results: z.array(Health), state: DagState }),
  output: z.strictObject({
    subjects: z.array(
      z.strictObject({ ...Decision.shape, task_title: z.string(), health_status: z.string() }),
    ),
  }),
  examples: [
    {
      input: {
        decisions: [
          {
            agent_id: 'agent-1',
            task_id: 'login-form',
            action: 'probe',
            reason: 'No progress for 25 minutes',
          },
        ],
        results: [{ agent_id: 'agent-1', task_id: 'login-form', minutes_since: 25, status: 'stalled' }],
        state: exampleState,
      },
      output: {
        subjects: [
          {
            agent_id: 'agent-1',
            task_id: 'login-form',
            action: 'probe',
            reason: 'No progress for 25 minutes',
            task_title: 'Add a login form',
            health_status: 'stalled',
          },
        ],
      },
    },
    { input: { decisions: [], results: [], state: exampleState }, output: { subjects: [] } },
    {
      input: {
        decisions: [
          { agent_id: 'agent-2', task_id: 'mail', action: 'restart', reason: 'its process is gone' },
        ],
        results: [],
        state: exampleState,
      },
      output: {
        subjects: [
          {
            agent_id: 'agent-2',
            task_id: 'mail',
            action: 'restart',
            reason: 'its process is gone',
            task_title: 'mail',
            health_status: 'unknown',
          },
        ],
      },
    },
  ],
  run: ({ decisions, results, state }) => ({
    subjects: decisions.map((decision) => {
      const { agent_id, task_id } = decision;
      const health = results.find((result) => result.agent_id === agent_id && result.task_id === task_id);
      return {
        ...decision,
        task_title: ownOf(state.tasks, task_id)?.title ?? task_id,
        health_status: health?.status ?? 'unknown',
      };
    }),
  }),
});
