import { Command } from 'commander';

import { runCommand } from './context.ts';
import { introspectCommand } from './noether/introspect.ts';
import { checkCommand, graphCommand, runGraphCommand } from './noether/run.ts';
import { stageCommand } from './noether/stage.ts';
import { storeCommand } from './noether/store.ts';
import { runsCommand, traceCommand } from './noether/trace.ts';
import { type Io, VERSION } from './output.ts';
import { assemble, processIo, runProgram } from './program.ts';

/** The `noether` command with every subcommand. */
export function noetherProgram(io: Io): Command {
  const program = new Command('noether').description('Checks and runs composition graphs.');
  const version = new Command('version')
    .description('the version')
    .action(() =>
      runCommand(version, io, () => Promise.resolve({ data: { version: VERSION }, text: VERSION })),
    );
  return assemble(program, io, [
    runGraphCommand(io),
    checkCommand(io),
    graphCommand(io),
    stageCommand(io),
    storeCommand(io),
    runsCommand(io),
    traceCommand(io),
    introspectCommand(io),
    version,
  ]);
}

/** The `noether` bin. */
export async function main(argv: readonly string[]): Promise<void> {
  const io = processIo();
  await runProgram(noetherProgram(io), argv, io);
}
