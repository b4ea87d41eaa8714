import { resolve } from 'node:path';

import { check, loadCatalog, loadGraph } from '@caloron/scheduler';
import { Command } from 'commander';

import { mustRun, readInput, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';

/** `noether run GRAPH --input JSON`. */
export function runGraphCommand(io: Io): Command {
  const command = new Command('run')
    .description('run a composition graph')
    .argument('<graph>', 'path of the graph')
    .option('--input <json>', 'its input: JSON, @FILE or - for standard input')
    .action((path: string, options: { readonly input?: string }) =>
      runCommand(command, io, async (context) => {
        const file = resolve(context.cwd, path);
        const input = readInput(options.input);
        const result = mustRun(
          await context
            .runtime()
            .run({ graph: loadGraph(file), graph_name: file, input, labels: { command: 'noether run' } }),
        );
        return { data: result, text: JSON.stringify(result.output, null, 2) };
      }),
    );
  return command;
}

/** `noether check GRAPH`: types, effects and steps; runs nothing and opens nothing. */
export function checkCommand(io: Io): Command {
  const command = new Command('check')
    .description('check a graph: types and effects, nothing is run')
    .argument('<graph>', 'path of the graph')
    .option('--input <json>', 'check this input too')
    .action((path: string, options: { readonly input?: string }) =>
      runCommand(command, io, ({ cwd }) => {
        const file = resolve(cwd, path);
        const report = check(
          loadGraph(file),
          loadCatalog(),
          options.input === undefined ? undefined : readInput(options.input),
        );
        if (!report.ok) {
          const problems = report.problems
            .map((problem) => `\n  ${problem.path}: ${problem.message}`)
            .join('');
          throw new CliError('CLI_RUN_REFUSED', {
            code: 'GRAPH_TYPE',
            message: `${path} does not type-check:${problems}`,
          });
        }
        const text = [
          `${path} type-checks`,
          `  composition  ${report.composition_id}`,
          `  input        ${report.input}`,
          `  output       ${report.output}`,
          `  effects      ${report.effects.join(', ')}`,
          `  capabilities ${report.capabilities.join(', ') || '-'}`,
          '',
          ...report.steps.map(
            (step) => `  ${step.path.padEnd(52)} ${step.stage.padEnd(26)} ${step.effects.join(', ')}`,
          ),
          ...report.warnings.map((warning) => `  warning: ${warning}`),
        ];
        return Promise.resolve({ data: report, text: text.join('\n') });
      }),
    );
  return command;
}

/** `noether graph GRAPH`: the graph's canonical JSON. */
export function graphCommand(io: Io): Command {
  const command = new Command('graph')
    .description('the parsed graph as JSON')
    .argument('<graph>', 'path of the graph')
    .action((path: string) =>
      runCommand(command, io, ({ cwd }) => {
        const graph = loadGraph(resolve(cwd, path));
        return Promise.resolve({ data: graph, text: JSON.stringify(graph, null, 2) });
      }),
    );
  return command;
}
