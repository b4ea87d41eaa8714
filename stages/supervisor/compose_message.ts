import { Id } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { inline } from '../markdown.ts';

const Action = z.enum(['probe', 'restart', 'reassign', 'escalate_human']);

interface Facts {
  readonly agent_id: string;
  readonly task_title: string;
  readonly health_status: string;
  readonly because: string;
}

const messages: Readonly<Record<z.infer<typeof Action>, (facts: Facts) => string>> = {
  probe: ({ agent_id, task_title, because }) =>
    `@caloron-agent-${agent_id} there is no sign of progress on "${task_title}"${because}. What is the state of it? If you are blocked, say what you need.`,
  restart: ({ agent_id, task_title, because }) =>
    `Agent \`${agent_id}\` is restarted on "${task_title}"${because}, with the same context. Its worktree is preserved.`,
  reassign: ({ agent_id, task_title, because }) =>
    `"${task_title}" is taken from agent \`${agent_id}\` and given to another${because}. The worktree is preserved.`,
  escalate_human: ({ agent_id, task_title, health_status, because }) =>
    [
      '## Human intervention required',
      '',
      `**Agent**: ${agent_id}`,
      `**Task**: ${task_title}`,
      `**Status**: ${health_status}`,
      '',
      `Recovery by probe and restart is exhausted${because}.`,
      '',
      'Comment `resolved` when it can go on, `assign-human` or `caloron:take-over` to take the task, `break-down` to have it split.',
    ].join('\n'),
};

/** Writes what an intervention says on the task's issue. The title is another's text: it mentions nobody and links nothing. */
export const composeInterventionMessage = defineStage({
  name: 'compose_intervention_message',
  description: 'Writes the comment that goes with an intervention.',
  effects: ['Pure'],
  input: z.object({
    agent_id: Id,
    task_title: z.string().nullish(),
    health_status: z.string(),
    action: Action,
    reason: z.string().nullish(),
  }),
  output: z.strictObject({ message: z.string() }),
  examples: [
    {
      input: {
        agent_id: 'agent-1',
        task_title: 'Login form',
        health_status: 'stalled',
        action: 'restart',
        reason: 'still no progress after a probe',
      },
      output: {
        message:
          'Agent `agent-1` is restarted on "Login form" (still no progress after a probe), with the same context. Its worktree is preserved.',
      },
    },
    {
      input: { agent_id: 'agent-1', task_title: 'Tell @maria', health_status: 'stalled', action: 'probe' },
      output: {
        message:
          '@caloron-agent-agent-1 there is no sign of progress on "Tell @\u200bmaria". What is the state of it? If you are blocked, say what you need.',
      },
    },
    {
      input: { agent_id: 'agent-1', health_status: 'missing', action: 'reassign', reason: 'no heartbeat' },
      output: {
        message:
          '"unknown task" is taken from agent `agent-1` and given to another (no heartbeat). The worktree is preserved.',
      },
    },
  ],
  run: ({ agent_id, task_title, health_status, action, reason }) => {
    const because = reason === null || reason === undefined || reason === '' ? '' : ` (${reason})`;
    return {
      message: messages[action]({
        agent_id,
        task_title: inline(task_title ?? 'unknown task'),
        health_status,
        because,
      }),
    };
  },
});
