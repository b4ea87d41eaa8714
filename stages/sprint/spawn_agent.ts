import { Id, Mode, RepoName, Role, Sha } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { startAgent } from './act_agent.ts';

const exampleReply = {
  pid: 4711,
  process_id: 'process-1',
  worktree: '/home/ada/project/.caloron/worktrees/sprint-1/login-form',
  branch: 'caloron/sprint-1/login-form',
  base_sha: 'b'.repeat(40),
  existing: false,
};

/** Starts one agent by hand, the way `execute_actions` starts them: the shell refuses a second live process of a task. */
export const spawnAgent = defineStage({
  name: 'spawn_agent',
  description: 'Starts an agent on a task through the shell.',
  effects: ['Network', 'Process', 'NonDeterministic', 'Fallible'],
  capabilities: ['shell'],
  input: z.object({
    sprint_id: Id,
    task_id: Id,
    agent_id: Id,
    repo: RepoName,
    shell_url: z.string().nullish(),
    action_id: z.string().nullish(),
    role: Role.nullish(),
    mode: Mode.nullish(),
    attempt: z.number().int().min(1).nullish(),
    issue_number: z.number().int().positive().nullish(),
    instruction: z.string().nullish(),
    head_sha: Sha.nullish(),
  }),
  output: z.strictObject({
    pid: z.number().int(),
    process_id: z.string(),
    worktree: z.string(),
    branch: z.string(),
    base_sha: Sha,
    /** True when this very start was made before. */
    existing: z.boolean(),
  }),
  examples: [
    {
      input: { sprint_id: 'sprint-1', task_id: 'login-form', agent_id: 'agent-1', repo: 'owner/repo' },
      output: exampleReply,
    },
    {
      input: {
        sprint_id: 'sprint-1',
        task_id: 'login-form',
        agent_id: 'reviewer-1',
        repo: 'owner/repo',
        role: 'reviewer',
        mode: 'review',
        head_sha: 'a'.repeat(40),
      },
      output: exampleReply,
    },
    {
      input: {
        sprint_id: 'sprint-1',
        task_id: 'mail',
        agent_id: 'agent-2',
        repo: 'owner/repo',
        shell_url: 'http://127.0.0.1:7710',
        mode: 'resume',
        attempt: 2,
        issue_number: 2,
        instruction: 'Say who it is from.',
      },
      output: {
        ...exampleReply,
        worktree: '/home/ada/project/.caloron/worktrees/sprint-1/mail',
        branch: 'caloron/sprint-1/mail',
      },
    },
  ],
  run: async ({ shell_url, sprint_id, task_id, agent_id, repo, ...optional }, { shell }) => {
    const { action_id, role, mode, attempt, issue_number, instruction, head_sha } = optional;
    const { ok: _, ...reply } = await startAgent(shell.open(shell_url ?? null), {
      sprint_id,
      task_id,
      agent_id,
      repo,
      ...(action_id ? { action_id } : {}),
      ...(role ? { role } : {}),
      ...(mode ? { mode } : {}),
      ...(attempt ? { attempt } : {}),
      ...(issue_number ? { issue_number } : {}),
      ...(instruction ? { instruction } : {}),
      ...(head_sha ? { head_sha } : {}),
    });
    return reply;
  },
});
