import { resolve } from 'node:path';

import { Command } from 'commander';

import { runFile } from '../composition.ts';
import { type Context, runCommand } from '../context.ts';
import { type Answer, type Io, jsonText } from '../output.ts';
import { readInput } from '../read-input.ts';
import { type RuleOptions, rulesOf, withRunOptions } from './rules.ts';

interface Options extends RuleOptions {
  readonly input?: string;
  readonly dryRun?: boolean;
}

/** `noether run GRAPH --input JSON`, and the same as `caloron run`. */
export function runGraphCommand(io: Io): Command {
  const command = withRunOptions(
    new Command('run')
      .description('run a composition graph')
      .argument('<graph>', 'path of the graph')
      .option('--input <json>', 'its input: JSON, @FILE or - for standard input')
      .option('--dry-run', 'check the graph, its input and the limits, show the plan, and run nothing'),
  ).action((path: string, options: Options) =>
    runCommand(
      command,
      io,
      async (context) => {
        const rules = rulesOf(options);
        if (options.dryRun === true) return dryRun(context, path, options);
        const result = await runFile(context, resolve(context.cwd, path), readInput(options.input), rules);
        return { data: result, text: jsonText(result.output) };
      },
      { creates: true, on_interrupt: 'stopping the run' },
    ),
  );
  return command;
}

/** Everything that happens before the first stage is called; opens no database. */
async function dryRun(context: Context, path: string, options: Options): Promise<Answer> {
  const [{ checkFile }, { showReport }] = await Promise.all([import('./check.ts'), import('./report.ts')]);
  const report = await checkFile(context, path, { input: readInput(options.input), rules: options });
  const { composition_id, input, output, effects, capabilities, plan, warnings } = report;
  return {
    data: {
      mode: 'dry-run',
      composition_id,
      type_check: { input, output },
      effects,
      capabilities,
      plan,
      warnings,
    },
    text: showReport(`${path} would run; nothing was run`, report, {
      verbose: false,
      columns: context.io.terminal?.columns,
    }),
  };
}
