import type { StepFinished } from '@caloron/noether';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { type Io, renderTable } from '../output.ts';

/** `noether runs`: the latest composition runs. */
export function runsCommand(io: Io): Command {
  const head = ['run', 'graph', 'status', 'started', 'ms', 'cause', 'error'] as const;
  const command = new Command('runs')
    .description('the latest runs')
    .option('--limit <n>', 'how many', '20')
    .action((options: { readonly limit: string }) =>
      runCommand(command, io, ({ runtime }) => {
        const limit = Number(options.limit);
        if (!Number.isInteger(limit) || limit < 1)
          throw new CliError('CLI_USAGE', {
            problem: `--limit: expected a whole number from 1, got ${options.limit}`,
          });
        const runs = runtime().store.runs.list({ limit });
        const rows = runs.map((run) => [
          run.run_id.slice(0, 8),
          run.graph.split('/').at(-1) ?? run.graph,
          run.status,
          run.started_at,
          run.duration_ms === undefined ? '-' : String(Math.round(run.duration_ms)),
          run.labels['cause'] ?? run.labels['command'] ?? '',
          run.error === undefined || run.error === null ? '' : run.error.code,
        ]);
        return Promise.resolve({
          data: runs,
          text: rows.length === 0 ? 'nothing was run yet' : renderTable(head, rows),
          table: { head, rows },
        });
      }),
    );
  return command;
}

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
