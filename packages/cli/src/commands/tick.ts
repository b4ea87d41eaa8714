import { TickOutput } from '@caloron/types';
import { Command } from 'commander';

import { runComposition } from '../composition.ts';
import { loadState, runCommand, sprintId } from '../context.ts';
import type { Io } from '../output.ts';

/** `caloron tick`: one tick now, beside the scheduler's. */
export function tickCommand(io: Io): Command {
  const command = new Command('tick')
    .description('run one tick of a sprint now')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .action((options: { readonly sprint?: string }) =>
      runCommand(
        command,
        io,
        async (context) => {
          const sprint_id = await sprintId(context, options.sprint);
          const { sprint } = await loadState(context, sprint_id);
          const { run_id, status, output } = await runComposition(context, 'sprint_tick', {
            sprint_id,
            repo: sprint.repo,
          });
          if (status === 'skipped')
            return {
              data: output,
              text: [
                'skipped: another tick of this sprint is running. One whose process was killed holds up others for 30 seconds at most.',
                `  then: ./caloron tick --sprint ${sprint_id}${context.home_flag}`,
              ].join('\n'),
            };
          const tick = TickOutput.parse(output);
          const lines = [
            ...tick.actions_taken.map((taken) => `  ${taken}`),
            ...tick.errors.map((error) => `  error: ${error}`),
            ...(tick.ignored ?? []).map((reason) => `  ignored: ${reason}`),
            ...Object.entries(tick.stuck).map(([task, reason]) => `  waits: ${task}: ${reason}`),
          ];
          const head = `tick ${run_id.slice(0, 8)}: ${tick.complete ? 'the sprint is complete' : `${tick.actions_taken.length} actions taken`}`;
          const next = tick.errors.length === 0 ? [] : [`  next: ./caloron doctor${context.home_flag}`];
          return { data: tick, text: [head, ...lines, ...next].join('\n') };
        },
        { on_interrupt: 'stopping the tick; the next one goes on with what is left' },
      ),
    );
  return command;
}
