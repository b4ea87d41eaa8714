import type { StepFinished } from '@caloron/noether';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';
import { renderTable } from '../table.ts';

function stepRow(step: StepFinished, begun: number): readonly string[] {
  const offset = Math.max(0, Date.parse(step.started_at) - begun);
  const status = step.status === 'failed' ? `failed: ${step.error?.message ?? ''}` : step.status;
  return [
    step.path,
    step.stage_name,
    step.attempt === 1 ? '' : `try ${step.attempt}`,
    `+${offset}`,
    step.duration_ms.toFixed(1),
    status,
  ];
}

/** `noether trace RUN`: every attempt of every node of one run. */
export function traceCommand(io: Io): Command {
  const head = ['path', 'stage', '', 'at ms', 'took ms', 'status'] as const;
  const command = new Command('trace')
    .description('what one run did, node by node')
    .argument('<run>', 'run id or a prefix of it')
    .action((id: string) =>
      runCommand(command, io, ({ runtime }) => {
        const found = runtime().store.runs.get(id);
        if (found === undefined)
          throw new CliError('CLI_NOT_FOUND', { what: 'run', id }, { hint: './noether runs lists them' });
        const { run, steps } = found;
        const begun = Date.parse(run.started_at);
        const rows = steps.map((step) => stepRow(step, begun));
        const error =
          run.error === undefined || run.error === null
            ? []
            : [`  ${run.error.path ?? ''} ${run.error.code}: ${run.error.message}`];
        const top = [
          `run ${run.run_id} of ${run.graph}`,
          `  composition ${run.composition_id}`,
          `  ${run.status}, ${Math.round(run.duration_ms ?? 0)} ms`,
          ...error,
        ];
        return Promise.resolve({
          data: found,
          text: [...top, '', renderTable(head, rows)].join('\n'),
          table: { head, rows },
        });
      }),
    );
  return command;
}
