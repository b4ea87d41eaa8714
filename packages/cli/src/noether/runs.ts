import { systemClock } from '@caloron/capabilities/clock';
import type { RunQuery } from '@caloron/store';
import { timestampOf, toTimestamp } from '@caloron/types';
import { Command, Option } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';
import { renderTable } from '../table.ts';
import { durationMs, limitOf } from './rules.ts';
import { causeOf, factsOfRun, RUN_STATUSES, type RunFacts, type RunStatus } from './run-facts.ts';

interface Options {
  readonly limit: string;
  readonly graph?: string;
  readonly status?: RunStatus;
  readonly sprint?: string;
  readonly label?: readonly string[];
  readonly composition?: string;
  readonly since?: string;
}

const HEAD = ['run', 'graph', 'status', 'started', 'ms', 'sprint', 'cause', 'error'] as const;
/** Running runs looked at to find those that were interrupted. */
const MAX_RUNNING = 10_000;

/** `noether runs`: the latest composition runs. */
export function runsCommand(io: Io): Command {
  const command = new Command('runs')
    .description('the latest runs, newest first')
    .option('--limit <n>', 'how many', '20')
    .option('--graph <name>', "runs of this graph: its path or its file's name")
    .addOption(new Option('--status <status>', 'runs that stand so').choices(RUN_STATUSES))
    .option('--sprint <id>', 'runs for this sprint')
    .option('--label <name=value...>', 'runs with these labels, as job=retro')
    .option('--composition <id>', 'runs of this composition; the beginning of its id will do')
    .option('--since <time>', 'runs that started then or later: 90m, 2d, or 2026-04-14T08:30Z')
    .action((options: Options) =>
      runCommand(command, io, ({ runtime }) => {
        const limit = limitOf('--limit', options.limit);
        const query = queryOf(options);
        const { runs } = runtime().store;
        const rough = options.status === 'running' || options.status === 'interrupted';
        const found = runs
          .list({ ...query, limit: rough ? MAX_RUNNING : limit })
          .map(factsOfRun)
          .filter(({ status }) => options.status === undefined || status === options.status)
          .slice(0, limit);
        const rows = found.map(rowOf);
        const asked = Object.keys(query).length > 0;
        const none = asked ? 'no run is like that' : 'nothing was run yet';
        return Promise.resolve({
          data: found,
          text: rows.length === 0 ? none : renderTable(HEAD, rows),
          table: { head: HEAD, rows },
        });
      }),
    );
  return command;
}

function rowOf(run: RunFacts): readonly string[] {
  return [
    run.run_id.slice(0, 8),
    run.graph.split('/').at(-1) ?? run.graph,
    run.status,
    run.started_at,
    run.duration_ms === undefined ? '-' : String(Math.round(run.duration_ms)),
    run.labels['sprint'] ?? '',
    causeOf(run),
    run.error === undefined || run.error === null ? '' : run.error.code,
  ];
}

function queryOf({ graph, status, sprint, label = [], composition, since }: Options): RunQuery {
  const labels = [...label.map(labelOf), ...(sprint === undefined ? [] : [['sprint', sprint] as const])];
  return {
    ...(graph !== undefined && { graph }),
    ...(status !== undefined && { status: status === 'interrupted' ? 'running' : status }),
    ...(composition !== undefined && { composition_id: composition }),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(since !== undefined && { since: sinceOf(since) }),
  };
}

function labelOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1)
    throw new CliError('CLI_USAGE', {
      problem: `--label: expected name=value, as job=retro, got ${JSON.stringify(text)}`,
    });
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A time as a person says it: how long ago, or a date. Throws CLI_USAGE. */
function sinceOf(text: string): string {
  const ago = durationMs(text);
  // A bare number would be milliseconds: nobody means that of runs.
  const bare = /^\d+$/.test(text);
  if (ago !== undefined && !bare) return timestampOf(Math.max(0, Date.parse(systemClock.now()) - ago));
  const at = bare ? undefined : toTimestamp(text);
  if (at !== undefined) return at;
  throw new CliError('CLI_USAGE', {
    problem: `--since: expected how long ago, as 90m or 2d, or a date as 2026-04-14T08:30Z, got ${JSON.stringify(text)}`,
  });
}
