import { Command, Option } from 'commander';

import { agentsCommand } from './commands/agents.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { historyCommand, showCommand, stateCommand } from './commands/history.ts';
import { initCommand } from './commands/init.ts';
import { kickoffCommand } from './commands/kickoff.ts';
import { kvCommand } from './commands/kv.ts';
import { logsCommand, stopCommand } from './commands/process.ts';
import { retroCommand } from './commands/retro.ts';
import { statusCommand } from './commands/status.ts';
import { tickCommand } from './commands/tick.ts';
import { downCommand, upCommand } from './commands/up.ts';
import { wordCommands } from './commands/words.ts';
import { type Io, VERSION } from './output.ts';

function outputOption(): Option {
  return new Option('--output <format>', 'how to answer (default: text)').choices(['text', 'json', 'table']);
}

/** The `caloron` command with every subcommand. */
export function caloronProgram(io: Io): Command {
  const program = new Command('caloron')
    .description('Runs sprints of coding agents.')
    .version(VERSION)
    .option('--home <dir>', 'directory that holds .caloron/ (default: the nearest one above)')
    .addOption(outputOption())
    .showHelpAfterError('run caloron --help for the commands')
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  const commands = [
    demoCommand(io),
    initCommand(io),
    upCommand(io),
    downCommand(io),
    kickoffCommand(io),
    tickCommand(io),
    statusCommand(io),
    agentsCommand(io),
    logsCommand(io),
    stopCommand(io),
    ...wordCommands(io),
    retroCommand(io),
    historyCommand(io),
    showCommand(io),
    stateCommand(io),
    kvCommand(io),
    doctorCommand(io),
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

/** The `caloron` bin. */
export async function main(argv: readonly string[]): Promise<void> {
  const io: Io = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
  await caloronProgram(io).parseAsync(argv, { from: 'user' });
}
