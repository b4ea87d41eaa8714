import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { ownOf, type HumanWord } from '@caloron/types';
import { Command } from 'commander';

import { loadState, runCommand, sprintId, unknownTask } from '../context.ts';
import type { Io } from '../output.ts';

const WORDS = {
  resolve: ['resolved', 'say that what blocked a task is out of the way'],
  'assign-human': ['assign-human', 'take a task from its agent; a person does it'],
  'break-down': ['break-down', 'say that a task is too large'],
  'take-over': ['caloron:take-over', 'take a task over, with its branch and pull request'],
} as const satisfies Readonly<Record<string, readonly [word: HumanWord, what: string]>>;

/** `caloron resolve|assign-human|break-down|take-over TASK`: a person's word, as a comment on the issue would be. */
export function wordCommand(name: keyof typeof WORDS): (io: Io) => Command {
  const [word, what] = WORDS[name];
  return (io) => {
    const command = new Command(name)
      .description(what)
      .argument('<task>', 'id of the task')
      .option('--sprint <id>', 'the sprint (default: the active one)')
      .action((task_id: string, options: { readonly sprint?: string }) =>
        runCommand(command, io, async (context) => {
          const sprint_id = await sprintId(context, options.sprint);
          const state = await loadState(context, sprint_id);
          if (ownOf(state.tasks, task_id) === undefined) throw unknownTask(task_id, state);
          const { seq } = await context.runtime().store.events.appendEvent(sprint_id, {
            type: 'human_command',
            event_id: `human_command:${systemRandom.uuid()}`,
            created_at: systemClock.now(),
            actor: 'cli',
            trusted: true,
            task_id,
            word,
          });
          return {
            data: { sprint_id, task_id, word, seq },
            text: `${task_id}: ${word}. The next tick acts on it.`,
          };
        }),
      );
    return command;
  };
}
