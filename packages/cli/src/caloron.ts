import { Command } from 'commander';

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
import { runGraphCommand } from './noether/run.ts';
import type { Io } from './output.ts';
import { assemble, processIo, runProgram } from './program.ts';

/** The `caloron` command with every subcommand. */
export function caloronProgram(io: Io): Command {
  const program = new Command('caloron').description('Runs sprints of coding agents.');
  return assemble(program, io, [
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
    runGraphCommand(io),
    doctorCommand(io),
  ]);
}

/** The `caloron` bin. */
export async function main(argv: readonly string[]): Promise<void> {
  const io = processIo();
  await runProgram(caloronProgram(io), argv, io);
}
