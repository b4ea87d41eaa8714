import type { StepFinished } from '@caloron/noether';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';
import { causeOf, factsOfRun, type RunFacts } from './run-facts.ts';
import { renderWaterfall, showMs } from './waterfall.ts';

const HEAD = ['path', 'stage', 'attempt', 'at ms', 'took ms', 'status', 'error'] as const;

function rowOf(step: StepFinished, begun: number): readonly string[] {
  return [
    step.path,
    step.stage_name,
    String(step.attempt),
    String(Math.max(0, Date.parse(step.started_at) - begun)),
    String(step.duration_ms),
    step.status,
    step.error === null ? '' : `${step.error.code}: ${step.error.message}`,
  ];
}

/** `noether trace RUN|COMPOSITION`: every attempt of every node of one run; a waterfall on a terminal, JSON elsewhere. */
export function traceCommand(io: Io): Command {
  const command = new Command('trace')
    .description('what one run did, node by node: a waterfall on a terminal, JSON elsewhere')
    .argument('<run>', 'id of a run, or of a composition for its latest run; the beginning will do')
    .action((id: string) =>
      runCommand(
        command,
        io,
        (context) => {
          const found = context.runtime().store.runs.get(id);
          if (found === undefined)
            throw new CliError(
              'CLI_NOT_FOUND',
              { what: 'run or composition', id },
              { hint: `./noether runs${context.home_flag} lists the runs` },
            );
          const run = factsOfRun(found.run);
          const begun = Date.parse(run.started_at);
          const { steps } = found;
          const drawn =
            steps.length === 0
              ? nothingOf(run)
              : renderWaterfall({ steps, begun, duration_ms: run.duration_ms }, io.terminal);
          return Promise.resolve({
            data: { run, steps },
            text: [...headLines(run, steps, id), '', drawn].join('\n'),
            table: { head: HEAD, rows: steps.map((step) => rowOf(step, begun)) },
          });
        },
        { elsewhere: 'json' },
      ),
    );
  return command;
}

function headLines(run: RunFacts, steps: readonly StepFinished[], asked: string): readonly string[] {
  const cause = causeOf(run);
  const by = cause === '' ? '' : `, by ${cause}`;
  const failed = steps.filter(({ status }) => status === 'failed').length;
  const cached = steps.filter(({ status }) => status === 'cached').length;
  const open = run.status === 'running' || run.status === 'interrupted';
  const counts = [
    `${steps.length} ${steps.length === 1 ? 'attempt' : 'attempts'}${open ? ' ended' : ''}`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(cached === 0 ? [] : [`${cached} from the cache`]),
  ];
  const { error } = run;
  return [
    `run ${run.run_id} of ${run.graph}`,
    `  composition ${run.composition_id}${run.run_id.startsWith(asked) ? '' : ', of which this is the latest run'}`,
    `  ${stateOf(run)}; started ${run.started_at}${by}; ${counts.join(', ')}`,
    ...(error === undefined || error === null
      ? []
      : [
          `  ${error.path === null || error.message.startsWith(error.path) ? '' : `${error.path}: `}${error.message} [${error.code}]`,
        ]),
  ];
}

/** Steps are kept when they end: of a run that did not end, calls may have begun. */
function nothingOf({ status }: RunFacts): string {
  return status === 'running' || status === 'interrupted'
    ? '  no call of a stage has ended'
    : '  no stage was called';
}

function stateOf({ status, duration_ms, labels }: RunFacts): string {
  const took = duration_ms === undefined ? '' : ` after ${showMs(duration_ms)}`;
  if (status === 'running') return 'running';
  if (status === 'interrupted')
    return `interrupted: process ${labels['process']?.split(' ')[0] ?? ''} ended before the run did`;
  return `${status}${took}`;
}
