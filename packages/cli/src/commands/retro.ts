import { RetroOutput } from '@caloron/types';
import { Command } from 'commander';

import { mustBeMade, runComposition } from '../composition.ts';
import { runCommand, sprintId } from '../context.ts';
import type { Io } from '../output.ts';

/** `caloron retro`: writes the report; interim, without learnings, while the sprint is open. */
export function retroCommand(io: Io): Command {
  const command = new Command('retro')
    .description('write the report of a sprint')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .action((options: { readonly sprint?: string }) =>
      runCommand(
        command,
        io,
        async (context) => {
          const sprint_id = await sprintId(context, options.sprint);
          const run = await runComposition(context, 'retro', { sprint_id });
          const { output } = mustBeMade(run, `retro of sprint ${sprint_id}`);
          const retro = RetroOutput.parse(output);
          const { kpis } = retro;
          return {
            data: retro,
            text: [
              `${retro.interim ? 'interim report (the sprint is open)' : 'report'}: ${retro.report_path}`,
              `  ${kpis.completed_tasks} of ${kpis.total_tasks} tasks done, ${kpis.total_interventions} interventions, ${kpis.escalated_count} escalations`,
              ...retro.learnings.map((learning) => `  learned: ${learning}`),
            ].join('\n'),
          };
        },
        { on_interrupt: 'stopping the run' },
      ),
    );
  return command;
}
