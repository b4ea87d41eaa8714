import { systemClock } from '@caloron/capabilities/clock';
import { isAlive } from '@caloron/capabilities/process-identity';
import { type DagState, ownOf, type Paused, type Task, type Timestamp } from '@caloron/types';
import { Command } from 'commander';

import { type AgentAccount, agentAccounts, agentSources } from '../agent-account.ts';
import { type Context, loadState, runCommand, sprintId, unknownTask } from '../context.ts';
import type { Io } from '../output.ts';
import { pausedOf } from '../sprint-pause.ts';
import { spendingOfSprint } from '../spending-account.ts';
import { tell } from '../story.ts';
import { accountText, type TaskAccount } from '../task-account.ts';
import { attemptsOf } from '../task-attempts.ts';
import { decisionsOf } from '../task-decisions.ts';
import { evidenceOf, receiptsOf } from '../task-evidence.ts';
import { nextSteps } from '../task-next.ts';

/** `caloron show TASK`: what happened to one task, and why: its attempts, the evidence, the decisions, and what a person can do next. */
export function showCommand(io: Io): Command {
  const command = new Command('show')
    .description('what happened to a task, and what can be done next')
    .argument('<task>', 'id of the task')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .action((task_id: string, options: { readonly sprint?: string }) =>
      runCommand(command, io, async (context) => {
        const state = await loadState(context, await sprintId(context, options.sprint));
        const task = ownOf(state.tasks, task_id);
        if (task === undefined) throw unknownTask(task_id, state);
        const now = systemClock.now();
        const sprint = options.sprint === undefined ? '' : ` --sprint ${options.sprint}`;
        const paused = await pausedOf(context.runtime().store, state.sprint_id);
        const agents = agentAccounts(state, await agentSources(context, now));
        const account = accountOf(context, { state, paused, task, now, sprint, agents });
        return { data: account, text: accountText(account, now) };
      }),
    );
  return command;
}

function accountOf(
  context: Context,
  about: {
    readonly state: DagState;
    readonly paused: Paused | null;
    readonly task: Task;
    readonly now: Timestamp;
    readonly sprint: string;
    readonly agents: readonly AgentAccount[];
  },
): TaskAccount {
  const { state, paused, task, now, sprint, agents } = about;
  const { sprint_id } = state;
  const { store } = context.runtime();
  const log = store.events.read({ after: 0, sprint_id });
  const processes = store.processes.list(sprint_id);
  const known = { log, processes, agents: store.processes.agents(sprint_id) };
  const attempts = attemptsOf(task.id, known);
  const runs = (process_id: string): boolean =>
    processes.some((row) => row.process_id === process_id && isAlive(row));
  const evidence = evidenceOf(task, attempts, known, runs, agents);
  const decisions = decisionsOf(task, { log, outbox: store.outboxRows(sprint_id), attempts });
  const flags = { home: context.home_flag, sprint };
  const next = nextSteps({ task, state, paused, evidence, decisions, now, flags });
  const story = log.flatMap((row) => {
    const line = tell(row);
    return line?.task === task.id ? [line] : [];
  });
  const spending = spendingOfSprint(state, known.agents, now).tasks[task.id] ?? null;
  const receipts = receiptsOf(task.id, known);
  return { task, attempts, evidence, receipts, decisions, next, story, spending };
}
