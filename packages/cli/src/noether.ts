import { Command, Option } from 'commander';

import { checkCommand, graphCommand, runGraphCommand } from './noether/run.ts';
import { stageCommand } from './noether/stage.ts';
import { runsCommand, traceCommand } from './noether/trace.ts';
import { runCommand } from './context.ts';
import { type Io, VERSION } from './output.ts';

function outputOption(): Option {
  return new Option('--output <format>', 'how to answer (default: text)').choices(['text', 'json', 'table']);
}

/** The `noether` command with every subcommand. */
export function noetherProgram(io: Io): Command {
  const program = new Command('noether')
    .description('Checks and runs composition graphs.')
    .version(VERSION)
    .option('--home <dir>', 'directory that holds .caloron/')
    .addOption(outputOption())
    .showHelpAfterError('run noether --help for the commands')
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  const version = new Command('version')
    .description('the version')
    .action(() =>
      runCommand(version, io, () => Promise.resolve({ data: { version: VERSION }, text: VERSION })),
    );
  const commands = [
    runGraphCommand(io),
    checkCommand(io),
    graphCommand(io),
    stageCommand(io),
    runsCommand(io),
    traceCommand(io),
    version,
  ];
  for (const command of commands) {
    command
      .copyInheritedSettings(program)
      .option('--home <dir>', 'directory that holds .caloron/')
      .addOption(outputOption());
    program.addCommand(command);
  }
  return program;
}

/** The `noether` bin. */
export async function main(argv: readonly string[]): Promise<void> {
  const io: Io = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
  await noetherProgram(io).parseAsync(argv, { from: 'user' });
}
