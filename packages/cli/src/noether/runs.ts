import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';
import { renderTable } from '../table.ts';

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
