import { resolve } from 'node:path';

import { Command } from 'commander';

import { readInput, runFile } from '../composition.ts';
import { runCommand } from '../context.ts';
import type { Io } from '../output.ts';

/** `noether run GRAPH --input JSON`, and the same as `caloron run`. */
export function runGraphCommand(io: Io): Command {
  const command = new Command('run')
    .description('run a composition graph')
    .argument('<graph>', 'path of the graph')
    .option('--input <json>', 'its input: JSON, @FILE or - for standard input')
    .action((path: string, options: { readonly input?: string }) =>
      runCommand(
        command,
        io,
        async (context) => {
          const result = await runFile(context, resolve(context.cwd, path), readInput(options.input));
          return { data: result, text: JSON.stringify(result.output, null, 2) };
        },
        { creates: true, on_interrupt: 'stopping the run' },
      ),
    );
  return command;
}
