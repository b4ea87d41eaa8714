import { resolve } from 'node:path';

import type { CheckReport } from '@caloron/noether';
import { catalogFor } from '@caloron/scheduler/graph-catalog';
import { check, loadGraph } from '@caloron/scheduler/runtime';
import { Command } from 'commander';

import { listed, readInput } from '../composition.ts';
import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';

/** `noether check GRAPH`: types, effects and steps; runs nothing and opens nothing. */
export function checkCommand(io: Io): Command {
  const command = new Command('check')
    .description('check a graph: types and effects, nothing is run')
    .argument('<graph>', 'path of the graph')
    .option('--input <json>', 'check this input too: JSON, @FILE or - for standard input')
    .option('--verbose', 'every warning with its place')
    .action((path: string, options: { readonly input?: string; readonly verbose?: boolean }) =>
      runCommand(command, io, async ({ cwd }) => {
        const input = options.input === undefined ? undefined : readInput(options.input);
        const graph = loadGraph(resolve(cwd, path));
        const report = check(graph, await catalogFor(graph), input);
        if (!report.ok) {
          const code = report.problems.length === 1 ? report.problems[0]?.code : undefined;
          throw new CliError(
            'CLI_RUN_REFUSED',
            {
              code: code ?? 'GRAPH_REFUSED',
              message: `${path} does not type-check: ${listed(report.problems)}`,
              run_id: null,
              path: report.problems[0]?.path ?? null,
            },
            { hint: './noether stage list, ./noether stage get STAGE show what stages take and give' },
          );
        }
        return { data: report, text: showReport(path, report, options.verbose === true) };
      }),
    );
  return command;
}

function showReport(path: string, report: CheckReport, verbose: boolean): string {
  const { steps, effects, capabilities } = report;
  return [
    `${path} type-checks`,
    `  composition  ${report.composition_id}`,
    `  input        ${report.input}`,
    `  output       ${report.output}`,
    `  effects      ${effects.join(', ')}`,
    `  capabilities ${capabilities.join(', ') || '-'}`,
    '',
    ...steps.map((step) => `  ${step.stage.padEnd(28)} ${step.effects.join(', ').padEnd(44)} ${step.path}`),
    ...showWarnings(report, verbose),
  ].join('\n');
}

const ID = /[0-9a-f]{64}/g;

/** Warnings with stage names for ids; those that say the same of several places are one line unless each is asked for. */
export function showWarnings({ steps, warnings }: CheckReport, verbose: boolean): readonly string[] {
  const names = new Map(steps.map(({ stage_id, stage }) => [stage_id, stage]));
  const name = (id: string): string => names.get(id) ?? id;
  const groups = new Map<string, string[]>();
  for (const text of warnings) {
    const said = text.slice(text.indexOf(': ') + 2).replaceAll(ID, 'STAGE');
    groups.set(said, [...(groups.get(said) ?? []), text]);
  }
  return [...groups].flatMap(([said, group]) => {
    if (verbose || group.length === 1) return group.map((text) => `  warning: ${text.replaceAll(ID, name)}`);
    const stages = [...new Set(group.flatMap((text) => text.match(ID) ?? []).map(name))];
    return `  warning: ${said} (${group.length} places: ${stages.join(', ')}; --verbose lists them)`;
  });
}
