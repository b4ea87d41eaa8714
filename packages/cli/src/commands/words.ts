import { type DagState, ownOf, type HumanWord, type Task } from '@caloron/types';
import { Command } from 'commander';
import { z } from 'zod';

import { loadState, runCommand, sprintId, unknownTask } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';
import { say } from '../person-word.ts';

const WORDS = {
  resolve: ['resolved', 'say that what blocked a task is out of the way'],
  'assign-human': ['assign-human', 'take a task from its agent; a person does it'],
  'break-down': ['break-down', 'say that a task is too large'],
  'take-over': ['caloron:take-over', 'take a task over, with its branch and pull request'],
  cancel: ['cancel', 'give a task up: its agent is stopped, what needs it waits for a person'],
  adopt: ['adopt', 'take finished work of a process that had counted as gone'],
} as const satisfies Readonly<Record<string, readonly [word: HumanWord, what: string]>>;

/** `caloron resolve|assign-human|break-down|take-over|cancel|adopt TASK`: a person's word, as a comment on the issue would be. */
export function wordCommand(name: keyof typeof WORDS): (io: Io) => Command {
  const [word, what] = WORDS[name];
  return (io) => {
    const command = new Command(name)
      .description(what)
      .argument('<task>', 'id of the task')
      .option('--sprint <id>', 'the sprint (default: the active one)');
    if (name === 'adopt') command.argument('[process]', 'whose work (default: the newest that is offered)');
    command.action((task_id: string, ...rest: readonly unknown[]) =>
      runCommand(command, io, async (context) => {
        const { sprint } = z.object({ sprint: z.string().optional() }).parse(command.opts());
        const sprint_id = await sprintId(context, sprint);
        const state = await loadState(context, sprint_id);
        const task = ownOf(state.tasks, task_id);
        if (task === undefined) throw unknownTask(task_id, state);
        if (isTerminal(task.status))
          return {
            data: { sprint_id, task_id, word, seq: null },
            text: `${task_id} is ${task.status} already: nothing changes`,
          };
        const offer = name === 'adopt' ? offerOf(task, rest[0]) : undefined;
        const { seq } = await say(context, sprint_id, {
          task_id,
          word,
          ...(offer === undefined ? {} : { process_id: offer.process_id }),
        });
        return {
          data: { sprint_id, task_id, word, seq },
          text:
            offer === undefined
              ? [
                  `${task_id}: ${word}. The next tick acts on it.`,
                  ...(word === 'cancel' ? left(task, state) : []),
                ].join('\n')
              : `${task_id}: PR #${offer.pr_number} at ${offer.head_sha.slice(0, 8)} is taken by the next tick.`,
        };
      }),
    );
    return command;
  };
}

/** Whether a task is over: no word moves it any more. */
function isTerminal(status: Task['status']): boolean {
  return status === 'Done' || status === 'Cancelled';
}

/** That what needs a task which is given up waits for a person then; none where nothing does. */
function left({ id }: Task, { tasks }: DagState): readonly string[] {
  const needs = Object.values(tasks).filter(
    ({ depends_on, status }) => depends_on.includes(id) && !isTerminal(status),
  );
  if (needs.length === 0) return [];
  const names = needs.map((task) => task.id).join(', ');
  return [
    `What needs it waits for your word then: ./caloron resolve (it goes on without) or cancel ${names}`,
  ];
}

/** The work that is offered of a process, named by its id or the beginning of it, else the newest. Throws CLI_NOT_FOUND. */
function offerOf({ id, offers = [] }: Task, given: unknown): NonNullable<Task['offers']>[number] {
  const process = typeof given === 'string' ? given : '';
  const found = offers.findLast(({ process_id }) => process_id.startsWith(process));
  if (found !== undefined) return found;
  const what = `offered work of task ${id}, of process`;
  throw new CliError('CLI_NOT_FOUND', { what, id: process === '' ? '(any)' : process });
}
